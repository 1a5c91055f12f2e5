"""Shared by the benches of the whole legal study: its stages run in `quick`, one after the other, as `make` does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from triptych import keys, paths, stages

READS = (
    "notebooks/legal_rag/*.ipynb",
    "notebooks/legal_rag/recorded/02_factorial/*",
    "lib/triptych/legal_rag/*.py",
    "lib/triptych/legal_rag/*.json*",
    "lib/triptych/legal_rag/prompts/*.toml",
    "tests/bench/legal_runs.py",
)


@dataclass(frozen=True)
class Ran:
    """What a stage took: wall time in seconds, and the largest resident memory of its kernel in GB."""

    stage: str
    seconds: float
    memory_gb: float


@contextmanager
def workplace(cold: bool) -> Iterator[dict[str, str]]:
    """An environment with a build directory of its own. `cold`: an empty cache, too, but for the verified data."""
    with tempfile.TemporaryDirectory() as build:
        cache = paths.cache()
        if cold:
            cache = Path(build) / "cache"
            cache.mkdir()
            (cache / "data").symlink_to(paths.cache() / "data")
        yield {**os.environ, "TRIPTYCH_BUILD": build, "TRIPTYCH_CACHE": str(cache)}


def run_all(environment: dict[str, str]) -> list[Ran]:
    """Run every legal stage in quick, in the order of stages.toml (which puts readers after what they read).

    Raises CalledProcessError when one fails.
    """
    found: list[Ran] = []
    for spec in stages.select("legal_rag"):
        command = [sys.executable, "-m", "triptych", "run", spec.name, "--profile", "quick"]
        start = time.perf_counter()
        subprocess.run(command, env=environment, cwd=paths.root(), check=True, stdout=sys.stderr)
        seconds = time.perf_counter() - start
        record = Path(environment["TRIPTYCH_BUILD"]) / keys.record_file(spec, "quick").relative_to(paths.build())
        found.append(Ran(spec.name, seconds, json.loads(record.read_text("utf-8"))["peak_memory_gb"]))
        print(found[-1], file=sys.stderr, flush=True)
    return found
