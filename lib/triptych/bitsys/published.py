"""Other people's numbers, each with its source. What the public sources do not give is None, never a guess."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Resources of a multiplier that we did not write, and where the numbers come from."""

    name: str
    source: str
    lut: int | None
    srl: int | None
    ff: int | None
    carry: int | None


RELEASED = Published(
    name="authors' released RTL",
    source="measured earlier on the RTL released with arXiv 2602.23334, not in this run: pyosys 0.70, synth_xilinx "
    "xcup, its asynchronous resets made synchronous for yosys; equal with and without -nosrl",
    lut=298,
    srl=0,
    ff=523,
    carry=35,
)

PAPER = Published(
    name="paper, Table IV",
    source="arXiv 2602.23334, Table IV: its values were not readable to us, so they stay blank",
    lut=None,
    srl=None,
    ff=None,
    carry=None,
)
"""BitSys-LUT multiplier as the paper reports it."""
