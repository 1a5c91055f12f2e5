"""A human whose answers are coin tosses must not help: upper end of the gain's interval, recorded runs.

The larger one of those of people who know the target and of people who know the select split.
"""

from __future__ import annotations

import ft_dojo_studies

BAR = "copilot-coin-toss"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "normalised points, upper end of the 95 % interval"
TARGET = "<= 2"
READS = ("tests/bench/ft_dojo_studies.py", "notebooks/ft_dojo/recorded/09_copilot/*")


def measure() -> float:
    """Gain over the agent alone at an accuracy of one half."""
    found = ft_dojo_studies.copilot_gains(0.5)
    return float(max(found["target"].high, found["select"].high))
