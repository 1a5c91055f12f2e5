"""Flip-flops of the multiplier; the authors' released RTL has 523."""

from __future__ import annotations

from triptych.bitsys import synthesise
from triptych.bitsys.design import Design

BAR = "bitsys-mul-ffs"
STUDY = "bitsys"
KIND = "short"
UNIT = "flip-flops"
TARGET = "<= 339.95"
READS = ("rtl/bitsys/*.sv",)


def measure() -> float:
    """At N = 8, on UltraScale+ with shift-register LUTs; the target is 0.65 × 523."""
    return float(synthesise.resources(Design()).ff)
