"""Whole networks on the RTL of a machine, against the executor, and its counters against the cycle model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from triptych.bitsys import builds
from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.model import Ints
from triptych.bitsys.networks import integer
from triptych.bitsys.networks.integer import Network


class Checked(BaseModel):
    """Images run, sums that differ from the executor's, layers run, and layers whose counters differ from the model's.

    `cycles` of all batches; `layer_cycles` of the first batch.
    """

    images: int
    sums: int
    wrong_sums: int
    layers: int
    wrong_counters: int
    cycles: int
    layer_cycles: list[int]


@dataclass(frozen=True)
class Case:
    """What is run: a network on a machine, in batches, with weights at some speed."""

    machine: Machine
    network: Network
    batch: int = 1
    supply: Supply = field(default_factory=Supply)


def check(case: Case, values: Ints) -> Checked:
    """Run values (n, height, width, channels) and compare everything. Raises as `simulate.run`."""
    program = case.network.assemble(case.machine, case.batch)
    outcome = simulate.run(program, values, case.supply)
    wanted = integer.run(case.network, values)[-1].wrote
    model = predict(case.machine, program.instructions, case.supply)
    differing = [
        got != said for batch in outcome.counters for got, said in zip(batch, model, strict=True)
    ]  # every batch takes the same cycles
    return Checked(
        images=len(values),
        sums=wanted.size,
        wrong_sums=int((outcome.sums != wanted).sum()),
        layers=len(differing),
        wrong_counters=sum(differing),
        cycles=outcome.cycles,
        layer_cycles=[one.total for one in outcome.counters[0]],
    )


def kept(case: Case, values: Ints) -> Checked:
    """As `check`, kept by the RTL, the network, the machine and the images: a long series goes on where it stopped."""
    from hashlib import sha256

    from triptych.bitsys.networks.trained import packed

    binary = simulate.build(case.machine)
    facts = {
        "simulator": binary.parent.name,
        "network": sha256(packed(case.network)).hexdigest(),
        "images": sha256(np.ascontiguousarray(values).tobytes()).hexdigest(),
        "batch": case.batch,
        "supply": [case.supply.throttle, case.supply.prefetch],
    }
    sources = [Path(__file__), Path(integer.__file__)]
    sources += [Path(__file__).parents[1] / "accelerator" / f"{name}.py" for name in ("program", "cycles", "simulate")]

    def make(folder: Path) -> None:
        (folder / "checked.json").write_text(check(case, values).model_dump_json(indent=1), "utf-8")

    folder = builds.once("checked", builds.key(sources, facts), make)
    return Checked.model_validate_json((folder / "checked.json").read_bytes())
