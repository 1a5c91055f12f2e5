"""All legal notebooks in quick, from an empty build directory and cache; the data wheels are there (`make setup`)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from legal_runs import READS, run_all, workplace

__all__ = ["READS"]
BAR = "legal-rag-quick"
STUDY = "legal_rag"
KIND = "long"
UNIT = "minutes of wall time, all legal stages in quick, cold"
TARGET = "<= 9"


def measure() -> float:
    """Two at a time on two cores."""
    with workplace(cold=True) as environment:
        return run_all(environment) / 60
