"""The landing folder: which files are there, what each is for, and what should not be there.

Here: listing and reading, byte for byte. Not here: what the bytes mean (`transforms`). Nothing in the
landing folder is ever changed, moved or deleted. Called by `flows.steps`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from transforms.errors import UsageError
from transforms.findings import Finding
from transforms.landed_csv import count_records

SOURCES = ("patients", "counts", "follow_up", "toxicities", "plates")
LAYOUT_SUFFIX = ".layout.csv"
# What the simulator writes beside the folders: who made the data, what is true of them, planted faults.
ORIGIN_FILE = "origin.json"
_BESIDE_THE_FOLDERS = (ORIGIN_FILE, "truth.json", "faults.csv")


@dataclass(frozen=True)
class LandedFile:
    """A file of one source; for a plate, `layout` is the layout beside it."""

    source: str
    path: Path
    layout: Path | None = None

    @property
    def name(self) -> str:
        """The file as people know it: folder and name."""
        return f"{self.source}/{self.path.name}"

    def read(self) -> "LandedBytes":
        """Read the file, and its layout with it. Raises `OSError`."""
        return LandedBytes(self, self.path.read_bytes(), self.layout.read_bytes() if self.layout else None)


@dataclass(frozen=True)
class LandedBytes:
    """The content of a landed file, known by its hash."""

    file: LandedFile
    content: bytes
    layout: bytes | None = None

    @property
    def name_of_lines(self) -> str:
        """The file that lines are counted in: a plate's lines are those of its layout."""
        layout = self.file.layout
        return self.file.name if layout is None else f"{self.file.source}/{layout.name}"

    @property
    def n_rows(self) -> int:
        """Rows of the file, counted from the bytes alone; a plate's rows are those of its layout."""
        return count_records(self.content if self.layout is None else self.layout)

    @property
    def file_id(self) -> str:
        """sha256 of the content; for a plate, of the export and its layout together."""
        digest = hashlib.sha256(self.content)
        if self.layout is not None:
            digest.update(b"\x00layout\x00" + self.layout)
        return digest.hexdigest()


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
    for path in entries:
        finding = _not_a_csv_file(path) or (_unpaired(path) if source == "plates" else None)
        if finding:
            refused.append((source, f"{source}/{path.name}", finding))
        elif source != "plates":
            accepted.append(LandedFile(source, path))
        elif not path.name.endswith(LAYOUT_SUFFIX):
            accepted.append(LandedFile(source, path, layout=path.with_name(path.stem + LAYOUT_SUFFIX)))
    return accepted, refused


def _not_a_csv_file(path: Path) -> Finding | None:
    if path.is_file() and path.suffix.lower() == ".csv":
        return None
    return Finding(
        rule="entry_is_a_csv_file",
        found="a directory" if path.is_dir() else "a file of another kind",
        expected="a CSV file, its name ending in .csv",
        remedy="Put the files themselves here, as CSV",
    )


def _unpaired(path: Path) -> Finding | None:
    if path.name.endswith(LAYOUT_SUFFIX):
        partner = path.with_name(path.name.removesuffix(LAYOUT_SUFFIX) + ".csv")
        found, expected = "a layout without its plate", "the instrument's export beside it, NAME.csv"
    else:
        partner = path.with_name(path.stem + LAYOUT_SUFFIX)
        found, expected = "a plate without its layout", "a layout beside it, NAME.layout.csv"
    if partner.is_file():
        return None
    return Finding(
        rule="plate_has_its_layout",
        found=found,
        expected=expected,
        remedy="Put the missing file beside it; the next night loads both",
    )
