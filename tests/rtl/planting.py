"""One fault in a copy of the RTL."""

from __future__ import annotations

import shutil
from pathlib import Path

from triptych import paths


def planted(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of rtl/bitsys in `folder` whose bitsys_<file>.sv has `new` for its one `old`."""
    copy = folder / "bitsys"
    shutil.copytree(paths.rtl() / "bitsys", copy)
    path = copy / f"bitsys_{file}.sv"
    text = path.read_text("utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{old!r} occurs {text.count(old)} times in {path.name}")
    path.write_text(text.replace(old, new), "utf-8")
    return copy
