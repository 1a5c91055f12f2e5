"""`make figures` with nothing to do, set-up check and content keys of every stage included."""

from __future__ import annotations

import statistics
import time

import scratch

BAR = "workbench-noop-seconds"
STUDY = "workbench"
KIND = "short"
UNIT = "s, median of 5"
TARGET = "<= 3"


def measure() -> float:
    """Seconds; an error when make finds anything to do, or -q does not exit 0."""
    with scratch.copy(environment=True) as root:
        scratch.mark_fresh(root)
        times: list[float] = []
        for _ in range(5):
            start = time.perf_counter()
            done = scratch.make(root, "figures")
            times.append(time.perf_counter() - start)
            if done.returncode or "triptych run" in done.stdout + done.stderr:
                raise RuntimeError(done.stdout + done.stderr)
        if scratch.make(root, "-q", "figures").returncode != 0:
            raise RuntimeError("make -q figures found something to do")
        return statistics.median(times)
