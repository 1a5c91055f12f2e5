"""Clock frequency of the multiply-accumulate unit on an ECP5; the authors' released RTL reaches 199 MHz."""

from __future__ import annotations

from triptych.bitsys import place
from triptych.bitsys.design import Design

BAR = "bitsys-mac-fmax"
STUDY = "bitsys"
KIND = "short"
UNIT = "MHz"
TARGET = ">= 268.65"
READS = ("rtl/bitsys/*.sv",)


def measure() -> float:
    """At N = 8, median of seeds 1 to 5; the target is 1.35 × 199."""
    return place.fmax(Design(unit="mac")).median_mhz
