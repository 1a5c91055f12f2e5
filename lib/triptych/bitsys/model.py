"""What the hardware must compute, on plain integers: decode, multiply, encode; and for dot products, sum.

Nothing here knows partial products, constants or diagonals: the model shares no idea with the hardware except the
packing, so the two cannot be wrong in the same way.

Packing (paper, section on multi-precision operands): a container of N bits holds C = N/p channels of p bits; channel c
is bits [cp +: p] of an operand, and its product is bits [2pc +: 2p] of the 2N-bit result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from triptych.errors import ParameterError

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Reading = Literal["unsigned", "signed", "bipolar"]

CONTAINERS = (4, 8, 16)
"""Container widths N that the hardware supports."""


@dataclass(frozen=True)
class Combination:
    """One way to read a pair of containers: a channel width and how each operand's channels are read.

    `a_signed` and `b_signed` are what is asked of the hardware. They equal "the operand is not unsigned" except for
    two's-complement single bits on both sides, whose products (-1 times -1 is 1 times 1) are asked for as unsigned.
    """

    width: int
    a: Reading
    b: Reading
    a_signed: bool
    b_signed: bool

    @property
    def label(self) -> str:
        """Short name for tables and test identifiers: `4b signed×unsigned`."""
        return f"{self.width}b {self.a}×{self.b}"


def check(n: int, widths: Sequence[int]) -> tuple[int, ...]:
    """The widths, ascending. Raises ParameterError when the hardware would refuse N or the list."""
    if n not in CONTAINERS:
        raise ParameterError(f"N = {n} is not a container width", f"choose one of {', '.join(map(str, CONTAINERS))}")
    numbers = all(type(width) is int for width in widths)
    if (
        not numbers
        or not widths
        or len(set(widths)) != len(widths)
        or any(w < 1 or w & (w - 1) or w > n for w in widths)
    ):
        raise ParameterError(
            f"widths = {list(widths)} is not a list of distinct powers of two from 1 to {n}",
            f"for example {[w for w in (1, 2, 4, 8, 16) if w <= n]}",
        )
    return tuple(sorted(widths))


def combinations(widths: Sequence[int]) -> list[Combination]:
    """Every mode with every pair of signs; at width 1 both signs mean bipolar, and the seventeenth is two's complement.

    Four widths give 4 × 4 + 1 = 17.
    """
    found: list[Combination] = []
    for width in sorted(widths):
        for a_signed in (False, True):
            for b_signed in (False, True):
                bipolar = width == 1 and a_signed and b_signed
                a: Reading = "bipolar" if bipolar else "signed" if a_signed else "unsigned"
                b: Reading = "bipolar" if bipolar else "signed" if b_signed else "unsigned"
                found.append(Combination(width, a, b, a_signed, b_signed))
        if width == 1:
            found.append(Combination(1, "signed", "signed", a_signed=False, b_signed=False))
    return found


def decode(container: Ints, n: int, width: int, reading: Reading) -> Ints:
    """The channels of containers as numbers: shape (..., N/width), channel 0 first.

    `unsigned` and two's-complement `signed` are the usual readings; `bipolar` reads one bit as +1 (set) or -1.
    """
    shifts = np.arange(0, n, width)
    fields = (np.asarray(container, np.int64)[..., None] >> shifts) & ((1 << width) - 1)
    if reading == "unsigned":
        return fields
    if reading == "signed":
        return fields - ((fields >> (width - 1)) << width)
    return 2 * fields - 1


def encode(values: Ints, width: int) -> Ints:
    """Pack numbers of shape (..., C) as two's-complement fields of `width` bits, channel 0 lowest; shape (...)."""
    shifts = width * np.arange(values.shape[-1])
    return ((values & ((1 << width) - 1)) << shifts).sum(axis=-1)


def products(a: Ints, b: Ints, n: int, combination: Combination) -> Ints:
    """The packed products (2N bits, as integers from 0) of containers a and b, elementwise over any shape."""
    x = decode(a, n, combination.width, combination.a)
    y = decode(b, n, combination.width, combination.b)
    return encode(x * y, 2 * combination.width)


def values(a: Ints, b: Ints, n: int, combination: Combination) -> Ints:
    """What containers a and b add to a dot product: the sum of their channel products, elementwise over any shape."""
    x = decode(a, n, combination.width, combination.a)
    y = decode(b, n, combination.width, combination.b)
    return (x * y).sum(axis=-1)
