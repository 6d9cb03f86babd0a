"""Who sits in which survival slot at first.

As many deaths among the exposed as the printed intervals ask for.

Here: the start of the joint search. Not here: that search (`models.reconstruction.polish`). Called by
`models.reconstruction.survival`.
"""

import numpy as np

from models.reconstruction.blocks import BY_ASL, HAS_ASL, N_PATIENTS, Rows
from models.reconstruction.marked import start_staged
from models.reconstruction.targets import Floats
from models.reconstruction.times import DIED, NO_ASL, NOT_RECOVERED, RECOVERED
from models.reconstruction.volumes import HEPATITIS, LYMPHOPENIA

# The width of an interval is that of about d1 * d0 / d: fewer than 15 deaths without hepatitis cannot give
# it.
DEATHS_WITHOUT_HEPATITIS = 15
DEATHS_WITH_LYMPHOPENIA = 38
DEATHS_WITH_CIRRHOSIS = 34
DEATHS_WITH_CHILD_PUGH_B = 11
DEATHS_IN_STAGE_II = 12
N_SEATINGS, N_DISEASES = 20000, 4000
# Strongly correlated columns widen the intervals of the multivariate model beyond the printed ones.
LARGEST_CORRELATION = 0.05


def draw_patients(rng: np.random.Generator) -> Rows:
    """Draw the patient of each slot (98,): the first 41 slots are those with ASL."""
    return np.concatenate([rng.permutation(rows) for rows in BY_ASL])


def start_joint(os: Floats, volumes: Floats, patient_of_slot: Rows, *, rng: np.random.Generator) -> Floats:
    """Return a first joint table (98, 5): days, death, cirrhosis, Child-Pugh B and stage by patient."""
    table = np.zeros((N_PATIENTS, 5))
    table[:, :2] = _seat(os[np.argsort(patient_of_slot)], volumes, patient_of_slot, rng=rng)
    table[:, 2:] = min(
        (start_staged(rng) for _ in range(N_DISEASES)),
        key=lambda drawn: _disease_misfit(drawn, table[:, DIED]),
    )
    return table


def _seat(times: Floats, volumes: Floats, patient_of_slot: Rows, *, rng: np.random.Generator) -> Floats:
    best, best_misfit = times, float("inf")
    strata = [patient_of_slot[slots] for slots in (RECOVERED, NOT_RECOVERED, NO_ASL)]
    for _ in range(N_SEATINGS):
        seated = times.copy()
        for rows in strata:
            seated[rows] = times[rng.permutation(rows)]
        died = seated[:, DIED]
        with_lymphopenia = float(died @ volumes[:, LYMPHOPENIA])
        without_hepatitis = float(died @ (1 - volumes[:, HEPATITIS]))
        misfit = abs(with_lymphopenia - DEATHS_WITH_LYMPHOPENIA)
        misfit += abs(without_hepatitis - DEATHS_WITHOUT_HEPATITIS)
        if misfit < best_misfit:
            best, best_misfit = seated, misfit
        if best_misfit == 0:
            break
    return best


def _disease_misfit(drawn: Floats, died: Floats) -> float:
    cirrhosis, child_pugh_b, stage = drawn.T
    off = (
        abs(died @ (stage == 2) - DEATHS_IN_STAGE_II)
        + abs(died @ child_pugh_b - DEATHS_WITH_CHILD_PUGH_B)
        + abs(died @ cirrhosis - DEATHS_WITH_CIRRHOSIS)
    )
    correlation = np.corrcoef(np.column_stack([cirrhosis, child_pugh_b, stage, HAS_ASL]).T)
    between = np.abs(correlation[np.triu_indices(4, 1)])[[0, 1, 3, 5]]
    return float(off + 4 * np.maximum(between - LARGEST_CORRELATION, 0.0).sum())
