"""Truth of what the default policy chooses minus argmax's, lower end of the paired interval, recorded pools."""

from __future__ import annotations

import ft_dojo_studies

BAR = "selection-test"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "normalised points, lower end of the 95 % interval"
TARGET = ">= -1"
READS = ("tests/bench/ft_dojo_studies.py", "notebooks/ft_dojo/recorded/06_selection_noise/*")


def measure() -> float:
    """Lower end over the pools."""
    return float(ft_dojo_studies.optimism()["gap"].low)
