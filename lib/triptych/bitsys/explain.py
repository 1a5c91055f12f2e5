"""The bitwise algorithm step by step: which partial products, which sums on the anti-diagonals, which carries.

`model` says what must come out and knows no circuit; this module says how the array gets there, on arrays of tokens,
without clock or registers. The two share nothing but the packing, so each checks the other. The hardware of rtl/bitsys
does the same steps, one anti-diagonal a cycle.

Column d is the anti-diagonal i + j = d, worth 2^d; there are 2N columns, the last one without cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triptych.bitsys import cells, model
from triptych.bitsys.model import Bools, Combination, Ints, combinations


def asked(width: int, a_signed: bool, b_signed: bool) -> Combination:
    """The combination that a request to the hardware stands for: width 1 with both signs is bipolar."""
    return next(c for c in combinations([width]) if (c.a_signed, c.b_signed) == (a_signed, b_signed))


def bipolar(combination: Combination) -> bool:
    """Whether single bits stand for +1 and -1: asked for by width 1 with both signs set."""
    return combination.width == 1 and combination.a_signed and combination.b_signed


def constant(n: int, combination: Combination) -> int:
    """The Baugh–Wooley constant of all channels, packed in 2N bits as the products are.

    With p the width, a channel's constant is 2^p + 2^(2p-1) for two signed operands, 2^(p-1) + 2^(2p-1) for one and 0
    for none, modulo 2^(2p). For bipolar bits it is 1: the cell gives a xor b; 1 + 2 (a xor b) is 01 (+1) or 11 (-1).
    """
    p = combination.width
    signed = combination.a_signed + combination.b_signed
    field = 0 if not signed else (1 << (p if signed == 2 else p - 1)) + (1 << (2 * p - 1))
    if bipolar(combination):
        field = 1
    return sum(field % (1 << 2 * p) << shift for shift in range(0, 2 * n, 2 * p))


def fences(n: int, width: int) -> Bools:
    """Columns out of which no carry goes, because a channel's field of 2p bits ends there. Shape (2N,)."""
    return (np.arange(2 * n) + 1) % (2 * width) == 0


@dataclass(frozen=True)
class Flow:
    """Everything that happens to T tokens.

    `partial` (T, N, N): what cell (i, j) gives, inversions included; `counts` (T, 2N): ones in a column; `constants`
    (T, 2N); `carries` (T, 2N): carry into a column, fences applied; `bits` (T, 2N): the result, lowest bit first.
    """

    partial: Bools
    counts: Ints
    constants: Ints
    carries: Ints
    bits: Ints

    @property
    def products(self) -> Ints:
        """The packed products as the hardware gives them, shape (T,)."""
        return self.bits @ (1 << np.arange(self.bits.shape[1]))


def flow(
    n: int,
    settings: Sequence[Combination],
    a: Ints,
    b: Ints,
    at_cells: Ints,
    at_adders: Ints,
) -> Flow:
    """Send containers `a`, `b` (shape (T,)) through the array.

    `at_cells` and `at_adders` (shape (T, 2N)) say which of the settings is in force when a token is in the cells of a
    column, and when that column is added. For hardware that carries its setting with the token, both are constant along
    the columns; a setting that changes while a token is on its way is what goes wrong with a global wire.
    """
    columns = 2 * n
    where = np.add.outer(np.arange(n), np.arange(n))
    active = np.stack([cells.active(n, c.width) for c in settings])
    minus = np.stack([cells.negative(n, c.width, c.a_signed, c.b_signed) & ~_diagonal(n, c) for c in settings])
    mixed = np.array([bipolar(c) for c in settings])
    words = np.array([constant(n, c) for c in settings], np.int64)
    fenced = np.stack([fences(n, c.width) for c in settings])

    here = at_cells[:, where]  # the setting that cell (i, j) sees, shape (T, N, N)
    rows, cols = np.indices((n, n))
    bits_a = ((np.asarray(a)[:, None] >> np.arange(n)) & 1).astype(np.bool_)[:, None, :]
    bits_b = ((np.asarray(b)[:, None] >> np.arange(n)) & 1).astype(np.bool_)[:, :, None]
    both = np.where(mixed[here], bits_a ^ bits_b, bits_a & bits_b)
    partial = active[here, rows, cols] & (both ^ minus[here, rows, cols])

    counts = np.zeros((len(partial), columns), np.int64)
    for d in range(columns - 1):
        counts[:, d] = partial[:, where == d].sum(axis=1)
    column = np.arange(columns)
    constants = words[at_adders] >> column & 1
    carries = np.zeros_like(counts)
    bits = np.zeros_like(counts)
    for d in column:
        total = counts[:, d] + constants[:, d] + carries[:, d]
        forced = mixed[at_adders[:, d]] & (d % 2 == 0)
        bits[:, d] = np.where(forced, 1, total & 1)
        if d + 1 < columns:
            carries[:, d + 1] = np.where(fenced[at_adders[:, d], d], 0, total >> 1)
    return Flow(partial, counts, constants, carries, bits)


def _diagonal(n: int, combination: Combination) -> Bools:
    """For bipolar bits, the main diagonal: its cells are XORs, nothing is inverted."""
    return np.eye(n, dtype=np.bool_) & bipolar(combination)


def steps(n: int, combination: Combination, a: int, b: int) -> Flow:
    """The flow of one token whose setting goes with it; T = 1."""
    still = np.zeros((1, 2 * n), np.int64)
    return flow(n, [combination], np.array([a]), np.array([b]), still, still)


def cycles(n: int) -> tuple[Ints, Ints]:
    """How many cycles after it entered a token is in the cells of each column, and when that column is added.

    Two integer arrays of shape (2N,). Column 2N - 1 has no cells: it is added together with the one before.
    """
    in_cells = np.arange(2 * n) + 1
    return in_cells, np.minimum(in_cells + 1, 2 * n)


def late(n: int, before: Combination, after: Combination, gap: int, a: Ints, b: Ints) -> Bools:
    """Which of the last T tokens before a switch of a *global* setting come out wrong; shape (S, T).

    S streams of tokens `a`, `b` (shape (S, T), oldest first) enter one a cycle and ask for `before`; `gap` idle cycles
    follow, then a token enters that asks for `after`. The wire changes as late as that token allows: in the cycle in
    which it reaches its first cell. A model of our pipeline with its tag taken away, not of anybody's hardware.
    """
    streams, tokens = a.shape
    entered = np.tile(np.arange(-tokens, 0), streams)[:, None]  # cycles, the first idle one being 0
    in_cells, in_adders = cycles(n)
    changed = gap + 1  # the new token enters in cycle `gap`
    at_cells = (entered + in_cells >= changed).astype(np.int64)
    at_adders = (entered + in_adders >= changed).astype(np.int64)
    products = flow(n, [before, after], a.ravel(), b.ravel(), at_cells, at_adders).products
    return products.reshape(streams, tokens) != model.products(a, b, n, before)
