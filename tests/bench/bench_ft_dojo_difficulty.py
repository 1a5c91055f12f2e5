"""How many of the thirteen tasks are neither known beforehand nor hopeless: base below 10, oracle from 40 to 95."""

from __future__ import annotations

import ft_dojo_sweep

BAR = "task-difficulty"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "tasks of 13, normalised points on test, means of 5 seeds"
TARGET = "== 13"
READS = ("tests/bench/ft_dojo_sweep.py", "lib/triptych/ft_dojo/**/*.py", "lib/triptych/ft_dojo/tiny_base/*")


def measure() -> float:
    """Tasks within both limits."""
    from triptych.ft_dojo import draw_tasks

    return float(draw_tasks.in_band(ft_dojo_sweep.rows())["in band"].sum())
