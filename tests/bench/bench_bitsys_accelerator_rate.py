"""How fast a 16 × 16 systolic array of BitSys multipliers is simulated, once it is compiled.

The units are simulated as gates, all at once (`triptych.bitsys.accelerator.lanes`); as RTL in Verilator, as everything
around them, the array makes about 4,600 cycles/s. The bar `bitsys-accelerator-gates` holds the two to the same results.
"""

from __future__ import annotations

import time

import numpy as np

from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.layers import Layer, Raw
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import assemble

BAR = "bitsys-accelerator-rate"
STUDY = "bitsys"
KIND = "long"
UNIT = "cycles/s"
TARGET = ">= 30000"
READS = ("rtl/*/*.sv", "rtl/sim/accelerator*", "rtl/sim/lanes/*")


def measure() -> float:
    """Cycles a second of wall time of a dense layer of random weights, files written and read included."""
    machine = Machine("systolic", "bitsys", rows=16, columns=16, port_bits=128)
    rng = np.random.default_rng(0)
    layer = Layer(
        "dense", rng.integers(-128, 128, (64, 1, 1, 784)), 8, "unsigned", "signed", Raw(np.zeros(64, np.int64))
    )
    program = assemble(machine, [layer], (1, 1), 16)
    images = rng.integers(0, 256, (16 * 40, 1, 1, 784))
    simulate.run(program, images[:16], units="gates")  # compiles it
    before = time.perf_counter()
    outcome = simulate.run(program, images, units="gates")
    return outcome.cycles / (time.perf_counter() - before)
