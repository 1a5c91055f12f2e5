"""One accelerator: which dataflow, which multiplier, and how large. What the RTL takes as parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from triptych.bitsys import model
from triptych.bitsys.design import Design, Kind
from triptych.errors import ParameterError

Dataflow = Literal["systolic", "single_layer"]
"""`systolic`: an output-stationary array, a row an output position, a column an output channel. `single_layer`: a bank
of rows × columns multiply-accumulate units that share one broadcast activation word, a unit an output channel."""

DATAFLOWS: tuple[Dataflow, ...] = get_args(Dataflow)

MULTIPLIERS: tuple[Kind, ...] = ("bitsys", "mtree", "bitshift", "fixed")
"""Kinds of multiplier that take a token every cycle."""


@dataclass(frozen=True)
class Machine:
    """An accelerator with its parameters; the same number of multiply-accumulate units in either dataflow.

    `rows`, `columns`: of the systolic array; the single-layer bank has rows × columns units. `columns` is a power of
    two from 2 to 64: an activation memory line holds that many containers. `port_bits`: width of the weight port as
    built, a divisor of `weight_line_bits`. `activation_lines`: lines of each of the two activation memories.
    `weight_lines`: tokens that each half of the weight buffer holds. `table_lines`, `instructions`: room for those.
    `bands`: the rows of a systolic array may be cut into so many bands, a divisor of `rows`, each with its own stream
    of weights and its own program (port, buffer and room are each band's). Raises ParameterError that names the value.
    """

    dataflow: Dataflow = "systolic"
    kind: Kind = "bitsys"
    rows: int = 4
    columns: int = 4
    n: int = 8
    widths: tuple[int, ...] = (1, 2, 4, 8)
    port_bits: int = 32
    acc_width: int = 32
    activation_lines: int = 8192
    weight_lines: int = 4096
    table_lines: int = 512
    instructions: int = 32
    bands: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", model.check(self.n, self.widths))
        if self.dataflow not in DATAFLOWS:
            raise ParameterError(f"{self.dataflow!r} is no dataflow", f"choose one of {', '.join(DATAFLOWS)}")
        if self.kind not in MULTIPLIERS:
            raise ParameterError(
                f"an accelerator cannot be built of {self.kind!r}", f"choose one of {', '.join(MULTIPLIERS)}"
            )
        if self.columns not in (2, 4, 8, 16, 32, 64):
            raise ParameterError(f"columns = {self.columns} is not a power of two from 2 to 64")
        if not 1 <= self.rows <= 64:
            raise ParameterError(f"rows = {self.rows} is not from 1 to 64")
        if self.bands < 1 or self.rows % self.bands:
            raise ParameterError(f"bands = {self.bands} does not divide the {self.rows} rows")
        if self.bands > 1 and self.dataflow != "systolic":
            raise ParameterError(f"bands = {self.bands}: only the rows of a systolic array may be cut into bands")
        if self.port_bits < 1 or self.weight_line_bits % self.port_bits:
            raise ParameterError(
                f"a weight port of {self.port_bits} bits does not divide the {self.weight_line_bits} bits of a token's "
                "weights",
                f"for example {self.columns * self.n}",
            )
        if self.n != 8 or self.acc_width != 32:
            raise ParameterError(
                f"N = {self.n} with {self.acc_width} bits of accumulator: the accelerators have containers of "
                "8 bits and accumulators of 32"
            )
        for name in ("activation_lines", "weight_lines", "table_lines", "instructions"):
            if not 2 <= getattr(self, name) <= 1 << 20:
                raise ParameterError(f"{name} = {getattr(self, name)} is not from 2 to {1 << 20}")

    @property
    def units(self) -> int:
        """Multiply-accumulate units."""
        return self.rows * self.columns

    @property
    def band(self) -> Machine:
        """One band of it, which is a machine of its own; the whole machine where it is not cut."""
        return replace(self, rows=self.rows // self.bands, bands=1) if self.bands > 1 else self

    @property
    def positions_per_tile(self) -> int:
        """Output positions that a band computes at once."""
        return self.rows // self.bands if self.dataflow == "systolic" else 1

    @property
    def outputs_per_tile(self) -> int:
        """Output channels that a band computes at once: lanes of a line of weights."""
        return self.columns if self.dataflow == "systolic" else self.units

    @property
    def weight_line_bits(self) -> int:
        """Bits of the weights of one token."""
        return self.outputs_per_tile * self.n

    @property
    def beats_per_line(self) -> int:
        """Words of the weight port in the weights of one token."""
        return self.weight_line_bits // self.port_bits

    @property
    def design(self) -> Design:
        """The multiply-accumulate unit."""
        return Design(self.n, self.widths, unit="mac", acc_width=self.acc_width, kind=self.kind)

    def channels(self, width: int) -> int:
        """Values of this width in a container (`fixed` takes one, in the lowest bits)."""
        return self.design.channels(width)

    def mode(self, width: int) -> int:
        """Mode code of a width. Raises ParameterError for one that is not listed."""
        if width not in self.widths:
            raise ParameterError(f"this machine has no mode of {width} bits", f"its widths are {list(self.widths)}")
        return self.widths.index(width)

    @property
    def label(self) -> str:
        """Short name for tables and folders: `systolic-bitsys-4x4`; `…-4x4-2bands` where it is cut."""
        cut = f"-{self.bands}bands" if self.bands > 1 else ""
        return f"{self.dataflow}-{self.kind}-{self.rows}x{self.columns}{cut}"
