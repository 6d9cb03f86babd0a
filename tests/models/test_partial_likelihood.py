"""The partial likelihood against sums written out, R's residuals and laws."""

import numpy as np
import pytest

from models.likelihood import maximise
from models.survival.partial_likelihood import PartialLikelihood
from tests.models.cox_cases import CHANGING, EVERYWHERE, TIES, followed, followed_with_onset, in_r
from transforms.errors import NotEstimableError

POINT = np.array([0.4, -0.7])


def tied_rows(seed, n=40):
    """Rows with heavy ties and late entry, of two covariates."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 6, n).astype(float)
    stop = start + rng.integers(1, 5, n)
    return rng.normal(size=(n, 2)), start, stop, rng.random(n) < 0.6


def in_loops(rows, ties, beta):
    """Value, score and information, risk set by risk set, as a book writes them."""
    matrix, start, stop, events = rows
    value, score, information = 0.0, np.zeros(2), np.zeros((2, 2))
    for time in np.unique(stop[events]):
        at_risk, dying = (start < time) & (time <= stop), events & (stop == time)
        deaths = dying.sum()
        value += (matrix[dying] @ beta).sum()
        score += matrix[dying].sum(axis=0)
        for gone in range(deaths):
            share = gone / deaths if ties == "efron" else 0
            hazard = np.exp(matrix @ beta) * (at_risk - share * dying)
            mean = hazard @ matrix / hazard.sum()
            value -= np.log(hazard.sum())
            score -= mean
            information += (matrix - mean).T @ ((matrix - mean) * hazard[:, None]) / hazard.sum()
    return value, score, information


def likelihood_of(rows, ties):
    matrix, start, stop, events = rows
    return PartialLikelihood(matrix, stop, events, ties, start)


def case(name, ties):
    """The likelihood of a case of R's with its maximum."""
    if name.endswith("_td"):
        data, split = followed_with_onset(name.removesuffix("_td"))
        start = split.start
    else:
        data, start = followed(name), None
    matrix = data.covariates.to_numpy().astype(float)
    likelihood = PartialLikelihood(matrix, data.durations, data.events, ties, start)
    return likelihood, maximise(likelihood).coefficients


def case_in_r(name, ties):
    """R's residuals of a case; its time-dependent ones carry the tie rule before the ending."""
    stem = name.removesuffix("_td")
    return in_r(f"{stem}_{ties}{name[len(stem) :]}_residuals")


ALL = [*EVERYWHERE, *(f"{name}_td" for name in CHANGING)]


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_sums_written_out(seed, ties):
    rows = tied_rows(seed)
    value, score, information = in_loops(rows, ties, POINT)
    fast = likelihood_of(rows, ties).evaluate(POINT)
    assert fast.log_likelihood == pytest.approx(value, rel=1e-12)
    assert fast.score == pytest.approx(score, rel=1e-10)
    assert fast.information == pytest.approx(information, rel=1e-10)


@pytest.mark.parametrize("ties", TIES)
def test_score_and_information_are_the_slopes_of_the_value(ties):
    likelihood, step = likelihood_of(tied_rows(3), ties), 1e-5
    here = likelihood.evaluate(POINT)
    for place, way in enumerate(np.eye(2) * step):
        above, below = likelihood.evaluate(POINT + way), likelihood.evaluate(POINT - way)
        slope = (above.log_likelihood - below.log_likelihood) / (2 * step)
        assert slope == pytest.approx(here.score[place], rel=1e-6)
        bend = (below.score - above.score) / (2 * step)
        assert bend == pytest.approx(here.information[place], rel=1e-6)


@pytest.mark.parametrize("ties", TIES)
def test_a_weight_counts_its_event_time_so_often(ties):
    rows = tied_rows(4)
    likelihood = likelihood_of(rows, ties)
    times = likelihood.event_times
    first = likelihood.evaluate(POINT, weights=(times == times[0]).astype(float))
    rest = likelihood.evaluate(POINT, weights=(times != times[0]).astype(float))
    both = likelihood.evaluate(POINT)
    assert first.score + rest.score == pytest.approx(both.score)
    assert first.information + rest.information == pytest.approx(both.information)
    matrix, start, stop, events = rows
    only = in_loops((matrix, start, stop, events & (stop == times[0])), ties, POINT)
    assert first.score == pytest.approx(only[1])
    assert first.information == pytest.approx(only[2])


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", ALL)
def test_residuals_are_rs(name, ties):
    likelihood, top = case(name, ties)
    of_r = case_in_r(name, ties)
    martingale, score = likelihood.martingale_residuals(top), likelihood.score_residuals(top)
    of_martingale = of_r.pop("martingale")
    assert np.abs(martingale).sum() == pytest.approx(of_martingale["sum_abs"], rel=1e-9)
    assert martingale.min() == pytest.approx(of_martingale["lowest"], rel=1e-9)
    assert martingale.max() == pytest.approx(of_martingale["highest"], rel=1e-9)
    for place, numbers in enumerate(of_r.values()):
        assert np.abs(score[:, place]).sum() == pytest.approx(numbers["sum_abs_score"], rel=1e-9)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", ["cohort", "cohort_td", "ties", "ties_td"])
def test_residuals_of_the_first_rows_are_rs(name, ties):
    likelihood, top = case(name, ties)
    of_r = case_in_r(name, ties)
    of_martingale = of_r.pop("martingale")
    wanted = [of_martingale[f"row_{row}"] for row in range(3)]
    assert likelihood.martingale_residuals(top)[:3] == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    score = likelihood.score_residuals(top)
    for place, numbers in enumerate(of_r.values()):
        wanted = [numbers[f"score_{row}"] for row in range(3)]
        assert score[:3, place] == pytest.approx(wanted, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("ties", TIES)
def test_residuals_sum_to_the_score_and_to_nothing(ties):
    likelihood = likelihood_of(tied_rows(5), ties)
    by_row = likelihood.score_residuals(POINT)
    assert by_row.sum(axis=0) == pytest.approx(likelihood.evaluate(POINT).score)
    assert likelihood.martingale_residuals(POINT).sum() == pytest.approx(0, abs=1e-12)


def outlier(x):
    """Three events in turn, after a patient with covariate x has left."""
    matrix, stop = np.array([[0.0], [1], [2], [x]]), np.array([4.0, 3, 2, 1])
    return PartialLikelihood(matrix, stop, np.array([True, True, True, True]))


def test_a_hazard_e_to_the_900_times_the_others_is_still_counted():
    # The outlier is all of its risk set; the others are as if alone.
    here = outlier(900.0).evaluate(np.array([1.0]))
    e = np.e
    assert here.log_likelihood == pytest.approx(np.log(e**2 / (1 + e + e**2) * e / (1 + e)))
    assert here.information[0, 0] == pytest.approx(
        (e + 4 * e**2 + e**3) / (1 + e + e**2) ** 2 + e / (1 + e) ** 2
    )


def test_hazards_beyond_the_range_of_numbers_are_no_number():
    assert not np.isfinite(outlier(9000.0).evaluate(np.array([1.0])).log_likelihood)


def test_rows_that_never_see_an_event_add_nothing():
    matrix, start, stop, events = tied_rows(6)
    likelihood = likelihood_of((matrix, start, stop, events), "efron")
    later = stop.max() + 1
    more = (
        np.vstack([matrix, [3.0, 4.0]]),
        np.append(start, later),
        np.append(stop, later + 4),
        np.append(events, False),
    )
    again = likelihood_of(more, "efron")
    assert again.evaluate(POINT).information == pytest.approx(likelihood.evaluate(POINT).information)


def test_what_cannot_be_is_refused():
    matrix = np.array([[0.0], [1]])
    with pytest.raises(NotEstimableError, match="no events among 2"):
        PartialLikelihood(matrix, np.array([1.0, 2]), np.array([False, False]))
    with pytest.raises(ValueError, match="start is expected to lie before"):
        PartialLikelihood(matrix, np.array([1.0, 2]), np.array([True, True]), "efron", np.array([0.0, 2]))
    with pytest.raises(ValueError, match="finite time"):
        PartialLikelihood(matrix, np.array([1.0, np.inf]), np.array([True, True]))


def test_a_hundred_thousand_rows_take_the_memory_of_a_few_copies():
    rng = np.random.default_rng(7)
    n = 100_000
    likelihood = PartialLikelihood(
        rng.normal(size=(n, 2)), rng.exponential(size=n), rng.random(n) < 0.5, "efron", np.full(n, -1.0)
    )
    assert np.abs(maximise(likelihood).coefficients).max() < 0.05
