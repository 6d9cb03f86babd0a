"""The report: a page that stands alone, says where its data come from, and shows no patient."""

import json
import os
import re
import shutil
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from flows.report.context import PredictorReport, ReportContext
from flows.report.figures import ReportFigure, draw_figures
from flows.report.page import TEMPLATES, study_files, write_nights_index, write_report
from models.prediction.performance import calibration_points, estimate_performance
from models.promotion import Decision, Verdict, judge
from models.roc import estimate_roc
from models.study.analyses import estimate_study
from tests.models.study_data import QUICK, study_data
from tests.models.synthetic_cohort import make_cohort
from tests.transforms.guard_rows import guard_rows
from transforms.quarantine_tables import SUMMARY_SCHEMA

SOURCES = pl.DataFrame(
    {"source": ["patients", "counts"], "files": [1, 3], "rows_in": [98, 1204]}
    | {"loaded": [98, 1180], "unchanged": [0, 4], "quarantined": [0, 20]}
)
HOSTILE = "<script>alert(1)</script>.csv"
QUARANTINE = pl.DataFrame(
    [
        ("counts", "week_12.csv", "unit_is_known", 20, "cells/uL or G/L", "Ask the laboratory for the unit."),
        ("plates", HOSTILE, "file_is_whole", None, "a line -- CRC -- at the end", "Export the plate again."),
    ],
    schema=SUMMARY_SCHEMA,
    orient="row",
)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def make_predictor(cohort: pl.DataFrame) -> PredictorReport:
    has_asl = cohort["has_asl"].to_numpy().astype(bool)
    noise = np.random.default_rng(1).normal(0, 1, cohort.height)
    probability = 1 / (1 + np.exp(-(noise + 1.2 * has_asl - 0.6)))
    performance = estimate_performance(has_asl, probability)
    return PredictorReport(
        cross_validated=performance,
        apparent_auc=0.91,
        calibration=calibration_points(has_asl, probability),
        roc=estimate_roc(probability, has_asl).points,
        out_of_fold=pl.DataFrame({"has_asl": has_asl, "probability": probability}),
        coefficients=pl.DataFrame(
            {"feature": ["ptv_cm3"], "log_odds_ratio_per_sd": [np.log(2.0)], "n_unknown": [3]}
        ),
        verdict=judge(performance, None),
        champion="version 3, since 2025-11-20",
    )


def make_context(n_patients: int = 98, **changes: object) -> ReportContext:
    cohort, monthly_counts = make_cohort(max(n_patients, 1))
    cohort = cohort.head(n_patients)
    monthly_counts = monthly_counts.join(cohort, on=["site", "patient_id"], how="semi")
    study = estimate_study(study_data(cohort, monthly_counts), QUICK)
    context = ReportContext(
        night=date(2025, 11, 23),
        origin="simulated",
        status="published",
        cohort=cohort,
        monthly_counts=monthly_counts,
        estimates=study.estimates,
        survival_curves=study.survival_curves,
        numbers_at_risk=study.numbers_at_risk,
        roc_points=study.roc_points,
        sources=SOURCES,
        quarantine=QUARANTINE,
        timings={"load_and_validate": 3.2, "analyse": 0.8},
        predictor=make_predictor(cohort) if n_patients >= 20 else None,
    )
    return replace(context, **changes)


def make_empty_context() -> ReportContext:
    return make_context(
        0,
        sources=SOURCES.clear(),
        quarantine=QUARANTINE.clear(),
        timings={},
        predictor=None,
        predictor_note="ASL predictor: nobody to learn from.",
    )


def write(context: ReportContext, folder: Path) -> str:
    return write_report(context, draw_figures(context), folder).read_text("utf-8")


def write_page_alone(context: ReportContext, folder: Path) -> str:
    """Without figures of its own, for what stands in the page's words and tables."""
    figure = ReportFigure("any", b"<svg/>", alt="", caption="")
    return write_report(context, defaultdict(lambda: figure), folder).read_text("utf-8")


@dataclass(frozen=True)
class Tag:
    name: str
    attributes: dict[str, str | None]


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Tag] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append(Tag(tag, dict(attrs)))

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [tag.attributes for tag in self.found if tag.name == name]


@pytest.fixture(scope="module")
def context():
    return make_context()


@pytest.fixture(scope="module")
def folder(context, tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "report"
    write(context, folder)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text("utf-8")


@pytest.fixture(scope="module")
def tags(page):
    return Tags(page)


def shown(page: str) -> str:
    """The words of a page, as a reader sees them."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_page_names_its_night_and_answers_first_questions_at_the_top(page, context):
    words = shown(page)
    n_asl = context.cohort["has_asl"].sum()
    top = words[: words.index("What came in Rows by source")]
    for said in (
        "Night of 23 November 2025",
        "Published",
        "Patients 98",
        f"{n_asl} (",
        "Hazard ratio of death, ASL",
    ):
        assert said in top
    assert "version 3, since 2025-11-20" in top
    assert "Rows loaded 1,278 4 unchanged, 20 in quarantine" in top


def test_simulated_data_say_so_on_top_in_the_title_and_with_every_figure(page, folder, tags):
    stamp = "Simulated data: no real patient"
    assert shown(page).index(stamp) < shown(page).index("Night of")
    assert "no real patient" in re.search("<title>(.*?)</title>", page).group(1)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, flags=re.DOTALL)
    assert len(captions) == len(tags.of("img")) == 18
    assert all(stamp in caption for caption in captions)
    assert all(stamp in file.read_text("utf-8") for file in (folder / "figures").glob("*.svg"))


def test_landed_data_are_never_called_simulated(tmp_path, context):
    page = write(replace(context, origin="landed"), tmp_path)
    assert "imulated" not in page
    assert not any("imulated" in file.read_text("utf-8") for file in (tmp_path / "figures").glob("*.svg"))


def test_the_same_night_gives_the_same_bytes(context, folder, tmp_path):
    write(context, tmp_path)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) == 1 + 19 + 2 * 34
    assert all((tmp_path / file).read_bytes() == (folder / file).read_bytes() for file in files)


def test_the_order_of_the_patients_changes_nothing(context, folder, tmp_path):
    write(
        replace(context, cohort=context.cohort.reverse(), monthly_counts=context.monthly_counts.reverse()),
        tmp_path,
    )
    assert (tmp_path / "index.html").read_bytes() == (folder / "index.html").read_bytes()
    for figure in (folder / "figures").glob("*.svg"):
        assert (tmp_path / "figures" / figure.name).read_bytes() == figure.read_bytes()


def test_no_identifier_of_a_patient_or_site_is_anywhere(tmp_path, context):
    planted = {"site": pl.lit("PLANTEDSITE"), "patient_id": "PLANTED" + pl.col("patient_id")}
    write(
        replace(
            context,
            cohort=context.cohort.with_columns(**planted),
            monthly_counts=context.monthly_counts.with_columns(**planted),
        ),
        tmp_path,
    )
    assert not any("PLANTED" in file.read_text("utf-8") for file in tmp_path.rglob("*") if file.is_file())


def test_what_files_are_called_cannot_become_part_of_the_page(page):
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.csv" in page


def test_the_page_needs_nothing_from_elsewhere(page, folder, tags):
    assert tags.of("script") == []
    assert [link["href"] for link in tags.of("link")] == ["data:,"]
    assert all((folder / image["src"]).is_file() for image in tags.of("img"))
    assert not re.search(r"url\(|@import|https?://", page)


def test_every_image_says_in_words_what_it_shows(tags):
    told = [image["alt"] for image in tags.of("img")]
    assert all(len(alt) > 30 for alt in told)
    assert len(set(told)) == len(told)


def test_every_link_within_the_page_has_a_target(tags):
    targets = {tag.attributes["id"] for tag in tags.found if "id" in tag.attributes}
    inner = [link["href"][1:] for link in tags.of("a") if link["href"].startswith("#")]
    assert len(inner) == 13
    assert set(inner) <= targets


def test_every_table_has_a_caption_and_every_heading_cell_a_scope(page, tags):
    assert len(tags.of("table")) == len(tags.of("caption")) > 14
    assert all("scope" in cell for cell in tags.of("th"))


def test_every_table_and_figure_of_the_study_is_a_file_under_the_studys_own_number(folder):
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    tables = {re.match(r"tables/table_(\w+?)_.*\.(csv|html)", file) for file in files}
    figures = {re.match(r"figures/figure_(\w+?)_.*\.svg", file) for file in files}
    numbers = {"1", "2", "3", "4", "s1", "s2"}
    assert {(one[1], one[2]) for one in tables if one} == {
        (n, end) for n in numbers for end in ("csv", "html")
    }
    assert sorted(one[1] for one in figures if one) == [f"{n}{letter}" for n in "12" for letter in "abcde"]


def test_files_for_mlflow_are_the_studys_alone_and_the_same_that_stand_beside_the_report(context, folder):
    files = study_files(context, draw_figures(context))
    assert all((folder / name).read_bytes() == content for name, content in files.items())
    beside = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    left_out = {Path(name).stem for name in beside - set(files)}
    assert left_out == {
        *(
            "index",
            "rows_by_source",
            "rows_in_quarantine_by_rule",
            "files_refused",
            "how_long_each_step_took",
        ),
        *("predictor_performance", "predictor_gates", "predictor_inputs"),
        *("predictor_roc", "predictor_calibration"),
    }


def test_a_table_alone_needs_nothing_else_and_says_that_its_patients_are_invented(folder):
    for file in (folder / "tables").glob("*.html"):
        page = file.read_text("utf-8")
        assert "Simulated data: no real patient" in shown(page)
        assert not re.search(r"url\(|@import|https?://|<script|<img", page)
    for file in (folder / "tables").glob("table_*.csv"):
        rows = pl.read_csv(file)
        assert rows["Data"].unique().to_list() == ["Simulated data: no real patient"]


def without_guards(estimates: pl.DataFrame) -> pl.DataFrame:
    guards = guard_rows().filter(pl.col("analysis") != "logit_asl_liver_dose")["analysis"].unique().to_list()
    return estimates.filter(~pl.col("analysis").is_in(guards))


def test_guards_stand_in_a_section_of_their_own_with_a_warning_at_the_top(tmp_path, context):
    estimates = pl.concat([without_guards(context.estimates), guard_rows()])
    words = shown(write_page_alone(replace(context, estimates=estimates), tmp_path))
    trust = words[words.index("How far to trust these numbers The tables above") :]
    assert re.search(r"\d+ warnings about the study's ratios", words[: words.index("What came in Rows by")])
    assert "What to know before quoting them" in trust
    for said in (
        "Death, ASL against none 2.16 (1.33–3.51) 1.70 (1.33–3.51) 0.002 0.040 – ASL from the day it began",
        "0.41 (1.33–3.51) 0.55 (1.33–3.51) 0.040 0.110 0.120 Alive at 2 months, counted from there",
        "AUC 0.810 0.090 0.720 0.700 150 200",
        "a too few",
    ):
        assert said in trust


def test_a_night_whose_guards_are_silent_has_no_warning_and_says_what_was_not_made(tmp_path, context):
    silent = without_guards(context.estimates).filter(pl.col("analysis") != "logit_asl_liver_dose")
    words = shown(write_page_alone(replace(context, estimates=silent), tmp_path))
    assert "warning" not in words
    assert "Not made tonight: Immortal time;" in words


def test_headings_go_down_one_level_at_a_time(tags):
    levels = [int(tag.name[1]) for tag in tags.found if re.fullmatch(r"h[1-6]", tag.name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_quarantine_is_shown_by_rule_with_its_remedy_and_refused_files_by_name(page):
    words = shown(page)
    assert "unit is known Lymphocyte counts 20 1 cells/uL or G/L Ask the laboratory for the unit." in words
    assert "file is whole a line -- CRC -- at the end Export the plate again." in words


def test_a_null_estimate_is_shown_with_its_reason(tmp_path, context):
    estimates = context.estimates.with_columns(
        pl.when(pl.col("variable") == "female").then(None).otherwise("value").alias("value"),
        pl.when(pl.col("variable") == "female")
        .then(pl.lit("Not estimated: no woman died"))
        .otherwise("definition")
        .alias("definition"),
    )
    words = shown(write_page_alone(replace(context, estimates=estimates), tmp_path))
    assert "Female (vs male) a n.e. n.e." in words
    assert "a Univariate: no woman died" in words


def test_a_held_predictor_says_which_gate_is_closed(tmp_path, context):
    held = judge(replace(context.predictor.cross_validated, auc=0.4), None)
    assert held.decision is Decision.HOLD
    words = shown(
        write_page_alone(replace(context, predictor=replace(context.predictor, verdict=held)), tmp_path)
    )
    assert "Held back. Champion: version 3" in words
    assert held.reasons[0] in words.replace("&#39;", "'")


def test_a_predictor_without_a_verdict_is_still_shown(tmp_path, context):
    words = shown(
        write_page_alone(replace(context, predictor=replace(context.predictor, verdict=None)), tmp_path)
    )
    assert "No verdict was reached tonight." in words
    assert "Promoted" not in words
    assert isinstance(context.predictor.verdict, Verdict)


def test_the_cross_validated_number_stands_before_the_apparent_one(page, context):
    auc = f"{context.predictor.cross_validated.auc:.2f}"
    assert re.search(rf"AUC \(95% CI\) {auc} \([\d. to]+\) 0\.91", shown(page))


def test_a_night_without_patients_is_a_page_that_says_so(tmp_path):
    words = shown(write(make_empty_context(), tmp_path))
    assert "Patients 0" in words
    assert "No file was refused." in words
    assert words.count("nobody to learn from") == 2
    assert "nan" not in words.lower().split()


@pytest.mark.parametrize("n_patients", [1, 2, 5])
def test_a_handful_of_patients_is_a_page_too(tmp_path, n_patients):
    words = shown(write(make_context(n_patients, predictor=None), tmp_path))
    assert f"Patients {n_patients} " in words
    assert "n.e." in words


def test_nights_are_listed_the_latest_first_with_a_link_where_there_is_a_report(tmp_path):
    for night, status in (("2025-11-21", "published"), ("2025-11-22", "failed")):
        (tmp_path / night).mkdir()
        summary = {"status": status, "headline": f"Night {night} <is> {status}"}
        (tmp_path / night / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "2025-11-21" / "report").mkdir()
    (tmp_path / "2025-11-21" / "report" / "index.html").touch()
    page = write_nights_index(tmp_path).read_text("utf-8")
    words = shown(page)
    assert words.index("22 November 2025") < words.index("21 November 2025")
    assert "Night 2025-11-22 &lt;is&gt; failed" in words
    assert [link["href"] for link in Tags(page).of("a")] == ["2025-11-21/report/index.html"]


def test_a_home_without_nights_has_an_index_that_says_so(tmp_path):
    assert "No night has run yet." in shown(write_nights_index(tmp_path / "nights").read_text("utf-8"))


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_text_stands_out_from_its_ground_by_at_least_four_and_a_half_to_one():
    css = (TEMPLATES / "page.css").read_text("utf-8")
    schemes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ][:2]
    assert [scheme["paper"] for scheme in schemes] == ["#ffffff", "#14191e"]
    for scheme in schemes:
        grounds = {
            "ink": ("paper", "caution"),
            "muted": ("paper",),
            "link": ("paper", "caution"),
            "good": ("paper",),
            "bad": ("paper",),
        }
        for text, on in grounds.items():
            for ground in on:
                dark, light = sorted(_luminance(scheme[name]) for name in (text, ground))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, scheme[text])


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_browser_shows_the_page_without_a_word_from_elsewhere(folder, tmp_path, width, scheme):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip("no chromium on the path")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch_persistent_context(
            str(tmp_path), executable_path=CHROMIUM, args=FLAGS, color_scheme=scheme, offline=True,
            viewport={"width": width, "height": 800},
        )  # fmt: skip
        page = browser.new_page()
        complaints: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "index.html").as_uri())
        assert page.title() == "Nadir, night of 23 November 2025 (no real patient)"
        assert page.get_by_role("heading", level=1).inner_text() == "Night of 23 November 2025"
        assert page.evaluate(
            "[...document.images].every(image => image.complete && image.naturalWidth > 300)"
        )
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("navigation").get_by_role("link", name="Survival").click()
        assert page.get_by_role("heading", name="Survival", exact=True).is_visible()
        assert page.get_by_role("table", name="Overall survival: Cox regression").is_visible()
        page.emulate_media(media="print")
        assert not page.get_by_role("navigation").is_visible()
        browser.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((folder.as_uri(), "data:"))] == []
