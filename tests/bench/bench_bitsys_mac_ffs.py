"""Flip-flops of the multiply-accumulate unit; the authors' released RTL has 687."""

from __future__ import annotations

from triptych.bitsys import synthesise
from triptych.bitsys.design import Design

BAR = "bitsys-mac-ffs"
STUDY = "bitsys"
KIND = "short"
UNIT = "flip-flops"
TARGET = "<= 460.29"
READS = ("rtl/bitsys/*.sv",)


def measure() -> float:
    """At N = 8, on UltraScale+ with shift-register LUTs; the target is 0.67 × 687."""
    return float(synthesise.resources(Design(unit="mac")).ff)
