"""BitSys in the systolic array against the fixed multiplier in the single-layer bank, both with 16 × 16 units.

Cycles of the named mixes of TFC (the model, which equals the counters) times the recorded clocks of the units; batches
of 16 pictures. The clocks are those of small arrays, taken to hold for the large ones.
"""

from __future__ import annotations

BAR = "bitsys-speedup-large"
STUDY = "bitsys"
KIND = "short"
UNIT = "the smaller of smallest speed-up / 1.3185 and largest / 3.5671, 16 × 16 units, 16 pictures"
TARGET = ">= 1"
READS = ("rtl/*/*.sv", "notebooks/bitsys/recorded/04_accelerators/clocks.json")


def measure() -> float:
    """Raises DataError when no clock is recorded for the present RTL."""
    from triptych.bitsys.networks import speedup

    return speedup.against_paper(16)
