"""The search for the reconstructed cohort, run and kept: its two files, and where it stands.

Here: input and output of the search. Not here: the search itself (`models.reconstruction`), and the landing
files made of its result (`flows.reconstruction`). Called by `nadir reconstruct`.
"""

import sys
from pathlib import Path

from flows.files import write_whole
from flows.reconstruction import COUNTS_FILE, PATIENTS_FILE, read_published
from models.reconstruction.annealing import Progress
from models.reconstruction.search import reconstruct


def search_cohort(out: Path, *, seed: int) -> None:
    """Search for the pseudo-patients anew and write the two files of the result into `out`.

    The same seed gives the same files. Takes minutes; where it stands is told on the standard error output.
    """
    found = reconstruct(read_published(), seed=seed, progress=_show_progress)
    write_whole(out / PATIENTS_FILE, found.patients.write_csv())
    write_whole(out / COUNTS_FILE, found.counts.write_csv())


def _show_progress(progress: Progress) -> None:
    """Tell each stage as it ends; on a terminal also the steps between."""
    told = f"{progress.stage}: misfit {progress.misfit:.4f}"
    if progress.step < 0:
        sys.stderr.write(f"\r{told:<70}\n")
    elif sys.stderr.isatty():
        sys.stderr.write(f"\r{told}, step {progress.step:<30}")
    sys.stderr.flush()
