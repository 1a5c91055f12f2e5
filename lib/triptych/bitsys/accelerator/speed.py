"""How fast and how large the units of an accelerator are: accelerators_core, placed on an ECP5, mapped to UltraScale+.

It is the array or the bank with the registers that feed it, without memories and sequencer, so that the multiplier and
the way operands reach it are what limits the clock. `python -m triptych.bitsys.accelerator.speed --rows 2 --columns 2`
measures every multiplier in both dataflows, keeps each seed's run as it comes, and goes on where it was interrupted or
where the record of the same netlist ends; with `--keep` it writes `recorded_file()`, which `recorded` reads.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from triptych import paths
from triptych.bitsys import measure, netlist, place, synthesise
from triptych.bitsys.accelerator.machine import DATAFLOWS, MULTIPLIERS, Dataflow, Machine
from triptych.bitsys.design import KINDS, Design, Kind, needed
from triptych.bitsys.place import SEEDS, Placed, Run
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


def fmax(machine: Machine, seeds: Sequence[int] = SEEDS, known: Placed | None = None) -> Placed:
    """The clock of a machine's units on an ECP5.

    Runs of `known` of the same netlist, settings and nextpnr would come out the same and are not repeated. Raises as
    `place.fmax` does.
    """
    design, had = core(machine), dict[int, Run]()
    same = known and (known.netlist, known.settings) == (netlist.digest(design), list(place.SETTINGS))
    if known and same and place.version() in known.tools.values():
        had = {run.seed: run for run in known.runs}
    missing = [seed for seed in seeds if seed not in had]
    placed = place.fmax(design, missing) if missing or not known else known
    had |= {run.seed: run for run in placed.runs}
    return placed.model_copy(update={"runs": [had[seed] for seed in seeds]})


def resources(machine: Machine) -> Resources:
    """UltraScale+ cells of a machine's units. Raises as `synthesise.resources` does."""
    return synthesise.resources(core(machine))


class Measured(BaseModel):
    """The units of one machine, measured. `rtl`: digest of the sources and parameters that they are made from; `xcup`:
    UltraScale+ cells with shift-register LUTs; `ecp5`: the runs of place and route, whose median is the clock.
    """

    dataflow: Dataflow
    kind: Kind
    rows: int
    columns: int
    rtl: str
    xcup: Resources
    ecp5: Placed


def of(machine: Machine, seeds: Sequence[int] = SEEDS, records: Iterable[Measured] = ()) -> Measured:
    """Measure the units of a machine; what is in the cache or in the records is not measured again.

    Raises as `place.fmax` does.
    """
    held = known(machine, records)
    return Measured(
        dataflow=machine.dataflow,
        kind=machine.kind,
        rows=machine.rows,
        columns=machine.columns,
        rtl=measure.source(core(machine)),
        xcup=resources(machine),
        ecp5=fmax(machine, seeds, held.ecp5 if held else None),
    )


def known(machine: Machine, records: Iterable[Measured]) -> Measured | None:
    """The record of exactly these units, or None: of the same sources, or of others that give the same netlist."""
    made, size = core(machine), (machine.dataflow, machine.kind, machine.rows, machine.columns)
    same = next((one for one in records if (one.dataflow, one.kind, one.rows, one.columns) == size), None)
    if same is None or same.rtl == measure.source(made) or same.ecp5.netlist == netlist.digest(made):
        return same
    return None


def machines(rows: int = 2, columns: int = 2) -> list[Machine]:
    """Every multiplier in both dataflows, of this size."""
    return [
        Machine(dataflow, kind, rows=rows, columns=columns, port_bits=8)
        for kind in reversed(MULTIPLIERS)
        for dataflow in DATAFLOWS
    ]


def recorded_file() -> Path:
    """Where the measurements that the notebooks replay are kept in the checkout: JSON, a list of `Measured`."""
    return paths.root() / "notebooks" / "bitsys" / "recorded" / "04_accelerators" / "clocks.json"


def recorded() -> list[Measured]:
    """What is kept there; nothing when there is no such file. `known` says which of it is of the present RTL."""
    path = recorded_file()
    return TypeAdapter(list[Measured]).validate_json(path.read_bytes()) if path.exists() else []


def main() -> None:
    """One JSON line a design: median and all seeds in MHz, and cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--keep", action="store_true", help="write them where the notebooks look for them")
    chosen = parser.parse_args()
    found, held = list[Measured](), recorded()
    for machine in machines(chosen.rows, chosen.columns):
        one = of(machine, chosen.seeds, held)
        found.append(one)
        line = {"machine": machine.label, "mhz": one.ecp5.median_mhz, "seeds": [run.mhz for run in one.ecp5.runs]}
        print(json.dumps({**line, "lut": one.xcup.lut, "srl": one.xcup.srl, "ff": one.xcup.ff}), flush=True)
    if chosen.keep:
        path = recorded_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [one.model_dump(mode="json") for one in found]
        path.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
