"""How fast a 16 × 16 systolic array of BitSys multipliers is simulated, once it is compiled.

The units are simulated as gates, all at once (`triptych.bitsys.accelerator.lanes`); as RTL in Verilator, as everything
around them, the array makes about 4,600. The bar `bitsys-accelerator-gates` holds the two to the same results.
"""

from __future__ import annotations

import resource

import numpy as np

from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.layers import Layer, Raw
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import assemble

BAR = "bitsys-accelerator-rate"
STUDY = "bitsys"
KIND = "long"
UNIT = "cycles a second of processor time"
TARGET = ">= 30000"
READS = ("rtl/*/*.sv", "rtl/sim/accelerator*", "rtl/sim/lanes/*")


def measure() -> float:
    """Cycles of a dense layer of random weights, by the seconds that writing the files, simulating and reading take on
    one core: what the clock on the wall says on a machine that does nothing else.
    """
    machine = Machine("systolic", "bitsys", rows=16, columns=16, port_bits=128)
    rng = np.random.default_rng(0)
    layer = Layer(
        "dense", rng.integers(-128, 128, (64, 1, 1, 784)), 8, "unsigned", "signed", Raw(np.zeros(64, np.int64))
    )
    program = assemble(machine, [layer], (1, 1), 16)
    images = rng.integers(0, 256, (16 * 40, 1, 1, 784))
    simulate.run(program, images[:16], units="gates")  # compiles it
    before = seconds()
    outcome = simulate.run(program, images, units="gates")
    return outcome.cycles / (seconds() - before)


def seconds() -> float:
    """Processor time of this process and of those it started and waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
