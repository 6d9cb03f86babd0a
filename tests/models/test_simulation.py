"""The simulator against what it claims: repeatable, like the study, and true to its own coefficients."""

from dataclasses import astuple
from datetime import date

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from lifelines import CoxPHFitter
from polars.testing import assert_frame_equal

from models.curves.standard_curve import concentrations, fit_standard_curves
from models.simulation.cohort import SimulatedChunk, simulate_patients
from models.simulation.deliveries import deliver, take_nights
from models.simulation.faults import FAULTS, mark_spoilable, spoil
from models.simulation.immortal_time import IMMORTAL_TIME_TRUTH, simulate_palliative
from models.simulation.patients import PTV_CM3
from models.simulation.plates import N_PATIENTS_ON_A_PLATE, draw_plates
from models.simulation.sites import list_sites, write_counts_as
from models.simulation.truth import TRUTH
from transforms.clinical import DAYS_PER_MONTH, derive_cohort, derive_count_course, derive_monthly_counts
from transforms.plates.wells import summarise_replicates, tidy_wells
from transforms.schemas import COUNTS, FOLLOW_UP, PATIENT_KEY, PATIENTS, TOXICITIES
from transforms.xponent.export import write_xponent
from transforms.xponent.reader import parse_xponent

FRAMES = ("patients", "counts", "cytokines", "follow_up", "toxicities", "outcomes")
N_LARGE = 20_000


@pytest.fixture(scope="module")
def large() -> SimulatedChunk:
    return next(simulate_patients(N_LARGE, seed=20161, n_sites=4))


@pytest.fixture(scope="module")
def monthly(large):
    return derive_monthly_counts(derive_count_course(large.counts, large.patients))


@pytest.fixture(scope="module")
def cohort(large, monthly):
    course = derive_count_course(large.counts, large.patients)
    return derive_cohort(
        large.patients, course, monthly, cytokines=large.cytokines, follow_up=large.follow_up
    )


def simulate_whole(n, *, seed=1, n_sites=3, chunk_size=50_000):
    """All chunks put together, as one dictionary of frames."""
    chunks = list(simulate_patients(n, seed=seed, n_sites=n_sites, chunk_size=chunk_size))
    return {name: pl.concat([getattr(chunk, name) for chunk in chunks]) for name in FRAMES}


def in_order(frame):
    return frame.sort(frame.columns)


# Repeatable


@pytest.mark.parametrize("name", FRAMES)
def test_the_same_seed_gives_the_same_patients_and_another_seed_gives_others(name):
    first, again, other = (simulate_whole(150, seed=seed)[name] for seed in (3, 3, 4))
    assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("chunk_size", [700, 2_000, 4_100])
def test_chunking_does_not_change_a_value(chunk_size):
    whole, cut = simulate_whole(4_300), simulate_whole(4_300, chunk_size=chunk_size)
    for name in FRAMES:
        assert_frame_equal(in_order(whole[name]), in_order(cut[name]))


def test_a_chunk_holds_no_more_patients_than_asked_for():
    sizes = [len(chunk.patients) for chunk in simulate_patients(1_000, seed=1, chunk_size=300)]
    assert sizes == [300, 300, 300, 100]


def test_more_patients_leave_the_first_ones_as_they_were():
    few, many = simulate_whole(98), simulate_whole(2_050)
    for name in FRAMES:
        ours = many[name].join(few["patients"].select(PATIENT_KEY), on=PATIENT_KEY, how="semi")
        assert_frame_equal(in_order(few[name]), in_order(ours))


def test_more_sites_change_who_writes_and_not_who_is_ill():
    one, four = simulate_whole(300, n_sites=1), simulate_whole(300, n_sites=4)
    assert_frame_equal(one["patients"].drop("site"), four["patients"].drop("site"))
    assert four["patients"]["site"].n_unique() == 4


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n_sites": 0}, {"chunk_size": 0}, {"seed": -1}])
def test_a_number_out_of_range_is_named_at_once(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}"):
        simulate_patients(**({"n": 10, "seed": 1} | wrong))


# Frames of the landing tables


@pytest.mark.parametrize(
    ("name", "table"),
    [("patients", PATIENTS), ("counts", COUNTS), ("follow_up", FOLLOW_UP), ("toxicities", TOXICITIES)],
)
def test_each_frame_has_its_tables_columns_words_and_keys(large, name, table):
    frame = getattr(large, name)
    assert frame.schema == table.polars_schema
    assert frame.select(table.key).is_duplicated().sum() == 0
    for column in table.columns:
        assert not column.required or frame[column.name].null_count() == 0
        assert not column.allowed or set(frame[column.name].drop_nulls()) <= set(column.allowed)


def test_sites_and_patients_say_that_they_are_simulated(large):
    assert large.patients["site"].str.starts_with("simulated-").all()
    assert large.patients["patient_id"].str.starts_with("SIM-").all()


def test_counts_of_every_site_keep_their_value_when_printed(large):
    for site in list_sites(4):
        counts = large.counts.filter(pl.col("site") == site.name)
        printed = write_counts_as(site, counts)["value"].cast(pl.Float64)
        factor = 1000 if site.is_in_thousands else 1
        assert ((printed * factor).round(6) == counts["tlc_cells_per_ul"]).all()


def test_rt_starts_in_the_months_of_the_study_and_on_a_working_day(large):
    start, end = large.patients["rt_start_date"], large.patients["rt_end_date"]
    assert date(2016, 7, 1) <= start.min()
    assert start.max() <= date(2018, 10, 31)
    assert max(start.dt.weekday().max(), end.dt.weekday().max()) <= 5
    assert (end - start).dt.total_days().is_between(25, 46).all()


def test_nothing_happens_after_the_last_contact(large):
    seen = large.follow_up
    counts = large.counts.join(seen, on=PATIENT_KEY)
    toxicities = large.toxicities.join(seen, on=PATIENT_KEY)
    assert (counts["collected_on"] < counts["last_contact_date"]).all()
    assert (toxicities["onset_date"] <= toxicities["last_contact_date"]).all()
    assert (seen["death_date"].drop_nulls() == seen.drop_nulls("death_date")["last_contact_date"]).all()
    died = seen.drop_nulls()
    assert (died["progression_date"] < died["death_date"]).all()


# Like the study


@pytest.mark.parametrize(
    ("column", "level", "n_of_98"),
    [
        ("sex", "female", 20),
        ("viral_type", "hbv", 72),
        ("viral_type", "hcv", 5),
        ("child_pugh", "B", 12),
        ("cirrhosis", "yes", 45),
        ("tumor_number", "multiple", 55),
        ("uicc_stage", "II", 27),
        ("uicc_stage", "IV", 40),
        ("bclc_stage", "A", 24),
        ("bclc_stage", "C", 48),
        ("pvtt", "yes", 46),
        ("previous_treatment", "yes", 47),
        ("combined_treatment", "chemoradiotherapy", 66),
    ],
)
def test_shares_are_those_of_table_1(large, column, level, n_of_98):
    share = (large.patients[column] == level).mean()
    assert share == pytest.approx(n_of_98 / 98, abs=0.015)


@pytest.mark.parametrize(
    ("column", "low", "median", "high"),
    [
        ("age_years", 33, 61, 80),
        ("tumor_size_cm", 1.3, 6.5, 21.0),
        ("afp_ng_ml", 1.7, 64.4, 268408),
        ("pivka_ii_mau_ml", 15, 1616, 75000),
        ("ptv_cm3", 37, 594, 5156),
        ("dose_gy", 60, 100, 100),
        ("pre_rt_il7_pg_ml", 0.24, 2.22, 9.79),
        ("post_rt_il7_pg_ml", 0.20, 2.20, 7.33),
    ],
)
def test_medians_and_ranges_are_those_of_the_study(cohort, column, low, median, high):
    values = cohort[column]
    assert values.median() == pytest.approx(median, rel=0.06)
    assert low <= values.min()
    assert values.max() <= high


@pytest.mark.parametrize(
    ("month", "mean"),
    [(0, 1122), (1, 305), (2, 1167), (3, 787), (4, 775), (5, 686), (6, 752)],
)
def test_counts_fall_and_recover_as_in_figure_1(monthly, month, mean):
    counts = monthly.filter(pl.col("month") == month)["tlc_cells_per_ul"]
    assert counts.mean() == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize(
    ("group", "pre", "post"), [(True, 2.07, 2.55), (False, 3.01, 2.35)], ids=["asl", "no_asl"]
)
def test_il7_is_low_before_asl_and_rises_with_it(cohort, group, pre, post):
    of_group = cohort.filter(pl.col("has_asl") == group)
    assert of_group["pre_rt_il7_pg_ml"].mean() == pytest.approx(pre, rel=0.1)
    assert of_group["post_rt_il7_pg_ml"].mean() == pytest.approx(post, rel=0.1)


def test_asl_and_recovery_are_as_frequent_as_in_the_study(cohort):
    assert cohort["has_asl"].mean() == pytest.approx(41 / 98, abs=0.015)
    assert cohort["has_recovered"].mean() == pytest.approx(20 / 41, abs=0.05)


@pytest.mark.parametrize(("group", "rate_24m"), [(True, 30.3), (False, 50.2)], ids=["asl", "no_asl"])
def test_overall_survival_at_two_years_is_within_seven_points_of_the_study(cohort, group, rate_24m):
    of_group = cohort.filter(pl.col("has_asl") == group).sort("os_months")
    n_at_risk = len(of_group) - np.arange(len(of_group))
    survival = np.cumprod(1 - of_group["has_died"].to_numpy() / n_at_risk)
    at_24 = survival[of_group["os_months"].to_numpy() <= 24][-1]
    assert 100 * at_24 == pytest.approx(rate_24m, abs=7)


def test_a_margins_median_is_exact_and_its_bounds_hold():
    values = PTV_CM3.at(np.array([-9.0, 0.0, 9.0]))
    assert values == pytest.approx([37, 594, 5156])


# True to its own coefficients


def test_asl_derived_from_the_counts_is_the_asl_that_was_drawn_for_every_patient(large, cohort):
    both = large.outcomes.join(cohort, on=PATIENT_KEY, suffix="_derived", validate="1:1")
    assert len(both) == N_LARGE
    assert (both["has_asl"] == both["has_asl_derived"]).all()
    assert (both["nadir_tlc_cells_per_ul"] == both["nadir_tlc_cells_per_ul_derived"]).all()


def test_a_logistic_regression_finds_the_known_log_odds_within_three_standard_errors(cohort):
    design = cohort.select(
        hepatitis_viral=pl.col("viral_type") != "none",
        baseline_lymphopenia=pl.col("has_baseline_lymphopenia"),
        ptv_per_100_cm3=pl.col("ptv_cm3") / 100,
        pre_rt_il7_per_pg_ml=pl.col("pre_rt_il7_pg_ml"),
    ).cast(pl.Float64)
    x = sm.add_constant(design.to_numpy())
    fit = sm.GLM(cohort["has_asl"].cast(pl.Float64).to_numpy(), x, family=sm.families.Binomial()).fit()
    assert np.abs((fit.params - np.array(astuple(TRUTH.asl))) / fit.bse).max() < 3


@pytest.mark.parametrize(
    ("months", "event", "truth"),
    [
        ("os_months", "has_died", TRUTH.overall_survival),
        ("pfs_months", "has_progressed_or_died", TRUTH.progression_free_survival),
    ],
    ids=["overall", "progression_free"],
)
def test_a_cox_regression_finds_the_known_log_hazard_ratios_within_three_standard_errors(
    cohort, months, event, truth
):
    design = cohort.select(
        months,
        pl.col(event).cast(pl.Int8),
        cirrhosis=(pl.col("cirrhosis") == "yes").cast(pl.Float64),
        child_pugh_b=(pl.col("child_pugh") == "B").cast(pl.Float64),
        uicc_iii_iv=pl.col("uicc_stage").replace_strict({"II": 2.0, "III": 3.0, "IV": 4.0}),
        asl=pl.col("has_asl").cast(pl.Float64),
    )
    fit = CoxPHFitter().fit(design.to_pandas(), months, event)
    known = np.array(astuple(truth)[:4])
    assert np.abs((fit.params_ - known) / fit.standard_errors_).max() < 3


@pytest.mark.parametrize(
    ("months", "event", "truth"),
    [
        ("os_months", "has_died", TRUTH.overall_survival),
        ("pfs_months", "has_progressed_or_died", TRUTH.progression_free_survival),
    ],
    ids=["overall", "progression_free"],
)
def test_there_are_as_many_events_as_the_known_hazard_foretells(cohort, months, event, truth):
    stage = pl.col("uicc_stage").replace_strict({"II": 0, "III": 1, "IV": 2})
    log_ratio = (
        truth.cirrhosis * (pl.col("cirrhosis") == "yes")
        + truth.child_pugh_b * (pl.col("child_pugh") == "B")
        + truth.uicc_iii_iv * stage
        + truth.asl * pl.col("has_asl")
    )
    at_risk_months = (pl.col(months) - TRUTH.quiet_months).clip(lower_bound=0)
    foretold = log_ratio.exp() * (at_risk_months / truth.scale_months) ** TRUTH.weibull_shape
    n_events, n_foretold = cohort.select(pl.col(event).sum(), foretold.sum().alias("foretold")).row(0)
    assert abs(n_events - n_foretold) < 3 * np.sqrt(n_events)


def test_the_hazard_of_progression_or_death_exceeds_that_of_death_for_every_patient():
    death, either = (
        np.exp(hazard.cirrhosis + hazard.child_pugh_b + 2 * hazard.uicc_iii_iv + hazard.asl)
        / hazard.scale_months**TRUTH.weibull_shape
        for hazard in (TRUTH.overall_survival, TRUTH.progression_free_survival)
    )
    assert either > death


def test_toxicities_tell_nothing_of_il7(large, cohort):
    ill = large.toxicities.select(PATIENT_KEY).unique()
    with_any, without = (cohort.join(ill, on=PATIENT_KEY, how=how) for how in ("semi", "anti"))
    gap = with_any["pre_rt_il7_pg_ml"].mean() - without["pre_rt_il7_pg_ml"].mean()
    assert abs(gap) < 4 * cohort["pre_rt_il7_pg_ml"].std() / np.sqrt(len(without))


# Palliative patients, whose deaths come early and whose ASL acts from its onset


@pytest.fixture(scope="module")
def palliative():
    return simulate_palliative(N_LARGE, seed=20161)


@pytest.fixture(scope="module")
def palliative_cohort(palliative):
    course = derive_count_course(palliative.counts, palliative.patients)
    return derive_cohort(
        palliative.patients,
        course,
        derive_monthly_counts(course),
        cytokines=palliative.cytokines,
        follow_up=palliative.follow_up,
    ).join(palliative.outcomes, on=PATIENT_KEY, validate="1:1")


@pytest.mark.parametrize(("name", "table"), [("counts", COUNTS), ("follow_up", FOLLOW_UP)])
def test_frames_of_palliative_patients_have_their_tables_columns_and_keys(palliative, name, table):
    frame = getattr(palliative, name)
    assert frame.schema == table.polars_schema
    assert frame.select(table.key).is_duplicated().sum() == 0


def test_the_same_seed_gives_the_same_palliative_patients_and_another_seed_gives_others():
    first, again, other = (simulate_palliative(50, seed=seed) for seed in (3, 3, 4))
    assert_frame_equal(first.counts, again.counts)
    assert_frame_equal(first.follow_up, again.follow_up)
    assert not first.counts.equals(other.counts)


def test_counts_of_palliative_patients_end_before_death_and_progression_does_too(palliative):
    counts = palliative.counts.join(palliative.follow_up, on=PATIENT_KEY)
    died = palliative.follow_up.drop_nulls()
    assert (counts["collected_on"] < counts["last_contact_date"]).all()
    assert (died["progression_date"] < died["death_date"]).all()


def test_the_onset_that_acts_is_the_onset_that_the_night_derives(palliative_cohort):
    onset = palliative_cohort["asl_onset_day"] / DAYS_PER_MONTH
    assert palliative_cohort["asl_onset_months"].equals(onset)
    assert palliative_cohort["has_asl"].equals(onset.is_not_null())
    assert 0.4 < palliative_cohort["has_asl"].mean() < 0.6
    assert 0.4 < palliative_cohort["has_recovered"].mean() < 0.6


def test_as_many_palliative_patients_die_as_the_known_hazard_foretells_before_and_after_onset(
    palliative_cohort,
):
    truth, months = IMMORTAL_TIME_TRUTH, pl.col("os_months")
    onset = pl.min_horizontal(pl.col("asl_onset_months").fill_null(np.inf), months)

    def base(time):
        late = (time - truth.early_months).clip(lower_bound=0)
        return truth.early_hazard * (time - late) + truth.later_hazard * late

    has_begun = pl.col("asl_onset_months").is_not_null()
    before, after, n_before, n_after = palliative_cohort.select(
        base(onset).sum().alias("before"),
        (np.exp(truth.asl) * (base(months) - base(onset))).sum().alias("after"),
        (pl.col("has_died") & ~has_begun).sum().alias("n_before"),
        (pl.col("has_died") & has_begun).sum().alias("n_after"),
    ).row(0)
    assert abs(n_before - before) < 3 * np.sqrt(before)
    assert abs(n_after - after) < 3 * np.sqrt(after)


def test_recovery_tells_nothing_of_survival_once_the_month_2_count_is_drawn(palliative_cohort):
    alive = palliative_cohort.filter("has_asl", pl.col("os_months") > 2.5)
    design = alive.select("os_months", pl.col("has_died", "has_recovered").cast(pl.Float64))
    fit = CoxPHFitter().fit(design.drop_nulls().to_pandas(), "os_months", "has_died")
    assert abs(fit.params_.iloc[0]) < 3 * fit.standard_errors_.iloc[0]


# Plates


@pytest.fixture(scope="module")
def plated():
    chunk = next(simulate_patients(98, seed=5, n_sites=1))
    site = list_sites(1)[0]
    return chunk, list(draw_plates(chunk.cytokines, site=site, site_index=0, seed=5))


def test_a_plate_holds_19_patients_in_duplicate_with_standards_controls_and_blanks(plated):
    _, plates = plated
    samples = [[well.sample for well in plate.export.wells] for plate in plates]
    assert [plate.layout["patient_id"].n_unique() for plate in plates] == [N_PATIENTS_ON_A_PLATE] * 5 + [3]
    assert all(names.count(name) == 2 for names in samples for name in names)
    assert len(plates[0].export.wells) == 96
    assert sum(name.startswith("Standard") for name in samples[0]) == 14
    assert sum(name.startswith("Control") for name in samples[0]) == 4
    assert samples[0].count("Background0") == 2
    assert {len(plate.export.analytes) for plate in plates} == {6}


def test_no_patients_identifier_stands_in_an_export(plated):
    chunk, plates = plated
    exports = b"".join(write_xponent(plate.export) for plate in plates)
    assert not [patient for patient in chunk.patients["patient_id"] if patient.encode() in exports]


def test_signals_come_in_steps_of_one_half(plated):
    _, plates = plated
    medians = np.array([well.medians for plate in plates for well in plate.export.wells])
    assert (medians * 2 == np.rint(medians * 2)).all()


def test_il7_fitted_from_the_bead_signals_is_the_il7_that_was_drawn(plated):
    chunk, plates = plated
    found = []
    for plate in plates:
        wells = tidy_wells(parse_xponent(write_xponent(plate.export)), plate_id=plate.name)
        layout = plate.layout.with_columns(line=pl.int_range(2, pl.len() + 2))
        found.append(
            summarise_replicates(concentrations(fit_standard_curves(wells), wells), layout).cytokines
        )
    il7 = chunk.cytokines.join(pl.concat(found), on=[*PATIENT_KEY, "timepoint", "analyte"], suffix="_found")
    off = (il7["concentration_pg_ml_found"] / il7["concentration_pg_ml"] - 1).abs()
    assert len(il7) == 2 * 98
    assert off.median() < 0.03
    assert off.max() < 0.15


def test_plates_are_run_by_the_month_where_asked_and_read_after_the_last_sample(plated):
    chunk, _ = plated
    site, from_day = list_sites(1)[0], date(2018, 3, 1)
    plates = list(draw_plates(chunk.cytokines, site=site, site_index=0, seed=5, monthly_from=from_day))
    last_samples = [plate.layout["collected_on"].max() for plate in plates]
    months = [(day.year, day.month) for day in last_samples if day >= from_day]
    assert len(set(months)) == len(months) > 3
    assert all((plate.read_on - last).days == 14 for plate, last in zip(plates, last_samples, strict=True))
    assert sum(plate.layout["patient_id"].n_unique() for plate in plates) == 98


# Deliveries


@pytest.mark.parametrize(
    ("name", "table"),
    [("patients", PATIENTS), ("counts", COUNTS), ("follow_up", FOLLOW_UP), ("toxicities", TOXICITIES)],
)
def test_after_all_nights_the_last_versions_are_the_rows_of_the_chunk(name, table):
    chunk = next(simulate_patients(60, seed=2))
    nights = (date(2016, 7, 1), date(2021, 1, 1))
    versions = [rows for _, rows in take_nights(deliver(chunk)[name], nights=nights, key=table.key)]
    last = pl.concat(versions).unique(table.key, keep="last")
    assert len(versions) > 20
    assert_frame_equal(in_order(last), in_order(getattr(chunk, name)))


def test_nothing_arrives_before_it_happened_or_before_its_patient():
    chunk = next(simulate_patients(200, seed=2))
    deliveries = deliver(chunk)
    first = deliveries["patients"].group_by(PATIENT_KEY).agg(pl.col("arrives_on").min().alias("known_from"))
    counts = deliveries["counts"].join(first, on=PATIENT_KEY)
    assert (counts["arrives_on"] >= counts["collected_on"]).all()
    for name in ("counts", "follow_up", "toxicities"):
        rows = deliveries[name].join(first, on=PATIENT_KEY)
        assert (rows["arrives_on"] >= rows["known_from"]).all()
    news = deliveries["follow_up"]
    assert (news["last_contact_date"] < news["arrives_on"]).all()


def test_rt_has_no_end_while_it_goes_on():
    deliveries = deliver(next(simulate_patients(50, seed=2)))["patients"]
    during = deliveries.filter(pl.col("arrives_on") == pl.col("rt_start_date"))
    assert during["rt_end_date"].null_count() == len(during) == 50


def test_some_counts_come_late_and_one_in_a_hundred_is_corrected():
    chunk = next(simulate_patients(500, seed=2))
    counts = deliver(chunk)["counts"]
    is_late = (counts["arrives_on"] - counts["collected_on"]).dt.total_days() > 7
    n_corrections = len(counts) - len(chunk.counts)
    assert 0.01 < is_late.mean() < 0.08
    assert 0.005 < n_corrections / len(chunk.counts) < 0.02


# Faults


@pytest.fixture(scope="module")
def spoilt_counts(large):
    site = list_sites(4)[1]
    counts = mark_spoilable(large.counts, large.patients.select(*PATIENT_KEY, "rt_end_date"))
    rows = write_counts_as(site, counts.filter(pl.col("site") == site.name))
    return rows, spoil(rows, source="counts", rng=np.random.default_rng(1))


def test_the_places_of_the_faults_are_exactly_the_rows_that_changed(spoilt_counts):
    rows, spoilt = spoilt_counts
    is_changed = rows.hash_rows() != spoilt.rows.hash_rows()
    changed = (is_changed.arg_true() + 2).to_list()
    assert sorted(spoilt.places["line"]) == changed


def test_each_kind_of_fault_hits_one_row_in_two_hundred(spoilt_counts):
    rows, spoilt = spoilt_counts
    kinds = spoilt.places["kind"].value_counts()
    assert set(kinds["kind"]) == {fault.kind for fault in FAULTS if "counts" in fault.sources}
    assert (kinds["count"] / len(rows)).is_between(0.0045, 0.0055).all()


def test_faults_hit_counts_after_rt_only_so_that_asl_stays_what_was_drawn(spoilt_counts):
    rows, spoilt = spoilt_counts
    hit = rows[(spoilt.places["line"] - 2).to_list()]
    assert hit["may_be_spoilt"].all()
    assert not rows["may_be_spoilt"].all()


def test_a_fault_can_be_told_from_a_value_that_might_be_true(spoilt_counts):
    rows, spoilt = spoilt_counts

    def hit(kind):
        return spoilt.rows[(spoilt.places.filter(pl.col("kind") == kind)["line"] - 2).to_list()]

    assert (hit("percent_in_place_of_absolute")["unit"] == "%").all()
    assert hit("unknown_patient").join(rows, on=PATIENT_KEY, how="semi").is_empty()
    assert (hit("swapped_dates")["collected_at"].str.slice(5, 2).cast(pl.Int64) > 12).all()


def test_a_lost_decimal_mark_makes_any_count_a_hundred_times_too_high(spoilt_counts):
    rows, spoilt = spoilt_counts
    index = (spoilt.places.filter(pl.col("kind") == "lost_decimal_mark")["line"] - 2).to_list()
    true, written = rows[index]["value"], spoilt.rows[index]["value"]
    assert (written.cast(pl.Int64) == (true.cast(pl.Float64) * 100).round()).all()
    assert (rows[index]["tlc_cells_per_ul"] < 500).any()


def test_the_correcting_rows_are_the_true_ones(spoilt_counts):
    rows, spoilt = spoilt_counts
    corrected = spoilt.places.filter(pl.col("kind") == "corrected_value")["line"] - 2
    assert_frame_equal(spoilt.corrections, rows[corrected.to_list()])
    assert (spoilt.rows[corrected.to_list()]["value"] != spoilt.corrections["value"]).all()


def test_swapped_dates_of_follow_up_put_progression_after_the_last_contact(large):
    spoilt = spoil(large.follow_up, source="follow_up", rng=np.random.default_rng(1))
    hit = spoilt.rows[(spoilt.places.filter(pl.col("kind") == "swapped_dates")["line"] - 2).to_list()]
    assert len(hit) == 100
    assert (hit["progression_date"] > hit["last_contact_date"]).all()
