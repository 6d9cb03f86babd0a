"""A landed file's bytes: known by their hash, whole or in pieces.

Here: reading, byte for byte. Not here: which files there are (`flows.landing`), what the bytes mean
(`transforms`). Called by the loaders.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from transforms.errors import WorldError
from transforms.landed_csv import count_records

# A file of more bytes is not held in memory whole where its lines can be read one after the other.
MOST_BYTES_HELD = 64 * 1024 * 1024
LINES = (".ndjson", ".jsonl")


@dataclass(frozen=True)
class LandedFile:
    """A file of one source, and by role what stands beside it: a plate's layout, a project's dictionary."""

    source: str
    path: Path
    beside: Mapping[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file as people know it: folder and name."""
        return f"{self.source}/{self.path.name}"

    def read(self) -> "Landed":
        """Read the file, and what stands beside it; a long file of lines is only hashed. Raises `OSError`."""
        beside = {role: path.read_bytes() for role, path in self.beside.items()}
        is_long = self.path.suffix.lower() in LINES and self.path.stat().st_size > MOST_BYTES_HELD
        return Landed(self, beside, None if is_long else self.path.read_bytes())


@dataclass(frozen=True)
class Landed:
    """A landed file, known by the hash of its bytes and of those beside it; a long one is not `held`."""

    file: LandedFile
    beside: Mapping[str, bytes]
    held: bytes | None

    @property
    def content(self) -> bytes:
        """The whole file."""
        return self.file.path.read_bytes() if self.held is None else self.held

    def head(self, n_bytes: int) -> bytes:
        """Return the first bytes of the file."""
        if self.held is not None:
            return self.held[:n_bytes]
        with self.file.path.open("rb") as file:
            return file.read(n_bytes)

    @property
    def name_of_lines(self) -> str:
        """The file that lines are counted in: a plate's lines are those of its layout."""
        layout = self.file.beside.get("layout")
        return self.file.name if layout is None else f"{self.file.source}/{layout.name}"

    @property
    def n_rows(self) -> int:
        """Rows of the file, counted from the bytes alone; a plate's rows are those of its layout."""
        if self.file.path.suffix.lower() in LINES:
            return sum(chunk.count(b"\n") for chunk, _ in self.pieces())
        return count_records(self.beside.get("layout", self.content))

    @cached_property
    def file_id(self) -> str:
        """sha256 of the content and of what stands beside it."""
        digest = hashlib.sha256()
        for piece in self._bytes():
            digest.update(piece)
        return self._named(digest)

    def pieces(self) -> Iterator[tuple[bytes, int]]:
        """Yield the file in pieces that end where a line does, each with the number of its first line.

        Raises `WorldError` where the file is another by the end than the one that was hashed.
        """
        digest, first_line, rest = hashlib.sha256(), 1, b""
        for block in self._bytes():
            digest.update(block)
            whole, end, rest = (rest + block).rpartition(b"\n")
            if end:
                yield whole + end, first_line
                first_line += whole.count(b"\n") + 1
        if rest:
            yield rest, first_line
        if self._named(digest) != self.file_id:
            raise WorldError(
                f"{self.file.name}: the file changed while it was read. Write landing files under another "
                "name and rename them when they are whole; the next night loads it."
            )

    def _bytes(self) -> Iterator[bytes]:
        if self.held is not None:
            yield self.held
            return
        with self.file.path.open("rb") as file:
            while block := file.read(MOST_BYTES_HELD):
                yield block

    def _named(self, digest: "hashlib._Hash") -> str:
        named = digest.copy()
        for role, content in sorted(self.beside.items(), key=lambda item: item[0] != "layout"):
            named.update(b"\x00" + role.encode() + b"\x00" + content)
        return named.hexdigest()


def plate_id_of(content: bytes) -> str:
    """Return the name of a plate: the beginning of the sha256 of its export."""
    return hashlib.sha256(content).hexdigest()[:16]
