"""How much of the score the planted damage costs: oracle minus default training, mean over the thirteen tasks."""

from __future__ import annotations

import ft_dojo_sweep

BAR = "oracle-over-default"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "normalised points on test, mean of 13 tasks x 5 seeds"
TARGET = ">= 15"
READS = ("tests/bench/ft_dojo_sweep.py", "lib/triptych/ft_dojo/**/*.py", "lib/triptych/ft_dojo/tiny_base/*")


def measure() -> float:
    """Mean difference at one budget."""
    return float(ft_dojo_sweep.gaps("oracle", "default")["mean"].mean())
