"""Every notebook runs at `smoke`; one of them twice, from nothing, with equal results and figure bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from triptych import execute, keys, paths, stages

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
REPRODUCED = "ft_dojo/01_finetune"  # the one that trains: the hardest to repeat exactly


def run(name: str, build: Path, cache: Path | None = None) -> None:
    environment = {**os.environ, "TRIPTYCH_BUILD": str(build), "TRIPTYCH_CACHE": str(cache or paths.cache())}
    done = subprocess.run(
        [sys.executable, "-m", "triptych", "run", name, "--profile", "smoke"],
        cwd=paths.root(), env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def with_producers(name: str) -> list[str]:
    """The stages that `name` reads from, and what they read from, each once and before its reader; `name` last."""
    before = [stage for reference in stages.get(name).inputs for stage in with_producers(stages.producer(reference)[0])]
    return list(dict.fromkeys([*before, name]))


@pytest.mark.parametrize("name", stages.load())
def test_notebook_runs_at_smoke(name, tmp_path, monkeypatch):
    spec = stages.get(name)
    for needed in with_producers(name):
        run(needed, tmp_path)
    monkeypatch.setenv("TRIPTYCH_BUILD", str(tmp_path))
    assert keys.why_stale(spec, "smoke") == ""
    record = keys.read_record(spec, "smoke")
    assert record["notes"][0]["kind"] == "smaller"
    assert record["peak_memory_gb"] <= spec.limit_gb


def test_a_run_from_nothing_is_reproduced_to_the_byte(tmp_path, monkeypatch):
    digests = []
    for place in ("a", "b"):
        cache = tmp_path / place / "cache"
        cache.mkdir(parents=True)
        (cache / "data").symlink_to(paths.cache() / "data")  # verified downloads only; nothing computed is shared
        build = tmp_path / place / "build"
        run(REPRODUCED, build, cache)
        monkeypatch.setenv("TRIPTYCH_BUILD", str(build))
        digests.append(execute.digest_of_outputs(stages.get(REPRODUCED), "smoke"))
    assert digests[0] == digests[1]
