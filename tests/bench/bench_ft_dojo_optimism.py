"""Optimism of what the default policy chooses, as a share of argmax's, 15 items of val, recorded pools."""

from __future__ import annotations

import ft_dojo_studies

BAR = "selection-optimism"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "share of argmax's optimism"
TARGET = "<= 0.333"
READS = ("tests/bench/ft_dojo_studies.py", "notebooks/ft_dojo/recorded/06_selection_noise/*")


def measure() -> float:
    """Mean optimism of the default over that of argmax."""
    return float(ft_dojo_studies.optimism()["share"])
