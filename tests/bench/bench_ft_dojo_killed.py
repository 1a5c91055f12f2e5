"""kill -9 at 20 random moments: journals that differ from an unbroken run's, and scores that do."""

from __future__ import annotations

from pathlib import Path

BAR = "environment-killed-runs"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "journals or scores that differ, of 20 kills"
TARGET = "== 0"
READS = ("tests/bench/dojo_runs.py", "tests/lib/ft_dojo/environment/played_run.py")
KILLS = 20


def measure() -> float:
    """Runs are killed at uniformly random moments, resumed, and killed again, until 20 kills hit a living run."""
    import os
    import random
    import signal
    import subprocess
    import tempfile
    import time

    import dojo_runs

    rng, differing, kills = random.Random(0), 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        started = time.monotonic()
        reward = dojo_runs.play(top, "whole").communicate()[0]
        whole, lasted = (top / "whole" / "journal.jsonl").read_bytes(), time.monotonic() - started
        number = 0
        while kills < KILLS:
            process = dojo_runs.play(top, f"killed-{number}")
            try:
                said, _ = process.communicate(timeout=rng.uniform(0.0, lasted))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                kills += 1
                continue
            differing += said != reward or (top / f"killed-{number}" / "journal.jsonl").read_bytes() != whole
            number += 1
        said, _ = dojo_runs.play(top, f"killed-{number}").communicate()
        differing += said != reward or (top / f"killed-{number}" / "journal.jsonl").read_bytes() != whole
    return float(differing)
