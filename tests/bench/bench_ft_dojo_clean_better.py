"""On how many of the thirteen tasks clean data beat dirty data at one budget, with the interval over seeds off 0."""

from __future__ import annotations

import ft_dojo_sweep

BAR = "clean-better-than-dirty"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "tasks of 13, 95 % t interval of the paired difference over 5 seeds"
TARGET = ">= 9"
READS = ("tests/bench/ft_dojo_sweep.py", "lib/triptych/ft_dojo/**/*.py", "lib/triptych/ft_dojo/tiny_base/*")


def measure() -> float:
    """Tasks whose paired difference, undamaged rows minus rows as they stand, has a lower limit above 0."""
    return float((ft_dojo_sweep.gaps("clean", "default")["low"] > 0).sum())
