"""The most memory that a legal notebook takes in quick."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from legal_runs import READS, records, run_all, workplace

__all__ = ["READS"]
BAR = "legal-rag-memory"
STUDY = "legal_rag"
KIND = "long"
UNIT = "GB of resident memory, the largest kernel of a legal stage in quick, cold"
TARGET = "<= 4"


def measure() -> float:
    """The largest of the stages."""
    with workplace(cold=True) as environment:
        run_all(environment)
        return max(json.loads(record.read_text("utf-8"))["peak_memory_gb"] for record in records(environment))
