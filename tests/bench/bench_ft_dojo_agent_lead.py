"""FT-Agent against every baseline at equal compute: the smallest lower end of the paired intervals, recorded rows."""

from __future__ import annotations

import ft_dojo_rows

BAR = "ft-agent-lead"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "normalised points, least lower end of FT-Agent minus a baseline (95 %, tasks then seeds)"
TARGET = "> 0"
READS = ("tests/bench/ft_dojo_rows.py", "notebooks/ft_dojo/recorded/04_benchmark/*")


def measure() -> float:
    """Above 0 when the interval against each baseline is off 0; the intervals go to stderr."""
    return ft_dojo_rows.least_lead(unseen=False)
