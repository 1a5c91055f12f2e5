"""What makes one machine faster than another, taken apart: cycles from dataflow and multiplier, and the clock.

Time of an image is cycles / Fmax. From the fixed multiplier in the single-layer bank to BitSys in the systolic array,
the speed-up is (cycles of the one / cycles of the other) × (clock of the other / clock of the one). Cycles can be
changed in two steps, dataflow and multiplier, in either order; both orders are told. Ratios are above 1 when faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.machine import DATAFLOWS, MULTIPLIERS, Machine
from triptych.bitsys.accelerator.program import assemble
from triptych.bitsys.networks import precision
from triptych.bitsys.networks.integer import Network
from triptych.bitsys.networks.quantised import parse

PAPER = (1.3185, 3.5671)
"""Smallest and largest end-to-end speed-up of arXiv 2602.23334, as a published review gives them."""


def cycles_table(
    network: Network,
    mixes: Sequence[str],
    rows: int = 4,
    columns: int = 4,
    images: int = 1,
    supply: Supply | None = None,
    port_bits: int = 0,
) -> pd.DataFrame:
    """Cycles of an image for each dataflow, multiplier and mix, all with rows × columns units and the same memories.

    Columns: dataflow, kind, mix, cycles (of an image, in batches of `images`), utilisation (useful multiplications by
    possible ones over all layers). `port_bits` 0: a token's weights arrive in one word, so each machine's port is as
    wide as it can use.
    """
    found: list[dict[str, object]] = []
    for dataflow in DATAFLOWS:
        for kind in MULTIPLIERS:
            widest = 8 * (columns if dataflow == "systolic" else rows * columns)
            machine = Machine(dataflow, kind, rows, columns, port_bits=port_bits or widest)
            for mix in mixes:
                layers = precision.blank(network, parse(mix, len(network.layers)))
                program = assemble(machine, layers, network.input.shape[:2], images)
                each = predict(machine, program.instructions, supply)
                total = sum(one.total for one in each)
                useful = sum(one.useful for one in each)
                possible = sum((one.useful + one.padded) / one.busy * one.total for one in each)
                found.append(
                    {
                        "dataflow": dataflow,
                        "kind": kind,
                        "mix": mix,
                        "cycles": total / images,
                        "utilisation": useful / possible,
                    }
                )
    return pd.DataFrame(found)


def factors(
    table: pd.DataFrame, mhz: Mapping[tuple[str, str], float] | None = None, kind: str = "bitsys"
) -> pd.DataFrame:
    """The speed-up of `kind` in the systolic array over the fixed multiplier in the single-layer bank, a row a mix.

    `table` is of `cycles_table`, `mhz` the clock of (dataflow, multiplier). Columns: multiplier (same dataflow, the
    single-layer bank) and dataflow (same multiplier, `kind`), whose product is cycles; multiplier_systolic and
    dataflow_fixed, the same in the other order; clock and speedup, missing where no clock is known.
    """
    spent = {
        (str(one), str(two), str(mix)): float(number)
        for one, two, mix, number in zip(table["dataflow"], table["kind"], table["mix"], table["cycles"], strict=True)
    }
    clocks = mhz or {}
    ours, base = clocks.get(("systolic", kind)), clocks.get(("single_layer", "fixed"))
    clock = ours / base if ours and base else None
    found: list[dict[str, object]] = []
    for mix in dict.fromkeys(str(one) for one in table["mix"]):
        old, new = spent["single_layer", "fixed", mix], spent["systolic", kind, mix]
        bank, array = spent["single_layer", kind, mix], spent["systolic", "fixed", mix]
        found.append(
            {
                "mix": mix,
                "multiplier": old / bank,
                "dataflow": bank / new,
                "multiplier_systolic": array / new,
                "dataflow_fixed": old / array,
                "cycles": old / new,
                "clock": clock,
                "speedup": old / new * clock if clock else None,
            }
        )
    return pd.DataFrame(found)
