"""A change of mode in every tile against the same schedule in one mode: cycles that differ, sums that are wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from triptych.bitsys import model
from triptych.bitsys.accelerator import simulate

sys.path.insert(0, str(Path(__file__).parents[1] / "rtl"))
from test_accelerators import SYSTOLIC, schedule  # beside the RTL tests

BAR = "bitsys-accelerator-precision-switch"
STUDY = "bitsys"
KIND = "short"
UNIT = "cycles + wrong sums"
TARGET = "== 0"
READS = ("rtl/*/*.sv", "rtl/sim/accelerator*", "tests/rtl/*accelerator*.py")


def measure() -> float:
    """Thirty tiles of one to sixteen tokens."""
    every = model.combinations(SYSTOLIC.widths)
    off = 0
    for tokens in (1, 2, 3, 8, 16):
        rng = np.random.default_rng(tokens)
        mixed = [every[i] for i in rng.integers(0, len(every), 30)]
        cycles = list[int]()
        for requests in (mixed, [every[-1]] * len(mixed)):
            program, images, weights = schedule(rng, requests, tokens)
            outcome = simulate.run(program, images)
            cycles.append(outcome.cycles)
            for number, (request, b) in enumerate(zip(requests, weights, strict=True)):
                want = model.values(images[:, 0, 0, :, None], b[None], 8, request).sum(axis=1)
                off += int(np.count_nonzero(outcome.sums[:, 0, 0, 2 * number : 2 * number + 2] != want))
        off += abs(cycles[0] - cycles[1])
    return off
