"""One design: which RTL, with which parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from triptych import paths
from triptych.bitsys import model
from triptych.errors import DataError, ParameterError

Kind = Literal["bitsys", "mtree", "bitshift", "bitserial", "fixed"]
"""The multiplier under study and its rivals: a tree of 2 × 2 multipliers; shift-and-add, one adder a bit of b; the same
with a single adder, one bit a cycle; and plain multiplication of a single channel."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Unit = Literal["mul", "mac"]


@dataclass(frozen=True)
class Design:
    """A multiplier (`mul`) or multiply-accumulate unit (`mac`) of some kind, with its parameters.

    Raises ParameterError for a container, widths or an accumulator that it does not support. `acc_width` is the bits of
    the accumulator, of no meaning for a multiplier. `rtl` is a folder that stands in for the checkout's rtl/bitsys when
    a test brings a changed copy. `primitive` asks for the cells of `bitsys` as LUT6_2 primitives.
    """

    n: int = 8
    widths: tuple[int, ...] = (1, 2, 4, 8)
    rtl: Path | None = None
    unit: Unit = "mul"
    acc_width: int = 32
    kind: Kind = "bitsys"
    primitive: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", model.check(self.n, self.widths))
        if self.kind not in KINDS:
            raise ParameterError(f"{self.kind!r} is no kind of multiplier", f"choose one of {', '.join(KINDS)}")
        if self.primitive and self.kind != "bitsys":
            raise ParameterError(f"{self.kind} has no cells of primitives", "leave `primitive` out")
        if self.unit not in get_args(Unit):
            raise ParameterError(f"{self.unit!r} is no unit", "mul for the multiplier, mac for multiply-accumulate")
        if self.unit == "mac" and not 2 * self.n <= self.acc_width <= 64:
            raise ParameterError(
                f"an accumulator of {self.acc_width} bits does not fit N = {self.n}",
                f"choose from {2 * self.n} to 64",
            )

    @property
    def top(self) -> str:
        """Name of the top module."""
        return f"{self.kind}_{self.unit}"

    @property
    def latency(self) -> int:
        """Cycles from a token to its products, or from a dot product's last token to its sum: `Latency` in the RTL.

        That of `bitserial` depends on the token's width (`latency_at`); this is the longest.
        """
        return self.latency_at(self.widths[-1])

    def latency_at(self, width: int) -> int:
        """As `latency`, for a token of this width."""
        log_n = self.n.bit_length() - 1
        products = {
            "bitsys": 2 * self.n + 1,
            "mtree": 2 * log_n,
            "bitshift": self.n + 2,
            "bitserial": width + 2,
            "fixed": log_n + 2,
        }[self.kind]
        if self.unit == "mul":
            return products
        levels = 0 if self.kind == "fixed" else (self.n // self.widths[0]).bit_length() - 1
        return products + levels + 2

    def interval(self, width: int) -> int:
        """Cycles from one token of this width to the next at full speed (the initiation interval)."""
        return width if self.kind == "bitserial" else 1

    def channels(self, width: int) -> int:
        """Useful multiplications in a token of this width."""
        return 1 if self.kind == "fixed" else self.n // width

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters as the RTL takes them: the widths become a set of bits, bit w for width w."""
        parameters = {"N": self.n, "Widths": sum(1 << width for width in self.widths)}
        if self.primitive:
            parameters["PrimitiveCells"] = 1
        return parameters if self.unit == "mul" else {**parameters, "AccWidth": self.acc_width}

    @cached_property
    def sources(self) -> list[Path]:
        """The SystemVerilog files that the top module needs, packages first."""
        rtl = paths.rtl()
        models = [rtl / "sim"] if self.primitive else []
        return needed(self.top, [self.rtl or rtl / "bitsys", rtl / "baselines", *models])


def needed(top: str, folders: list[Path]) -> list[Path]:
    """The file named after the module `top` in these folders and the files of all that it uses; packages first.

    Raises DataError when no folder has such a file.
    """
    files = {path.stem: path for folder in folders for path in folder.glob("*.sv")}
    if top not in files:
        raise DataError(f"there is no {top}.sv in {', '.join(map(str, folders))}", "check the folder of the RTL")
    uses = {
        name: set(re.findall(r"\w+", re.sub(r"//.*", "", path.read_text("utf-8")))) & files.keys()
        for name, path in files.items()
    }
    found, new = set[str](), {top}
    while new:
        found |= new
        new = {used for name in new for used in uses[name]} - found
    return sorted((files[name] for name in found), key=lambda path: (not path.stem.endswith("_pkg"), path.name))
