"""Compare the RTL with the model: every operand pair, or random traffic."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from triptych.bitsys import model, vectors
from triptych.bitsys.model import Bools
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

    Meant for N = 4 and 8; N = 16 would be 73 thousand million tokens. Raises ValueError there.
    """
    design = sweep.design
    if design.n > 8:
        raise ValueError(f"N = {design.n} has {1 << 2 * design.n} operand pairs; use `scattered`")
    start = time.perf_counter()
    combinations = model.combinations(design.widths)
    stimuli = [vectors.exhaustive(design.n, design.widths, combination) for combination in combinations]
    expected = [model.products(s.a, s.b, design.n, c) for s, c in zip(stimuli, combinations, strict=True)]
    stimulus = vectors.join(stimuli)
    response = sweep.answer(stimulus)
    products = np.concatenate(expected)
    wrong = vectors.mismatches(stimulus, response, products)
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
    return Verdict(table, time.perf_counter() - start, _examples(stimulus, response, products, wrong))


def scattered(sweep: Sweep, cycles: int, seed: int, gaps: float = 0.2) -> Verdict:
    """Random traffic: operands, mode, both signs and `last` anew on every cycle, idle with probability `gaps`.

    Idle cycles are judged as well (nothing may come out) and counted under width 0.
    """
    design = sweep.design
    start = time.perf_counter()
    stimulus = vectors.scattered(design.n, design.widths, cycles, np.random.default_rng(seed), gaps)
    response = sweep.answer(stimulus)
    products = vectors.expected(design.n, design.widths, stimulus)
    wrong = vectors.mismatches(stimulus, response, products)
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
    return Verdict(table, time.perf_counter() - start, _examples(stimulus, response, products, wrong))


def _examples(stimulus: Stimulus, response: Response, products: model.Ints, wrong: Bools) -> list[str]:
    """The first few mismatches, in words."""
    return [
        f"row {row}: a={stimulus.a[row]:#x} b={stimulus.b[row]:#x} mode={stimulus.mode[row]} "
        f"signs={int(stimulus.a_signed[row])}{int(stimulus.b_signed[row])}: products {response.product[row]:#x}, "
        f"expected {products[row]:#x}; valid {response.valid[row]}"
        for row in np.flatnonzero(wrong)[:5]
    ]
