"""How many of the thirteen tasks are neither known beforehand nor hopeless: base below 10, oracle from 40 to 95."""

from __future__ import annotations

import ft_dojo_sweep

BAR = "task-difficulty"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "tasks of 13, normalised points on val, means of 5 seeds"
TARGET = "== 13"
READS = ("tests/bench/ft_dojo_sweep.py", "lib/triptych/ft_dojo/tiny_base/*")


def measure() -> float:
    """Tasks within both limits."""
    means = ft_dojo_sweep.rows().groupby("task")[["base", "oracle"]].mean()
    return float(((means["base"] < 10) & means["oracle"].between(40, 95)).sum())
