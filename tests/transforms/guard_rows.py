"""Invented estimates of every guard, in the words of the night's rows: for tests of tables and pages.

Here: rows of `schemas.ESTIMATES` whose numbers mean nothing. Not here: any statistic. Called by tests only.
"""

from collections.abc import Iterator

import polars as pl

from transforms.schemas import ESTIMATES

RATIO = {"ci_low": 1.33, "ci_high": 3.51, "p": 0.002}
HR, ODDS = {"hr": 2.16, **RATIO}, {"or": 2.16, **RATIO}
MODELS = ("univariate", "multivariate")
Found = dict[str, float | None]
Keyed = tuple[str, str, str, str, Found]


def guard_rows(n: int = 98, events: int = 67) -> pl.DataFrame:
    """Return one of each kind of guard's row."""
    found = [
        (*key, statistic, value, n, events, "Not estimated: too few" if value is None else "Invented")
        for *key, numbers in _keyed()
        for statistic, value in numbers.items()
    ]
    return pl.DataFrame(found, schema=ESTIMATES.polars_schema, orient="row")


def _keyed() -> Iterator[Keyed]:
    yield from _other_methods()
    yield from _assumptions()
    yield from _stability()
    yield from _more_of_the_study()


def _other_methods() -> Iterator[Keyed]:
    for level, guarded, p in (("univariate", 1.7, 0.04), ("multivariate", 1.3, 0.21)):
        yield ("immortal_time", "naive", "asl", level, HR)
        yield ("immortal_time", "time_dependent", "asl", level, HR | {"hr": guarded, "p": p})
    yield ("immortal_time", "naive", "recovered", "univariate", HR | {"hr": 0.41, "p": 0.04})
    more = {"n_left_out": 3.0, "p_log_rank": 0.12}
    for group in ("landmark_2m", "landmark_2_5m"):
        yield ("immortal_time", group, "recovered", "univariate", HR | {"hr": 0.55, "p": 0.11} | more)
    for level in MODELS:
        for rule in ("efron", "breslow"):
            yield ("cox_os_ties", rule, "asl", level, HR)
        for name, ratio in (("cox_os", HR), ("logit_asl", ODDS)):
            yield ("firth", name, "baseline_lymphopenia", level, ratio)
            yield ("profile_likelihood", name, "baseline_lymphopenia", level, RATIO)
            imputed: Found = {"fraction_missing_information": 0.12}
            yield ("multiple_imputation", name, "baseline_lymphopenia", level, ratio | imputed)
    for name in ("cox_os", "logit_asl"):
        yield ("multiple_imputation", name, "model", "", {"imputations": 20.0, "imputations_converged": 19.0})


def _assumptions() -> Iterator[Keyed]:
    test: Found = {"chi_square": 4.2, "degrees_of_freedom": 1.0, "p": 0.04}
    yield ("proportional_hazards", "cox_os", "asl", "", test)
    yield ("proportional_hazards", "cox_os", "global", "", test | {"p": 0.3})
    for name, ratio in (("cox_os", "hr"), ("logit_asl", "or")):
        yield ("functional_form", name, "afp_per_ng_ml", "", test)
        yield ("functional_form", name, "dose_per_gy", "", dict.fromkeys(test))
        moved: Found = {"max_abs_dfbetas": 0.61, "n_influential": 5.0}
        limits: Found = {"ratio_without_low": 0.9, "ratio_without_high": 2.6}
        yield ("influence", name, "baseline_lymphopenia", "", moved | limits)
        yield ("separation", name, "child_pugh_b", "", {"is_separated": float(name == "logit_asl")})
        yield ("separation", name, "model", "", {"is_separated": 0.0})
        yield (name, "multivariate", "baseline_lymphopenia", "", {ratio: 2.5, "ci_low": 1.2, "ci_high": 5.2})
        tests: Found = {"p_likelihood_ratio": 0.003, "p_score": 0.002}
        yield (name, "univariate", "baseline_lymphopenia", "", tests)
        yield (name, "multivariate", "model", "", tests | {"p_wald": 0.004})


def _stability() -> Iterator[Keyed]:
    whole: Found = {"resamples": 200.0, "resamples_converged": 150.0, "apparent": 0.81, "optimism": 0.09}
    for name in ("cox_os", "logit_asl"):
        yield ("selection_stability", name, "baseline_lymphopenia", "", {"inclusion_percent": 44.0})
        yield ("selection_stability", name, "pvtt", "", {"inclusion_percent": 61.0})
        yield (
            "selection_stability",
            name,
            "model",
            "",
            whole | {"corrected": 0.72, "calibration_slope": 0.7},
        )
        yield ("missing_data", name, "model", "", {"n_complete": 80.0, "percent_complete": 81.6})
    yield ("missing_data", "all", "pvtt", "", {"n_missing": 4.0, "percent": 4.1})
    numbers: Found = {"n": 41.0, "events": 30.0}
    for variable in ("progression", "death_before_progression"):
        share = {
            f"incidence_24m{end}": value for end, value in (("", 61.0), ("_ci_low", 50.0), ("_ci_high", 70.0))
        }
        for group in ("all", "asl", "no_asl"):
            yield ("competing_risks", group, variable, "", numbers | share | {"one_minus_km_24m": 68.4})
    for variable in ("recovery", "death_before_recovery"):
        share = {
            f"incidence_6m{end}": value for end, value in (("", 33.0), ("_ci_low", 20.0), ("_ci_high", 47.0))
        }
        yield ("competing_risks", "asl", variable, "", numbers | share | {"one_minus_km_6m": 34.0})


def _more_of_the_study() -> Iterator[Keyed]:
    for model in MODELS:
        q: Found = {"q": 0.01} if model == "univariate" else {}
        yield ("logit_asl_liver_dose", model, "mean_liver_dose_per_gy", "", ODDS | q)
    whole: Found = {"n": 98.0, "events": 41.0, "n_left_out": 0.0, "n_candidates": 16.0, "n_retained": 1.0}
    yield ("logit_asl_liver_dose", "multivariate", "model", "", whole | {"events_per_candidate": 2.6})
    groups = ("all", "asl", "no_asl", "il7_low", "il7_high")
    test: Found = {"p": 0.03, "chi_square": 4.7, "degrees_of_freedom": 1.0, "smallest_expected": 3.2}
    for term in ("any", "radiation_induced_liver_disease", "nausea"):
        for level in ("any_grade", "grade_3_or_worse"):
            for group in groups:
                yield ("toxicities", group, term, level, {"n": 12.0, "percent": 12.2})
            for contrast in ("asl_vs_no_asl", "il7_low_vs_high"):
                yield ("toxicities", contrast, term, level, test | {"p_fisher": 0.05, "q": 0.06})
    r: Found = {"pearson_r": 0.27, "ci_low": 0.07, "ci_high": 0.44, "p": 0.008, "q": 0.02}
    for pair in ("pre_rt_il7_vs_nadir", "delta_il7_vs_nadir", "post_rt_il7_vs_month_2"):
        yield ("correlations", "all", pair, "", r | {"spearman_rho": 0.25, "p_spearman": 0.012})
