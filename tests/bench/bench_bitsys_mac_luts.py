"""LUTs of the multiply-accumulate unit, shift registers included; the authors' released RTL has 539."""

from __future__ import annotations

from triptych.bitsys import synthesise
from triptych.bitsys.design import Design

BAR = "bitsys-mac-luts"
STUDY = "bitsys"
KIND = "short"
UNIT = "LUT + SRL"
TARGET = "<= 350.35"
READS = ("rtl/bitsys/*.sv",)


def measure() -> float:
    """At N = 8, on UltraScale+; the target is 0.65 × 539."""
    return float(synthesise.resources(Design(unit="mac")).luts_and_srls)
