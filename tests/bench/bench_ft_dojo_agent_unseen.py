"""The same with kinds of damage that nobody who wrote rules has seen."""

from __future__ import annotations

import ft_dojo_rows

BAR = "ft-agent-lead-unseen"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "normalised points, least lower end of FT-Agent minus a baseline (95 %, tasks then seeds), unseen damage"
TARGET = "> 0"
READS = ("tests/bench/ft_dojo_rows.py", "notebooks/ft_dojo/recorded/04_benchmark/*")


def measure() -> float:
    """Above 0 when the interval against each baseline is off 0; the intervals go to stderr."""
    return ft_dojo_rows.least_lead(unseen=True)
