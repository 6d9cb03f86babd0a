"""The landing folder: which files are there, what each is for, and what should not be there.

Here: listing. Not here: reading (`flows.landed`), what the bytes mean (`transforms`). Nothing in the landing
folder is ever changed, moved or deleted. Called by `flows.steps`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.landed import LandedFile
from transforms.errors import UsageError
from transforms.findings import Finding

SOURCES = ("patients", "counts", "follow_up", "toxicities", "plates", "redcap")
# Endings of a source's files, where they are not .csv alone.
ENDINGS: Mapping[str, tuple[str, ...]] = {"counts": (".csv", ".ndjson", ".jsonl", ".json", ".parquet")}
# What the simulator writes beside the folders: who made the data, what is true of them, planted faults.
ORIGIN_FILE = "origin.json"
_BESIDE_THE_FOLDERS = (ORIGIN_FILE, "truth.json", "faults.csv")


@dataclass(frozen=True)
class Companion:
    """A file that stands beside another: NAME and one of `endings`, beside NAME.csv."""

    role: str
    endings: tuple[str, ...]
    words: str
    is_required: bool = True


LAYOUT_SUFFIX = ".layout.csv"
COMPANIONS: Mapping[str, tuple[Companion, ...]] = {
    "plates": (
        Companion("layout", (LAYOUT_SUFFIX,), "a layout"),
        Companion("exclusions", (".exclusions.csv",), "exclusions", is_required=False),
    ),
    "counts": (
        Companion("person", (".person.csv", ".person.parquet"), "an OMOP PERSON table", is_required=False),
    ),
    "redcap": (
        Companion("dictionary", (".dictionary.csv",), "a data dictionary"),
        Companion("mapping", (".mapping.toml",), "a mapping file"),
    ),
}
_MAIN_FILE = {
    "plates": "the instrument's export beside it, NAME.csv",
    "counts": "the MEASUREMENT table beside it, NAME.csv or NAME.parquet",
    "redcap": "the project's raw export beside it, NAME.csv",
}
# OMOP's own names of the two tables are taken as well.
_MEASUREMENT, _PERSON = re.compile("measurement", re.IGNORECASE), re.compile("person", re.IGNORECASE)


@dataclass(frozen=True)
class Listing:
    """What stands in the landing folder: files by source, and what is no file of ours."""

    files: tuple[LandedFile, ...]
    refused: tuple[tuple[str, str, Finding], ...]

    def of(self, source: str) -> tuple[LandedFile, ...]:
        """The files of one source in the order they came: by time of change, then by name."""
        return tuple(file for file in self.files if file.source == source)


def list_landing(landing: Path) -> Listing:
    """List a landing folder. Raises `UsageError` where there is no such folder."""
    if not landing.is_dir():
        found = "a file" if landing.exists() else "nothing"
        raise UsageError(
            f"{landing}: expected a landing folder, found {found}. Name the folder that holds "
            f"{', '.join(f'{source}/' for source in SOURCES)} with --landing."
        )
    files: list[LandedFile] = []
    refused = [_stranger(path) for path in _visible(landing) if _is_stranger(path)]
    for source in SOURCES:
        entries = _visible(landing / source) if (landing / source).is_dir() else []
        accepted, wrong = _sort_out(source, entries)
        files += accepted
        refused += wrong
    return Listing(tuple(files), tuple(refused))


def _visible(folder: Path) -> list[Path]:
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(entries, key=lambda path: (path.lstat().st_mtime_ns, path.name))


def _is_stranger(path: Path) -> bool:
    return not (path.is_dir() and path.name in SOURCES) and path.name not in _BESIDE_THE_FOLDERS


def _stranger(path: Path) -> tuple[str, str, Finding]:
    return (
        "",
        path.name,
        Finding(
            rule="landing_holds_only_known_folders",
            found="a folder that no source reads" if path.is_dir() else "a file outside the sources' folders",
            expected=f"only the folders {', '.join(SOURCES)}",
            remedy="Move it into the folder that it belongs to, or away",
        ),
    )


def _sort_out(source: str, entries: list[Path]) -> tuple[list[LandedFile], list[tuple[str, str, Finding]]]:
    accepted: list[LandedFile] = []
    refused: list[tuple[str, str, Finding]] = []
    files = [path for path in entries if path.is_file()]
    by_name = {path.name: path for path in files}
    beside = {path: _beside(source, path, by_name) for path in files}
    companions = {path for found in beside.values() for path in found.values()}
    for path in entries:
        finding = None if path in companions else _refusal(source, path, beside.get(path, {}))
        if finding:
            refused.append((source, f"{source}/{path.name}", finding))
        elif path not in companions:
            accepted.append(LandedFile(source, path, beside[path]))
    return accepted, refused


def _beside(source: str, path: Path, by_name: Mapping[str, Path]) -> dict[str, Path]:
    """Return the companions of a file by role; a companion has none."""
    if _companion_of(source, path) is not None:
        return {}
    found = {}
    for companion in COMPANIONS.get(source, ()):
        names = [path.stem + ending for ending in companion.endings]
        if companion.role == "person" and _MEASUREMENT.search(path.stem):
            names += [_MEASUREMENT.sub(_as_spelt, path.stem) + ending for ending in (".csv", ".parquet")]
        partner = next((by_name[name] for name in names if name in by_name), None)
        if partner is not None:
            found[companion.role] = partner
    return found


def _as_spelt(measurement: re.Match[str]) -> str:
    return "PERSON" if measurement[0].isupper() else "person" if measurement[0].islower() else "Person"


def _companion_of(source: str, path: Path) -> Companion | None:
    for companion in COMPANIONS.get(source, ()):
        if path.name.endswith(companion.endings):
            return companion
        if companion.role == "person" and _PERSON.fullmatch(path.stem):
            return companion
    return None


def _refusal(source: str, path: Path, beside: Mapping[str, Path]) -> Finding | None:
    companion = _companion_of(source, path)
    if companion is not None:
        return _unpaired(found=f"{companion.words} without its file", expected=_MAIN_FILE[source])
    endings = ENDINGS.get(source, (".csv",))
    if not path.is_file() or path.suffix.lower() not in endings:
        return _not_a_landing_file(path, endings)
    missing = [one for one in COMPANIONS.get(source, ()) if one.is_required and one.role not in beside]
    if not missing:
        return None
    words = " and ".join(one.words for one in missing)
    names = " and ".join(f"NAME{one.endings[0]}" for one in missing)
    return _unpaired(found=f"a file without {words}", expected=f"{words} beside it, {names}")


def _not_a_landing_file(path: Path, endings: tuple[str, ...]) -> Finding:
    words = "a CSV file, its name ending in .csv" if endings == (".csv",) else f"a file: {', '.join(endings)}"
    return Finding(
        rule="entry_is_a_file_of_its_source",
        found="a directory" if path.is_dir() else "a file of another kind",
        expected=words,
        remedy="Put the files themselves here",
    )


def _unpaired(*, found: str, expected: str) -> Finding:
    return Finding(
        rule="file_has_its_companions",
        found=found,
        expected=expected,
        remedy="Put the missing file beside it; the next night loads both",
    )
