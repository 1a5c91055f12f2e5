"""Which cells of the array work in which mode (paper: the active region of the bitwise systolic array)."""

from __future__ import annotations

import numpy as np

from triptych.bitsys.model import Bools


def active(n: int, width: int) -> Bools:
    """Cell (i, j) works when bit i of b and bit j of a lie in one channel: floor(i/p) = floor(j/p). Shape (n, n)."""
    channel = np.arange(n) // width
    return channel[:, None] == channel[None, :]


def negative(n: int, width: int, a_signed: bool, b_signed: bool) -> Bools:
    """Active cells whose partial product has negative weight: exactly one of its bits is a sign bit. Shape (n, n)."""
    top = np.arange(n) % width == width - 1
    return active(n, width) & ((top & b_signed)[:, None] ^ (top & a_signed)[None, :])
