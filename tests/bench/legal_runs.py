"""Shared by the benches of the whole legal study: its stages in `quick`, two at a time, as `make figures` runs them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triptych import paths

sys.path.insert(0, str(paths.root() / "tests"))
import miniature

READS = (
    "notebooks/legal_rag/*.ipynb",
    "notebooks/legal_rag/recorded/02_factorial/*",
    "lib/triptych/legal_rag/*.py",
    "lib/triptych/legal_rag/*.json*",
    "lib/triptych/legal_rag/prompts/*.toml",
    "tests/bench/legal_runs.py",
)


@contextmanager
def workplace(cold: bool) -> Iterator[dict[str, str]]:
    """An environment with a build directory of its own. `cold`: an empty cache, too, but for the verified data."""
    with tempfile.TemporaryDirectory() as build:
        cache = paths.cache()
        if cold:
            cache = Path(build) / "cache"
            cache.mkdir()
            (cache / "data").symlink_to(paths.cache() / "data")
        yield {**miniature.outside_make(), "TRIPTYCH_BUILD": build, "TRIPTYCH_CACHE": str(cache)}


def run_all(environment: dict[str, str]) -> float:
    """Make every legal stage anew, stale or not; the wall time in seconds. Raises CalledProcessError when one fails."""
    for record in records(environment):
        record.unlink()
    start = time.perf_counter()
    command = ["make", "figures", "STUDY=legal_rag", "JOBS=2"]
    subprocess.run(command, env=environment, cwd=paths.root(), check=True, stdout=sys.stderr)
    return time.perf_counter() - start


def records(environment: dict[str, str]) -> list[Path]:
    """The records of the stages that ran."""
    return sorted((Path(environment["TRIPTYCH_BUILD"]) / "runs").glob("*/legal_rag-*.record.json"))
