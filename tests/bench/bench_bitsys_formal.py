"""Claims about the hardware that the SAT solver does not prove, at the sizes that take minutes."""

from __future__ import annotations

from triptych.bitsys import formal
from triptych.bitsys.design import Design

BAR = "bitsys-formal-unproved"
STUDY = "bitsys"
KIND = "long"
UNIT = "claims"
TARGET = "== 0"
READS = ("rtl/bitsys/*.sv", "rtl/formal/*.sv", "rtl/sim/LUT6_2.sv")


def measure() -> float:
    """Of: the multiplier of 8 bits, a claim for each output bit; cells and reduction tree of 16 bits."""
    sixteen = Design(16, (1, 2, 4, 8, 16))
    claims = [*formal.by_bit(formal.multiplier(Design())), formal.cells(sixteen), formal.reduction(sixteen)]
    return float(sum(formal.prove(claim, timeout=1800).outcome != "proved" for claim in claims))
