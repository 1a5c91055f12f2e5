"""How fast the multiplier is checked over all operand pairs in every mode and sign combination, after compiling."""

from __future__ import annotations

from triptych.bitsys import verify
from triptych.bitsys.design import Design
from triptych.bitsys.simulate import Sweep

BAR = "bitsys-exhaustive-rate"
STUDY = "bitsys"
KIND = "short"
UNIT = "vectors/s"
TARGET = ">= 150000"


def measure() -> float:
    """Vectors a second at N = 8: vectors made, written, simulated, read back and compared."""
    return verify.exhaustive(Sweep.of(Design())).rate
