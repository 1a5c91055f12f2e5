"""Random networks through compiler, executor and RTL: networks of which a sum or a counter is wrong.

Both machines with each of the four multipliers, of different sizes and ports, and two arrays that are cut into bands,
whose bands run a network each at once. Shapes, modes, signs, strides, padding, pooling, batches, prefetch and the speed
of the weights are drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.layers import Layer
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import Program, assemble
from triptych.bitsys.model import Ints

sys.path.insert(0, str(Path(__file__).parents[1] / "rtl"))
from accelerator_layers import draw, execute, random_network  # beside the RTL tests

BAR = "bitsys-accelerator-random"
STUDY = "bitsys"
KIND = "long"
UNIT = "networks with a wrong sum or counter, of 208"
TARGET = "== 0"
READS = ("rtl/*/*.sv", "rtl/lint/*", "rtl/sim/accelerator*", "tests/rtl/accelerator_layers.py")

MACHINES = (
    Machine("systolic", "bitsys", rows=2, columns=2, port_bits=8),
    Machine("systolic", "fixed", rows=4, columns=2, port_bits=1),
    Machine("systolic", "mtree", rows=2, columns=4, port_bits=32),
    Machine("systolic", "bitshift", rows=1, columns=2, port_bits=16),
    Machine("single_layer", "bitsys", rows=2, columns=2, port_bits=4),
    Machine("single_layer", "fixed", rows=3, columns=4, port_bits=32),
    Machine("single_layer", "mtree", rows=1, columns=2, port_bits=8),
    Machine("single_layer", "bitshift", rows=2, columns=2, port_bits=32),
    Machine("systolic", "bitsys", rows=2, columns=2, port_bits=16, bands=2),
    Machine("systolic", "mtree", rows=4, columns=2, port_bits=8, bands=2),
)
RUNS = {1: 20, 2: 12}
"""Runs of a machine by its bands; a run is a network a band."""


def measure() -> float:
    """160 networks on whole machines, 48 in bands."""
    wrong = 0
    for number, machine in enumerate(MACHINES):
        found = sum(wrong_networks(machine, np.random.default_rng((number, run))) for run in range(RUNS[machine.bands]))
        print(f"{machine.label}: {found} of {RUNS[machine.bands] * machine.bands}", flush=True)
        wrong += found
    return wrong


def wrong_networks(machine: Machine, rng: np.random.Generator) -> int:
    """One run, a network a band: how many of them have a wrong sum or counter."""
    networks, images, programs = list[list[Layer]](), list[Ints](), list[Program]()
    batches = int(rng.integers(1, 4))
    for _ in range(machine.bands):
        layers, some = random_network(rng)
        batch = int(rng.integers(1, 5))
        networks.append(layers)
        images.append(draw(rng, (batch * batches, *some.shape[1:]), layers[0].width, layers[0].activation))
        programs.append(assemble(machine, layers, some.shape[1:3], batch))
    supply = Supply(int(rng.integers(1, 6)), bool(rng.integers(2)))
    wrong = 0
    for layers, values, program, outcome in zip(
        networks, images, programs, simulate.run_bands(machine, programs, images, supply), strict=True
    ):
        predicted = predict(machine, program.instructions, supply)
        right = np.array_equal(outcome.sums, execute(layers, values))
        wrong += not (right and all(batch == predicted for batch in outcome.counters))
    return wrong
