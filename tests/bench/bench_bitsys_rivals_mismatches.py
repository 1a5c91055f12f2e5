"""Wrong answers of the rivals over all operand pairs in every mode and sign combination at N = 8."""

from __future__ import annotations

from triptych.bitsys import verify
from triptych.bitsys.design import KINDS, Design
from triptych.bitsys.simulate import Sweep

BAR = "bitsys-rivals-mismatches"
STUDY = "bitsys"
KIND = "short"
UNIT = "mismatches"
TARGET = "== 0"
READS = ("rtl/bitsys/*.sv", "rtl/baselines/*.sv", "rtl/sim/bitsys_sweep.sv")


def measure() -> float:
    """Mismatches among 17 × 65,536 vectors of each rival, as multiplier and as dot products of one token."""
    rivals = [Design(kind=kind, unit=unit) for kind in KINDS if kind != "bitsys" for unit in ("mul", "mac")]
    return float(sum(verify.exhaustive(Sweep.of(design)).mismatches for design in rivals))
