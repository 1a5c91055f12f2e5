"""The fast simulation of accelerators against the plain one: random networks whose results differ in anything.

`gates` computes all multiply-accumulate units at once from the gates that yosys makes of them; everything it gives
(sums, counters, cycles of each batch) must be what Verilator gives for the whole RTL, with weights that come at once,
slowly and at random. A bank of 320 units is more than a machine word of C++ holds; it meets the oracle and the model.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import assemble

sys.path.insert(0, str(Path(__file__).parents[1] / "rtl"))
from accelerator_layers import draw, execute, random_network  # beside the RTL tests

BAR = "bitsys-accelerator-gates"
STUDY = "bitsys"
KIND = "long"
UNIT = "networks whose results differ, of 72"
TARGET = "== 0"
READS = ("rtl/**/*.sv", "rtl/lint/*", "rtl/sim/**/*.cpp", "tests/rtl/accelerator_layers.py")

MACHINES = (
    Machine("systolic", "bitsys", rows=2, columns=2, port_bits=8),
    Machine("systolic", "mtree", rows=2, columns=4, port_bits=32),
    Machine("systolic", "bitshift", rows=1, columns=2, port_bits=16),
    Machine("single_layer", "fixed", rows=3, columns=4, port_bits=32),
    Machine("systolic", "mtree", rows=4, columns=2, port_bits=8, bands=2),
)
WIDE = Machine("single_layer", "fixed", rows=5, columns=64, port_bits=32)
RUNS = 12


def measure() -> float:
    """Runs of a network a band."""
    differing = 0
    for number, machine in enumerate((*MACHINES, WIDE)):
        found = sum(differs(machine, np.random.default_rng((41, number, run))) for run in range(RUNS))
        print(f"{machine.label}: {found} of {RUNS}", flush=True)
        differing += found
    return float(differing)


def differs(machine: Machine, rng: np.random.Generator) -> bool:
    """One run."""
    batches = int(rng.integers(1, 4))
    networks, images, programs = [], [], []
    for _ in range(machine.bands):
        layers, some = random_network(rng)
        batch = int(rng.integers(1, 5))
        networks.append(layers)
        images.append(draw(rng, (batch * batches, *some.shape[1:]), layers[0].width, layers[0].activation))
        programs.append(assemble(machine, layers, some.shape[1:3], batch))
    supply = Supply(int(rng.integers(1, 6)), bool(rng.integers(2)))
    idle = 0 if machine == WIDE else int(rng.choice([0, 0, 40]))
    fast = simulate.run_bands(machine, programs, images, supply, idle_percent=idle, units="gates")
    if machine == WIDE:
        return not all(
            np.array_equal(one.sums, execute(layers, values))
            and all(batch == predict(machine, program.instructions, supply) for batch in one.counters)
            for one, layers, values, program in zip(fast, networks, images, programs, strict=True)
        )
    plain = simulate.run_bands(machine, programs, images, supply, idle_percent=idle, units="rtl")
    return not all(
        np.array_equal(one.sums, other.sums) and one.counters == other.counters and one.elapsed == other.elapsed
        for one, other in zip(fast, plain, strict=True)
    )
