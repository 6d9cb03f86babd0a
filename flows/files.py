"""Text files written so that readers see the former or the new content, never a part.

Here: that, and nothing else. Called by whatever writes a night's results.
"""

from pathlib import Path


def write_whole(path: Path, content: str) -> Path:
    """Write a text file (UTF-8, LF) in one step that cannot be half done, its folder with it; return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(content, encoding="utf-8", newline="\n")
    unfinished.replace(path)
    return path
