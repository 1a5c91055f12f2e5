"""Other people's numbers, each with its source. What the public sources do not give is None, never a guess."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Literal

Mark = Literal["S", "R"]
"""Where a number comes from: S from a published review of the paper, R measured on the authors' released RTL."""


@dataclass(frozen=True)
class Published:
    """A multiplier (`mul`) or multiply-accumulate unit (`mac`) that we did not write, N = 8, and its numbers' source.

    `lut` to `carry` are cells, `latency` is in cycles; `mhz` are frequencies on an ECP5 with the settings of `place`,
    seeds 1 to 5 in order. `mark` is None where nothing is known.
    """

    name: str
    source: str
    lut: int | None
    srl: int | None
    ff: int | None
    carry: int | None
    unit: Literal["mul", "mac"] = "mul"
    mark: Mark | None = None
    latency: int | None = None
    mhz: tuple[float, ...] = ()

    @property
    def luts_and_srls(self) -> int | None:
        """LUTs of either use, as `Resources` has it."""
        return None if self.lut is None or self.srl is None else self.lut + self.srl

    @property
    def median_mhz(self) -> float | None:
        """Median over the seeds."""
        return statistics.median(self.mhz) if self.mhz else None


_MEASURED = (
    "measured earlier on the RTL released with arXiv 2602.23334, not in this run: pyosys 0.70, synth_xilinx xcup, its "
    "asynchronous resets made synchronous for yosys; equal with and without -nosrl"
)

RELEASED = Published(
    name="authors' released RTL",
    source=_MEASURED,
    lut=298,
    srl=0,
    ff=523,
    carry=35,
    mark="R",
    latency=17,
    mhz=(220, 218, 215, 231, 218),
)

RELEASED_MAC = Published(
    name="authors' released RTL",
    source=_MEASURED,
    lut=539,
    srl=0,
    ff=687,
    carry=72,
    unit="mac",
    mark="R",
    latency=22,
    mhz=(189, 204, 196, 199, 204),
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

_REVIEW = "a published review of arXiv 2602.23334 gives the flip-flops; the paper's text was not readable to us"

PAPER_MACS = tuple(
    Published(name=f"paper, {name}", source=_REVIEW, lut=None, srl=None, ff=ff, carry=None, unit="mac", mark="S")
    for name, ff in (("BitSys-LUT", 689), ("MTree", 388), ("Bitshifter", 506))
)
"""The paper's multiply-accumulate units."""
