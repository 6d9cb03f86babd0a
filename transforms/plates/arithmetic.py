"""What a plate's own numbers must satisfy, before anything is fitted: rules P01 to P08, P11 to P14 and P16.

Here: P03 to P05; the rest comes from `run_record`, `ladder` and `result_arithmetic`. Not here: rules that
need our own fit (`transforms.plates.quality`). Called by the night and by `nadir plate`.
"""

import polars as pl

from transforms.plates.findings import PlateRule
from transforms.plates.ladder import check_ladder
from transforms.plates.printed_numbers import PRINTED_TOLERANCE, by_analyte, number, plain_sample, rounding
from transforms.plates.result_arithmetic import check_results
from transforms.plates.run_record import check_run_record
from transforms.xponent.reader import XponentPlate

_EXPORT_AGAIN = "Export the batch again from xPONENT and do not change it."

EXPECTED_GIVEN = PlateRule(
    code="P03",
    rule="every_standard_has_an_expected_concentration",
    severity="told",
    expected="an expected concentration above zero or of zero for each standard and analyte",
    remedy="Enter it in the protocol, analyse the batch again and export it again.",
)
NET_MEDIANS = PlateRule(
    code="P04",
    rule="net_medians_are_medians_less_background",
    severity="not used",
    expected="Net MFI = Median - mean of the background wells",
    remedy=_EXPORT_AGAIN,
)
AVERAGES = PlateRule(
    code="P05",
    rule="averages_follow_from_their_wells",
    severity="told",
    expected="the mean of the wells; %CV = 100 x standard deviation / mean of the Results",
    remedy=_EXPORT_AGAIN,
)
# Some instruments compute in single precision: seven digits.
_SINGLE_PRECISION = 2e-7


def check_arithmetic(plate: XponentPlate) -> pl.DataFrame:
    """Return every rule of a plate's file that is broken, in the order of their codes.

    Each number is compared to the precision it is printed with. Where several wells of an analyte break a
    rule together, one finding names them. Returns schema `PLATE_FINDING_SCHEMA`.
    """
    wells = plate.wells.with_columns(result=number(pl.col("instrument_result")))
    findings = pl.concat(
        [
            check_run_record(plate),
            check_ladder(plate.standards, plate.wells),
            EXPECTED_GIVEN.findings(_without_expected(plate)),
            NET_MEDIANS.findings(_net_medians(wells)),
            AVERAGES.findings(_averages(plate, wells)),
            check_results(plate),
        ]
    )
    key = ["code", "place", "analyte"]
    return findings.unique(key, keep="first", maintain_order=True).sort("code", maintain_order=True)


def _without_expected(plate: XponentPlate) -> pl.DataFrame:
    unlisted = plate.wells.filter(_is_like_a_listed_standard(plate)).unique("well", maintain_order=True)
    missing = plate.wells.filter((pl.col("kind") == "standard") & pl.col("expected_concentration").is_null())
    return pl.concat(
        [
            missing.select(
                place=pl.format("standard {}", "sample"),
                analyte="analyte",
                found=pl.lit("no expected concentration"),
            ).unique(maintain_order=True),
            unlisted.select(
                place="well",
                analyte=pl.lit(None, dtype=pl.String),
                found=pl.lit("a standard by its name, which the list of standards lacks"),
            ),
        ]
    )


def _is_like_a_listed_standard(plate: XponentPlate) -> pl.Expr:
    stems = {"".join(c for c in name.casefold() if c.isalpha()) for name in plate.standards["sample"]}
    stem = pl.col("sample").str.to_lowercase().str.replace_all(r"\P{L}", "")
    is_numbered = pl.col("sample").str.contains(r"^(?i)(standard|std|calibrator|cal)\D*\d+\s*$")
    return (pl.col("kind") == "unknown") & is_numbered & stem.is_in(list(stems))


def _net_medians(wells: pl.DataFrame) -> pl.DataFrame:
    """Return the wells and analytes whose Net MFI is not the median less the background.

    A well of a sample is not used itself. A standard's makes its curve doubtful, and a background that is
    not the mean of the background wells shifts all: then the analyte is not used. Where the plate has no
    background wells, what was taken off is only told, since the curve takes up what is the same everywhere.
    """
    measured = _with_background(
        wells.filter(pl.col("median_fi").is_not_null() & pl.col("net_mfi").is_not_null())
    )
    off = measured.filter((pl.col("taken_off") - pl.col("reference")).abs() > pl.col("tolerance"))
    return pl.concat([_shifted(measured), _off_standards(off), _off_wells(off)])


def _with_background(wells: pl.DataFrame) -> pl.DataFrame:
    is_background = pl.col("kind") == "background"
    exact = pl.col("median_fi") - pl.col("background")
    is_as_said = (pl.col("taken_off") - pl.col("background")).abs() <= pl.col("tolerance")
    return (
        wells.with_columns(
            has_background=is_background.any(),
            background=pl.col("median_fi").filter(is_background).mean().over("analyte").fill_null(0.0),
            taken_off=pl.col("median_fi") - pl.col("net_mfi"),
        )
        .with_columns(
            tolerance=rounding(pl.col("net_mfi"), exact)
            + _SINGLE_PRECISION * pl.max_horizontal(pl.col("median_fi", "net_mfi", "background").abs())
            + 1e-9
        )
        .with_columns(is_shifted=is_as_said.mean().over("analyte") < 0.5)
        .with_columns(
            reference=pl.when("is_shifted")
            .then(pl.col("taken_off").median().over("analyte"))
            .otherwise("background"),
            tolerance=pl.when("is_shifted").then(2 * pl.col("tolerance")).otherwise("tolerance"),
        )
    )


def _shifted(measured: pl.DataFrame) -> pl.DataFrame:
    return (
        measured.filter("is_shifted")
        .unique("analyte", maintain_order=True)
        .select(
            place=pl.lit(None, dtype=pl.String),
            analyte="analyte",
            found=pl.when("has_background")
            .then(pl.lit("another background than the mean of the background wells, in most wells"))
            .otherwise(pl.lit("a background taken off, and no wells named Background")),
            severity=pl.when("has_background").then(pl.lit("not used")).otherwise(pl.lit("told")),
        )
    )


def _off_standards(off: pl.DataFrame) -> pl.DataFrame:
    found = "Median and Net MFI of standards that contradict each other: {}"
    return by_analyte(off.filter(pl.col("kind") == "standard"), found).with_columns(
        place=pl.lit("standards"), severity=pl.lit("not used")
    )


def _off_wells(off: pl.DataFrame) -> pl.DataFrame:
    is_sample = pl.col("kind") == "unknown"
    return off.filter(pl.col("kind") != "standard").select(
        place="well",
        analyte="analyte",
        found=pl.lit("Median and Net MFI that contradict each other"),
        severity=pl.when(is_sample).then(pl.lit("not used")).otherwise(pl.lit("told")),
    )


def _averages(plate: XponentPlate, wells: pl.DataFrame) -> pl.DataFrame:
    averages = (
        plate.averages.with_columns(plain=plain_sample(pl.col("sample")))
        # A name that stands for two samples has two averages, which cannot be told apart.
        .filter(
            pl.col("sample").is_first_distinct().over("plain", "analyte"),
            pl.len().over("plain", "analyte") == 1,
        )
        .drop("sample")
    )
    both = _from_wells(wells).join(averages, on=["plain", "analyte"], maintain_order="left")
    parts = []
    for name, printed, exact in (
        ("Avg Net MFI", pl.col("avg_net_mfi"), pl.col("mean_net")),
        ("Avg Result", number(pl.col("avg_result")), pl.col("mean_result")),
        ("%CV Replicates", pl.col("cv_percent"), pl.col("cv_of_results")),
    ):
        tolerance = rounding(printed, exact) + PRINTED_TOLERANCE * exact.abs() + 1e-9
        off = both.filter((printed - exact).abs() > tolerance).explode("well")
        parts.append(by_analyte(off, name + " that does not follow from {}").with_columns(place=pl.lit(name)))
    same = both.filter(
        (pl.col("n_printed") == 1)
        & (pl.col("mean_result").is_null())
        & (pl.col("avg_result") != pl.col("any_result"))
    ).explode("well")
    limits = by_analyte(same, "Avg Result that is not the limit of {}")
    return pl.concat([*parts, limits.with_columns(place=pl.lit("Avg Result, limits"))])


def _from_wells(wells: pl.DataFrame) -> pl.DataFrame:
    all_numbers = pl.col("result").null_count() == 0
    return (
        wells.filter(pl.col("kind") != "background")
        .with_columns(plain=plain_sample(pl.col("sample")))
        .group_by("plain", "analyte", maintain_order=True)
        .agg(
            "well",
            mean_net=pl.when(pl.col("net_mfi").null_count() == 0).then(pl.col("net_mfi").mean()),
            mean_result=pl.when(all_numbers).then(pl.col("result").mean()),
            cv_of_results=pl.when(all_numbers & (pl.len() > 1)).then(
                100 * pl.col("result").std() / pl.col("result").mean()
            ),
            n_printed=pl.col("instrument_result").n_unique(),
            any_result=pl.col("instrument_result").first(),
        )
    )
