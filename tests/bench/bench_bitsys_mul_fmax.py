"""Clock frequency of the multiplier on an ECP5; the authors' released RTL reaches 218 MHz."""

from __future__ import annotations

from triptych.bitsys import place
from triptych.bitsys.design import Design

BAR = "bitsys-mul-fmax"
STUDY = "bitsys"
KIND = "short"
UNIT = "MHz"
TARGET = ">= 294.3"
READS = ("rtl/bitsys/*.sv",)


def measure() -> float:
    """At N = 8, median of seeds 1 to 5; the target is 1.35 × 218."""
    return place.fmax(Design()).median_mhz
