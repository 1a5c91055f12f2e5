"""Wasted compute with fail-fast over that without it, a third of the plans spoiled, recorded runs."""

from __future__ import annotations

import ft_dojo_studies

BAR = "fail-fast-waste"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "per cent of the seconds wasted without fail-fast"
TARGET = "<= 50"
READS = ("tests/bench/ft_dojo_studies.py", "notebooks/ft_dojo/recorded/05_ablation/*")


def measure() -> float:
    """Ratio of sums over all recorded runs with planted slips."""
    import sys

    from triptych.ft_dojo.agents import ablation

    rows = ft_dojo_studies.rows("ft_dojo/05_ablation", "factorial.parquet")
    ratio, about = ablation.waste(rows[rows["spoiled"] > 0])
    print(f"{ratio:.1f} %, 95 % interval {about}", file=sys.stderr)
    return ratio
