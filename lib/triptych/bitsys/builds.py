"""Things that cost minutes to make are made once and kept by content, also when two processes want the same one."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from triptych import paths


def key(files: Sequence[Path], facts: Mapping[str, Any]) -> str:
    """Digest (hex, 24 digits) of the files' names and bytes, in order, and of JSON-native facts."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for file in files:
        digest.update(f"\0{file.name}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]


def once(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of this kind in the cache, made by `make(folder)` if it is not there yet.

    It is made under another name and renamed when `make` returns, so a killed build leaves nothing that looks finished.
    A lock lets one process make it while others wait; what `make` raises passes through.
    """
    finished = paths.cache() / "bitsys" / kind / name
    if finished.exists():
        return finished
    finished.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(finished.with_suffix(".lock")):
        if finished.exists():
            return finished
        partial = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=finished.parent))
        try:
            make(partial)
            partial.rename(finished)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return finished
