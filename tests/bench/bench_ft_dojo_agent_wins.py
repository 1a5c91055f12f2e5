"""Tasks on which FT-Agent has the highest mean, or one within a normalised point of it, recorded rows."""

from __future__ import annotations

import ft_dojo_rows

BAR = "ft-agent-wins"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "tasks of 13"
TARGET = ">= 10"
READS = ("tests/bench/ft_dojo_rows.py", "notebooks/ft_dojo/recorded/04_benchmark/*")


def measure() -> float:
    """Wins among all agents but the oracle."""
    from triptych.ft_dojo.agents import benchmark

    return float(benchmark.wins(benchmark.grid(ft_dojo_rows.rows(unseen=False)))[ft_dojo_rows.OURS])
