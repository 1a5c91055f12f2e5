"""Random networks through the RTL of both accelerators, W and prefetch drawn too: wrong sums and wrong counters."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import assemble

sys.path.insert(0, str(Path(__file__).parents[1] / "rtl"))
from accelerator_layers import execute, random_network  # beside the RTL tests

BAR = "bitsys-accelerator-random"
STUDY = "bitsys"
KIND = "long"
UNIT = "networks with a wrong sum or counter, of 200"
TARGET = "== 0"
READS = ("rtl/*/*.sv", "rtl/sim/accelerator*", "tests/rtl/accelerator_layers.py")
MACHINES = (
    Machine("systolic", "bitsys", rows=2, columns=2, port_bits=8),
    Machine("single_layer", "fixed"),
    Machine("systolic", "fixed"),
    Machine("single_layer", "bitsys", rows=2, columns=2, port_bits=8),
)


def measure() -> float:
    """Fifty networks a machine."""
    wrong = 0
    for number, machine in enumerate(MACHINES):
        for seed in range(50):
            rng = np.random.default_rng((number, seed))
            layers, images = random_network(rng)
            program = assemble(machine, layers, images.shape[1:3], int(rng.integers(1, 5)))
            supply = Supply(int(rng.integers(1, 6)), bool(rng.integers(2)))
            outcome = simulate.run(program, images, supply)
            predicted = predict(machine, program.instructions, supply)
            right = np.array_equal(outcome.sums, execute(layers, images))
            wrong += not (right and all(batch == predicted for batch in outcome.counters))
    return wrong
