"""Flip-flops of the multiplier without shift-register LUTs; the authors' released RTL has 523."""

from __future__ import annotations

from triptych.bitsys import synthesise
from triptych.bitsys.design import Design

BAR = "bitsys-mul-ffs-nosrl"
STUDY = "bitsys"
KIND = "short"
UNIT = "flip-flops"
TARGET = "<= 538.69"
READS = ("rtl/bitsys/*.sv",)


def measure() -> float:
    """At N = 8, on UltraScale+; the target is 1.03 × 523."""
    return float(synthesise.resources(Design(), srl=False).ff)
