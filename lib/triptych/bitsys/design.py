"""One design: which RTL, with which parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from triptych import paths
from triptych.bitsys import model
from triptych.errors import ParameterError


@dataclass(frozen=True)
class Design:
    """The multiplier (`mul`) or the multiply-accumulate unit (`mac`) with its parameters.

    Raises ParameterError for a container, widths or an accumulator that it does not support. `acc_width` is the bits of
    the accumulator, of no meaning for the multiplier. `rtl` is the folder with the SystemVerilog, the checkout's
    rtl/bitsys unless a test brings a changed copy.
    """

    n: int = 8
    widths: tuple[int, ...] = (1, 2, 4, 8)
    rtl: Path | None = None
    unit: Literal["mul", "mac"] = "mul"
    acc_width: int = 32

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", model.check(self.n, self.widths))
        if self.unit == "mac" and not 2 * self.n <= self.acc_width <= 64:
            raise ParameterError(
                f"an accumulator of {self.acc_width} bits does not fit N = {self.n}",
                f"choose from {2 * self.n} to 64",
            )

    @property
    def top(self) -> str:
        """Name of the top module."""
        return f"bitsys_{self.unit}"

    @property
    def latency(self) -> int:
        """Cycles from a token to its products, or from a dot product's last token to its sum: `Latency` in the RTL."""
        products = 2 * self.n + 1
        if self.unit == "mul":
            return products
        levels = (self.n // self.widths[0]).bit_length() - 1
        return products + levels + 2

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters as the RTL takes them: the widths become a set of bits, bit w for width w."""
        parameters = {"N": self.n, "Widths": sum(1 << width for width in self.widths)}
        return parameters if self.unit == "mul" else {**parameters, "AccWidth": self.acc_width}

    @cached_property
    def sources(self) -> list[Path]:
        """The SystemVerilog files, packages first."""
        folder = self.rtl or paths.rtl() / "bitsys"
        return sorted(folder.glob("*.sv"), key=lambda path: (not path.stem.endswith("_pkg"), path.name))
