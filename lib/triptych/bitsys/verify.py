"""Compare the RTL with the model: every operand pair, or random traffic."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from triptych.bitsys import model, vectors
from triptych.bitsys.design import Design
from triptych.bitsys.model import Bools, Combination, Ints
from triptych.bitsys.simulate import Sweep
from triptych.bitsys.vectors import Response, Stimulus


@dataclass(frozen=True)
class Verdict:
    """What was compared and what differed.

    `table` has a row for each combination of mode and signs (columns width, a, b, vectors, mismatches). `seconds` is
    wall time for everything but compiling: vectors made, simulated, read back and compared.
    """

    table: pd.DataFrame
    seconds: float
    examples: list[str]

    @property
    def vectors(self) -> int:
        """Tokens compared."""
        return int(self.table["vectors"].to_numpy().sum())

    @property
    def mismatches(self) -> int:
        """Tokens whose products, tag or time of arrival are wrong."""
        return int(self.table["mismatches"].to_numpy().sum())

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.vectors / self.seconds


def exhaustive(sweep: Sweep) -> Verdict:
    """Every pair of operands in every combination of mode and signs: 17 × 2^(2N) tokens when four widths are listed.

    A multiply-accumulate unit gets each as a dot product of its own. Meant for N = 4 and 8; N = 16 would be 73 thousand
    million tokens. Raises ValueError there.
    """
    design = sweep.design
    if design.n > 8:
        raise ValueError(f"N = {design.n} has {1 << 2 * design.n} operand pairs; use `scattered`")
    start = time.perf_counter()
    combinations = model.combinations(design.widths)
    stimuli = [vectors.exhaustive(design.n, design.widths, combination) for combination in combinations]
    expected = np.concatenate([_alone(design, s.a, s.b, c) for s, c in zip(stimuli, combinations, strict=True)])
    stimulus = vectors.join(stimuli)
    if design.unit == "mac":
        stimulus = replace(stimulus, last=stimulus.valid)
    response = sweep.answer(stimulus)
    wrong = _mismatches(design, stimulus, response, expected)
    each = 1 << 2 * design.n
    table = pd.DataFrame(
        {
            "width": [combination.width for combination in combinations],
            "a": [combination.a for combination in combinations],
            "b": [combination.b for combination in combinations],
            "vectors": each,
            "mismatches": wrong.reshape(-1, each).sum(axis=1),
        }
    )
    return Verdict(table, time.perf_counter() - start, _examples(stimulus, response, expected, wrong))


def scattered(sweep: Sweep, cycles: int, seed: int, gaps: float = 0.2, closing: float = 0.2) -> Verdict:
    """Random traffic: operands, mode, both signs and `last` anew on every cycle, idle with probability `gaps`.

    `closing` is the probability of `last`, so a multiply-accumulate unit gets dot products of 1 / closing tokens on
    average. Idle cycles are judged as well (nothing may come out) and counted under width 0.
    """
    design = sweep.design
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    stimulus = vectors.scattered(design.n, design.widths, cycles, rng, gaps)
    if design.unit == "mac":
        stimulus = replace(stimulus, last=rng.random(cycles) < closing)
    response, expected, wrong = judge(sweep, stimulus)
    frame = pd.DataFrame(
        {
            "width": np.where(stimulus.valid, np.array(design.widths)[stimulus.mode], 0),
            "a": stimulus.a_signed & stimulus.valid,
            "b": stimulus.b_signed & stimulus.valid,
            "mismatches": wrong,
        }
    )
    table = frame.groupby(["width", "a", "b"], as_index=False).agg(
        vectors=("mismatches", "size"), mismatches=("mismatches", "sum")
    )
    return Verdict(table, time.perf_counter() - start, _examples(stimulus, response, expected, wrong))


def judge(sweep: Sweep, stimulus: Stimulus) -> tuple[Response, Ints, Bools]:
    """What a design of any kind answers, what it should answer on each row, and the rows on which it is wrong."""
    design = sweep.design
    response = sweep.answer(stimulus)
    single = design.kind == "fixed"
    if design.unit == "mac":
        expected = vectors.expected_sums(design.n, design.widths, stimulus, design.acc_width, single=single)
    else:
        expected = vectors.expected(design.n, design.widths, stimulus, single=single)
    return response, expected, _mismatches(design, stimulus, response, expected)


def _alone(design: Design, a: Ints, b: Ints, combination: Combination) -> Ints:
    """What a design answers to containers a and b, by the model, if each pair is a dot product of its own."""
    if design.kind == "fixed":
        x = model.decode(a, design.n, combination.width, combination.a)[..., 0]
        y = model.decode(b, design.n, combination.width, combination.b)[..., 0]
        values = x * y
        products = values & ((1 << 2 * combination.width) - 1)
    else:
        values = model.values(a, b, design.n, combination)
        products = model.products(a, b, design.n, combination)
    return products if design.unit == "mul" else values & ((1 << design.acc_width) - 1)


def _mismatches(design: Design, stimulus: Stimulus, response: Response, expected: Ints) -> Bools:
    compare = vectors.mismatches if design.unit == "mul" else vectors.sum_mismatches
    return compare(stimulus, response, expected)


def _examples(stimulus: Stimulus, response: Response, products: model.Ints, wrong: Bools) -> list[str]:
    """The first few mismatches, in words."""
    return [
        f"row {row}: a={stimulus.a[row]:#x} b={stimulus.b[row]:#x} mode={stimulus.mode[row]} "
        f"signs={int(stimulus.a_signed[row])}{int(stimulus.b_signed[row])}: products {response.product[row]:#x}, "
        f"expected {products[row]:#x}; valid {response.valid[row]}"
        for row in np.flatnonzero(wrong)[:5]
    ]
