"""LUTs of the multiplier, those used as shift registers included; the authors' released RTL has 298."""

from __future__ import annotations

from triptych.bitsys import synthesise
from triptych.bitsys.design import Design

BAR = "bitsys-mul-luts"
STUDY = "bitsys"
KIND = "short"
UNIT = "LUT + SRL"
TARGET = "<= 208.6"
READS = ("rtl/bitsys/*.sv",)


def measure() -> float:
    """At N = 8, on UltraScale+; the target is 0.70 × 298."""
    return float(synthesise.resources(Design()).luts_and_srls)
