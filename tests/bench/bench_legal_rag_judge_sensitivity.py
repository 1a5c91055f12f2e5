"""Rubric judge, second held-out set: share of wrong or unsupported answers that it objects to."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from judge_on_held_out import READS, verdicts
from triptych.legal_rag import judge_validity

__all__ = ["READS"]
BAR = "legal-rag-judge-sensitivity"
STUDY = "legal_rag"
KIND = "short"
UNIT = "share of held-out answers to object to"
TARGET = ">= 0.90"


def measure() -> float:
    """Sensitivity over all kinds together."""
    return judge_validity.overall(verdicts(), judge_validity.SECOND)[0].share
