"""Errors and lost cycles with precision and signs drawn anew for each of 1.2 million tokens, back to back, at N = 8."""

from __future__ import annotations

import numpy as np

from triptych.bitsys import vectors, verify
from triptych.bitsys.design import Design
from triptych.bitsys.simulate import Sweep

BAR = "bitsys-precision-switch"
STUDY = "bitsys"
KIND = "short"
UNIT = "errors + idle cycles"
TARGET = "== 0"
READS = ("rtl/bitsys/*.sv", "rtl/baselines/*.sv", "rtl/sim/bitsys_sweep.sv")
TOKENS = 1_200_000


def measure() -> float:
    """Wrong or late results, and cycles between the first and the last result that bring none."""
    design = Design()
    stimulus = vectors.scattered(design.n, design.widths, TOKENS, np.random.default_rng(2602), gaps=0)
    response, _, wrong = verify.judge(Sweep.of(design), stimulus)
    return float(np.count_nonzero(wrong) + np.count_nonzero(~response.valid))
