"""What is fed to the hardware, one row a clock cycle, and what must come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from triptych.bitsys import model
from triptych.bitsys.model import Bools, Ints


@dataclass(frozen=True)
class Stimulus:
    """The inputs over time: arrays of one length, one element a cycle.

    `mode` is the index of the width in the ascending list; `a` and `b` are containers; `rst_n` false resets.
    """

    rst_n: Bools
    valid: Bools
    last: Bools
    a_signed: Bools
    b_signed: Bools
    mode: Ints
    a: Ints
    b: Ints

    def __len__(self) -> int:
        return len(self.valid)


@dataclass(frozen=True)
class Response:
    """The outputs, element t those of `latency` cycles after row t of the stimulus was taken.

    `product` holds the packed products, or the sum where a dot product ends (then `last` equals `valid`). Row t is
    taken in cycle t, or in cycle `entered[t]` by a design that lets tokens wait, whose latency may differ by row.
    """

    valid: Bools
    last: Bools
    a_signed: Bools
    b_signed: Bools
    mode: Ints
    product: Ints
    latency: int | Ints
    entered: Ints | None = None

    def __len__(self) -> int:
        return len(self.valid)


def join(parts: Sequence[Stimulus]) -> Stimulus:
    """Stimuli one after the other."""
    return Stimulus(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Stimulus)))


def idle(cycles: int) -> Stimulus:
    """Cycles in which no token enters."""
    no, zero = np.zeros(cycles, np.bool_), np.zeros(cycles, np.int64)
    return Stimulus(~no, no, no, no, no, zero, zero, zero)


def exhaustive(n: int, widths: Sequence[int], combination: model.Combination) -> Stimulus:
    """All 2^N × 2^N operand pairs of one combination, a token a cycle, the last one marked."""
    pairs = np.arange(1 << 2 * n, dtype=np.int64)
    yes = np.ones(len(pairs), np.bool_)
    return Stimulus(
        rst_n=yes,
        valid=yes,
        last=pairs == len(pairs) - 1,
        a_signed=yes & combination.a_signed,
        b_signed=yes & combination.b_signed,
        mode=np.full(len(pairs), sorted(widths).index(combination.width)),
        a=pairs >> n,
        b=pairs & ((1 << n) - 1),
    )


def scattered(n: int, widths: Sequence[int], cycles: int, rng: np.random.Generator, gaps: float = 0.2) -> Stimulus:
    """Random operands, mode, signs and `last` on every cycle, idle with probability `gaps`.

    A quarter of the operands are corners (zero, ones, a single one, a single zero), where carries and signs meet. Idle
    cycles carry random operands too: what is not valid must not matter.
    """
    return Stimulus(
        rst_n=np.ones(cycles, np.bool_),
        valid=rng.random(cycles) >= gaps,
        last=rng.random(cycles) < 0.2,
        a_signed=rng.random(cycles) < 0.5,
        b_signed=rng.random(cycles) < 0.5,
        mode=rng.integers(0, len(widths), cycles),
        a=_operands(n, cycles, rng),
        b=_operands(n, cycles, rng),
    )


def _operands(n: int, count: int, rng: np.random.Generator) -> Ints:
    ones = (1 << n) - 1
    single = 1 << np.arange(n)
    corners = np.concatenate([[0, ones], single, ones ^ single])
    return np.where(rng.random(count) < 0.25, rng.choice(corners, count), rng.integers(0, 1 << n, count))


def expected(n: int, widths: Sequence[int], stimulus: Stimulus, *, single: bool = False) -> Ints:
    """The packed products of every row by the model, each in its own mode and signs; shape (cycles,).

    With `single` only that of channel 0, as of a multiplier that has no other.
    """
    products = _each(n, widths, stimulus, model.products)
    return products & _field(widths, stimulus) if single else products


def expected_sums(n: int, widths: Sequence[int], stimulus: Stimulus, acc_width: int, *, single: bool = False) -> Ints:
    """On every row, the dot product so far, by the model, modulo 2^acc_width (at most 62); shape (cycles,).

    A dot product begins after the token marked last, or after a reset, and ends with the row. With `single` a token is
    worth the product of channel 0.
    """
    rows = np.arange(len(stimulus))
    if single:
        field = _field(widths, stimulus)
        values = expected(n, widths, stimulus, single=True)
        negative = (stimulus.a_signed | stimulus.b_signed) & (values > field >> 1)
        values = np.where(negative, values - field - 1, values)
    else:
        values = _each(n, widths, stimulus, model.values)
    tokens = np.where(stimulus.valid, values, 0)
    totals = np.concatenate([[0], np.cumsum(tokens)])
    after = np.where(stimulus.valid & stimulus.last | ~stimulus.rst_n, rows + 1, 0)
    start = np.concatenate([[0], np.maximum.accumulate(after)[:-1]])
    return (totals[1:] - totals[start]) & ((1 << acc_width) - 1)


def _field(widths: Sequence[int], stimulus: Stimulus) -> Ints:
    """On every row, ones in the bits of channel 0's product."""
    return (1 << 2 * np.array(sorted(widths))[stimulus.mode]) - 1


def _each(
    n: int,
    widths: Sequence[int],
    stimulus: Stimulus,
    compute: Callable[[Ints, Ints, int, model.Combination], Ints],
) -> Ints:
    """`compute` on the operands of every row, each in its own mode and signs."""
    answer = np.zeros(len(stimulus), np.int64)
    for combination in model.combinations(widths):
        if (combination.a == "signed") != combination.a_signed and combination.a != "bipolar":
            continue  # a second reading of a request that another combination covers
        rows = (
            (stimulus.mode == sorted(widths).index(combination.width))
            & (stimulus.a_signed == combination.a_signed)
            & (stimulus.b_signed == combination.b_signed)
        )
        answer[rows] = compute(stimulus.a[rows], stimulus.b[rows], n, combination)
    return answer


def mismatches(stimulus: Stimulus, response: Response, products: Ints) -> Bools:
    """Rows whose answer is wrong: `valid` itself or, on a row that should be valid, the products or part of the tag.

    The latency is judged too: an answer that comes a cycle early or late stands in another row.
    """
    wrong = (
        (response.product != products)
        | (response.last != stimulus.last)
        | (response.a_signed != stimulus.a_signed)
        | (response.b_signed != stimulus.b_signed)
        | (response.mode != stimulus.mode)
    )
    due = survives(stimulus, response.latency, response.entered)
    return (response.valid != due) | (due & wrong)


def sum_mismatches(stimulus: Stimulus, response: Response, sums: Ints) -> Bools:
    """As `mismatches`, for dot products: a sum must come out for each last token, with that token's mode and signs."""
    wrong = (
        (response.product != sums)
        | (response.a_signed != stimulus.a_signed)
        | (response.b_signed != stimulus.b_signed)
        | (response.mode != stimulus.mode)
    )
    due = survives(stimulus, response.latency, response.entered) & stimulus.last
    return (response.valid != due) | (due & wrong)


def survives(stimulus: Stimulus, latency: int | Ints, entered: Ints | None = None) -> Bools:
    """Rows that must come out valid: valid tokens that no reset hits on their way, the entry cycle included.

    Latency and `entered` as in `Response`.
    """
    cycles = np.arange(len(stimulus)) if entered is None else entered
    resets = cycles[~stimulus.rst_n]
    return stimulus.valid & (np.searchsorted(resets, cycles) == np.searchsorted(resets, cycles + latency))
