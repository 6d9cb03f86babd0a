"""Data Docs can be read without a network, and hold nothing of a patient."""

import re
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from staged_rows import NIGHT, staged

from expectations.rules import FATAL_RULES, ROW_RULES
from expectations.validation import Audit, Validation, validate_rows, validate_tables, write_data_docs

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PLANTED = {
    "site": "PLANTED-SITE",
    "patient_id": "PLANTED-7781",
    "unit": "PLANTED-UNIT",
    "value": 0.73317,
    "tlc_cells_per_ul": 733_170.0,
    "collected_at": datetime(2061, 11, 23, 4, 5),
    "collected_on": date(2061, 11, 23),
    "is_known_patient": False,
}
WORDS_OF_PLANTED = ("PLANTED", "7781", "73317", "733170", "733,170", "2061")
VOID = {"meta", "link", "br", "wbr"}


def _checks() -> list[Validation | Audit]:
    counts = staged("counts", [{}, PLANTED, {"tlc_cells_per_ul": 12.0}])
    patients = staged("patients", [{}, {"patient_id": "PLANTED-7781"}])
    follow_up = staged("follow_up", [])
    tables = {"patients": patients, "counts": counts.head(1), "cohort": staged("cohort", [{}])}
    return [
        validate_rows("patients", patients, night=NIGHT),
        validate_rows("counts", counts, night=NIGHT),
        validate_rows("follow_up", follow_up, night=NIGHT),
        *validate_tables(tables, night=NIGHT, former_rows={"counts": 3}),
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("night") / "data_docs"
    write_data_docs(_checks(), folder)
    return folder


def _pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


class _Reader(HTMLParser):
    """Collects what a page loads and links to, and checks that its elements close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element and its addresses."""
        for name, value in attrs:
            if name in {"src", "href"}:
                (self.links if tag == "a" else self.loaded).append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert self.open.pop() == tag


def _readers(site: Path) -> Iterator[tuple[Path, _Reader]]:
    return ((page, _Reader(page.read_text("utf-8"))) for page in _pages(site))


def test_there_is_a_page_for_each_suite_and_each_result(site):
    suites = {"counts", "counts_published", "cohort_published", "follow_up", "patients", "patients_published"}
    assert {page.stem for page in (site / "expectations").iterdir()} == suites
    assert {page.name for page in (site / "validations").iterdir()} == suites
    assert len(_pages(site)) == 1 + 2 * len(suites)


def test_no_page_shows_a_value_or_an_identifier(site):
    files = [file for file in site.rglob("*") if file.is_file()]
    shown = {word for file in files for word in WORDS_OF_PLANTED if word in file.read_text("utf-8")}
    assert shown == set()


def test_pages_load_one_style_sheet_and_nothing_else(site):
    for page, reader in _readers(site):
        assert [address for address in reader.loaded if address != "data:,"] == [reader.loaded[-1]]
        assert (page.parent / reader.loaded[-1]).resolve() == (site / "static" / "data_docs.css").resolve()
        assert not re.search(r"<script|https?://|@import|url\(", page.read_text("utf-8"))
    assert not re.search(r"https?://|@import|url\(", (site / "static" / "data_docs.css").read_text("utf-8"))


def test_every_link_leads_to_a_page_of_the_site(site):
    for page, reader in _readers(site):
        assert [link for link in reader.links if not (page.parent / link).is_file()] == []


def test_pages_are_well_formed(site):
    assert all(not reader.open for _, reader in _readers(site))


def test_pages_name_no_path_of_this_machine(site):
    text = "".join(page.read_text("utf-8") for page in _pages(site))
    assert [
        place for place in (str(Path.cwd()), tempfile.gettempdir(), str(Path.home())) if place in text
    ] == []


@pytest.mark.parametrize(
    ("suite", "rules"),
    [(name, ROW_RULES[name]) for name in ("patients", "counts", "follow_up")]
    + [(f"{name}_published", FATAL_RULES[name]) for name in ("patients", "counts", "cohort")],
)
def test_both_pages_of_a_suite_tell_each_rule_with_reason_and_remedy(site, suite, rules):
    (result,) = (site / "validations" / suite).rglob("*.html")
    for page in (site / "expectations" / f"{suite}.html", result):
        text = page.read_text("utf-8").replace("<wbr>", "").replace("&#x27;", "'")
        missing = [
            rule.name for rule in rules for part in (rule.name, rule.reason, rule.remedy) if part not in text
        ]
        assert missing == []


def test_a_result_page_counts_what_broke_and_shows_it_first(site):
    (result,) = (site / "validations" / "counts").rglob("*.html")
    text = result.read_text("utf-8")
    assert "<h2>Broken rules (3)</h2>" in text
    assert text.index("counts_<wbr>patient_<wbr>is_<wbr>known") < text.index("<h2>Rules that hold")
    assert "33.33% of 3 total rows" in text


def test_the_index_counts_rows_rules_and_broken_rules(site):
    text = re.sub(r"<[^>]+>", " ", (site / "index.html").read_text("utf-8"))
    assert "Data Docs of the night 2024-06-30" in text
    assert re.search(rf"Broken\s+counts\s+3\s+{len(ROW_RULES['counts'])}\s+3\s", text)
    assert re.search(rf"Holds\s+follow_up\s+0\s+{len(ROW_RULES['follow_up'])}\s+0\s", text.replace("_ ", "_"))


def test_the_same_night_again_gives_the_same_bytes(site, tmp_path):
    write_data_docs(_checks(), tmp_path)
    again = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert again == {file.relative_to(site): file.read_bytes() for file in site.rglob("*") if file.is_file()}


def test_a_site_replaces_the_one_before(tmp_path):
    checks = _checks()
    write_data_docs(checks, tmp_path)
    write_data_docs(checks[:1], tmp_path)
    assert {page.stem for page in _pages(tmp_path)} == {"index", "patients", "batch-1"}


def test_a_night_without_tables_has_an_index(tmp_path):
    assert "0 rules were checked" in write_data_docs([], tmp_path).read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_clicks_from_the_index_to_a_result_without_a_word_from_elsewhere(site, tmp_path, width):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(tmp_path), executable_path=str(CHROMIUM), args=FLAGS, viewport={"width": width, "height": 800}
        )
        page = context.new_page()
        complaints: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.get_by_role("link", name="counts", exact=True).click()
        assert page.get_by_role("heading", level=1).inner_text().startswith("counts")
        assert page.get_by_text("counts_patient_is_known").is_visible()
        page.get_by_role("link", name="All rules of counts").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Rules of counts"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("link", name="Data Docs").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Data Docs of the night 2024-06-30"
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []
