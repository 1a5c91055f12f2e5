"""Wrong answers of the multiplier over all operand pairs in every mode and sign combination at N = 8."""

from __future__ import annotations

from triptych.bitsys import verify
from triptych.bitsys.design import Design
from triptych.bitsys.simulate import Sweep

BAR = "bitsys-exhaustive-mismatches"
STUDY = "bitsys"
KIND = "short"
UNIT = "mismatches"
TARGET = "== 0"


def measure() -> float:
    """Mismatches among 17 × 65,536 vectors, wrong tags and wrong latency included."""
    return float(verify.exhaustive(Sweep.of(Design())).mismatches)
