"""How fast and how large the units of an accelerator are: accelerators_core, placed on an ECP5, mapped to UltraScale+.

It is the array or the bank with the registers that feed it, without memories and sequencer, so that the multiplier and
the way operands reach it are what limits the clock. `python -m triptych.bitsys.accelerator.speed --rows 2 --columns 2`
measures every multiplier in both dataflows, keeps each seed's run as it comes, and goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from triptych import paths
from triptych.bitsys import place, synthesise
from triptych.bitsys.accelerator.machine import DATAFLOWS, MULTIPLIERS, Dataflow, Machine
from triptych.bitsys.design import KINDS, Design, needed
from triptych.bitsys.place import SEEDS, Placed
from triptych.bitsys.synthesise import Resources


@dataclass(frozen=True)
class Core(Design):
    """The units of a machine as a design that can be mapped, placed and counted."""

    dataflow: Dataflow = "systolic"
    rows: int = 2
    columns: int = 2

    @property
    def top(self) -> str:
        return "accelerators_core"

    @property
    def parameters(self) -> dict[str, int]:
        return {
            "Systolic": int(self.dataflow == "systolic"),
            "Kind": KINDS.index(self.kind),
            "N": self.n,
            "Widths": sum(1 << width for width in self.widths),
            "AccWidth": self.acc_width,
            "Rows": self.rows,
            "Columns": self.columns,
        }

    @cached_property
    def sources(self) -> list[Path]:
        rtl = paths.rtl()
        return needed(self.top, [rtl / "bitsys", rtl / "baselines", rtl / "accelerators"])


def core(machine: Machine) -> Core:
    """The units of a machine."""
    return Core(
        n=machine.n,
        widths=machine.widths,
        unit="mac",
        acc_width=machine.acc_width,
        kind=machine.kind,
        dataflow=machine.dataflow,
        rows=machine.rows,
        columns=machine.columns,
    )


def fmax(machine: Machine, seeds: Sequence[int] = SEEDS) -> Placed:
    """The clock of a machine's units on an ECP5. Raises as `place.fmax` does."""
    return place.fmax(core(machine), seeds)


def resources(machine: Machine) -> Resources:
    """UltraScale+ cells of a machine's units. Raises as `synthesise.resources` does."""
    return synthesise.resources(core(machine))


def main() -> None:
    """One JSON line a design: median and all seeds in MHz, and cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    chosen = parser.parse_args()
    for kind in reversed(MULTIPLIERS):
        for dataflow in DATAFLOWS:
            machine = Machine(dataflow, kind, rows=chosen.rows, columns=chosen.columns, port_bits=8)
            placed, cells = fmax(machine, chosen.seeds), resources(machine)
            line = {"machine": machine.label, "mhz": placed.median_mhz, "seeds": [run.mhz for run in placed.runs]}
            print(json.dumps({**line, "lut": cells.lut, "srl": cells.srl, "ff": cells.ff}), flush=True)


if __name__ == "__main__":
    main()
