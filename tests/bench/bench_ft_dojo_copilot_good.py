"""A human who is right in nine of ten answers helps: lower end of the gain's interval, recorded runs.

Right about the target: about what is asked of the model in the end.
"""

from __future__ import annotations

import ft_dojo_studies

BAR = "copilot-nine-of-ten"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "normalised points, lower end of the 95 % interval"
TARGET = "> 0"
READS = ("tests/bench/ft_dojo_studies.py", "notebooks/ft_dojo/recorded/09_copilot/*")


def measure() -> float:
    """Gain over the agent alone at an accuracy of 0.9."""
    return float(ft_dojo_studies.copilot_gains(0.9)["target"].low)
