"""kill -9 at random moments of a run: what the journal says in the end does not show it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import triptych
from triptych.ft_dojo import tiny
from triptych.ft_dojo.environment.task_folder import TaskFolder

SCRIPT = Path(__file__).with_name("played_run.py")
KILLS = 2  # here; tests/bench/bench_ft_dojo_killed.py does 20


def start(task: TaskFolder, run: Path, base: Path) -> subprocess.Popen[str]:
    """The played run in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(task.folder), str(task.hidden), str(run), str(base)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(triptych.__file__).parents[1])},
    )  # fmt: skip


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


@pytest.mark.slow
@pytest.mark.usefixtures("isolated")
def test_a_killed_and_resumed_run_has_the_same_journal_and_score(
    tmp_path: Path, base: tiny.Base, write: Callable[..., TaskFolder]
) -> None:
    task, seed = write(), random.randrange(10**6)
    rng = random.Random(seed)
    reward = finished(start(task, tmp_path / "whole", base.folder))
    rows = (tmp_path / "whole/journal.jsonl").read_bytes().count(b"\n")
    for _ in range(KILLS):
        process = start(task, tmp_path / "killed", base.folder)
        journal, wanted = tmp_path / "killed/journal.jsonl", rng.randrange(1, rows - 1)
        while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > wanted):
            time.sleep(0.01)
        time.sleep(rng.random() / 4)  # somewhere inside the next action
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert finished(start(task, tmp_path / "killed", base.folder)) == reward, f"seed {seed}"
    whole, killed = (tmp_path / name / "journal.jsonl" for name in ("whole", "killed"))
    assert killed.read_bytes() == whole.read_bytes(), f"seed {seed}"
