"""Rubric judge, second held-out set: the kind of answer that it takes rightly least often."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from judge_on_held_out import READS, verdicts
from triptych.legal_rag import judge_validity

__all__ = ["READS"]
BAR = "legal-rag-judge-worst-kind"
STUDY = "legal_rag"
KIND = "short"
UNIT = "share judged rightly, worst kind"
TARGET = ">= 0.75"


def measure() -> float:
    """The smallest share over the kinds."""
    return judge_validity.worst_kind(verdicts(), judge_validity.SECOND)[1]
