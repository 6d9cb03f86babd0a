"""What every test starts from: nights that resample little, since resampling has tests of its own."""

import os

from hypothesis import settings

os.environ.setdefault("NADIR_RESAMPLES", "2")
os.environ.setdefault("NADIR_IMPUTATIONS", "2")

# A machine that others share is slow now and then, which is no defect.
settings.register_profile("nadir", deadline=None)
settings.load_profile("nadir")
