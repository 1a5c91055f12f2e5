"""What isolation adds to a data script: bubblewrap's start and end, against the same script run plainly."""

from __future__ import annotations

import statistics

BAR = "environment-isolation-overhead"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "seconds a script, median of 15 pairs"
TARGET = "<= 0.3"


def measure() -> float:
    """Median difference of isolated and plain runs, taken in turns; the larger where the machine is busy."""
    from triptych.ft_dojo.environment import sandbox

    if sandbox.problem():
        raise RuntimeError(f"no sandbox here: {sandbox.problem()}")
    caps = sandbox.Caps(wall=30.0, cpu=10.0, memory=500_000_000, disk=1_000_000, output=100_000, processes=16)
    differences: list[float] = []
    for _ in range(15):
        isolated, plain = (sandbox.run_script("pass", [], caps, isolated=how).wall for how in (True, False))
        differences.append(isolated - plain)
    return statistics.median(differences)
