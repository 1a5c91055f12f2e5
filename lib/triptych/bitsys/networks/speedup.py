"""What makes one machine faster than another, taken apart: cycles from dataflow and multiplier, and the clock.

Time of an image is cycles / Fmax. From the fixed multiplier in the single-layer bank to BitSys in the systolic array,
the speed-up is (cycles of the one / cycles of the other) × (clock of the other / clock of the one). Cycles can be
changed in two steps, dataflow and multiplier, in either order; both orders are told. Ratios are above 1 when faster.

Clocks are those that `accelerator.speed` has recorded, of small arrays. A larger array is taken to run as fast: its
units are alike and its wires go to neighbours, while those of the single-layer bank, which all units share, get longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from triptych.bitsys.accelerator import speed
from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.machine import DATAFLOWS, MULTIPLIERS, Machine
from triptych.bitsys.accelerator.program import assemble
from triptych.bitsys.networks import precision, shapes
from triptych.bitsys.networks.integer import Network
from triptych.bitsys.networks.quantised import MIXES, parse
from triptych.errors import DataError

PAPER = (1.3185, 3.5671)
"""Smallest and largest end-to-end speed-up of arXiv 2602.23334, as a published review gives them."""

NAMED = tuple(mix for mix in MIXES if len(set(mix)) > 1)
"""The mixes that the bar is about: more than one precision. Networks of one precision are reported apart."""


@dataclass(frozen=True)
class Units:
    """What is recorded of the units of one machine: median clock in MHz with its seeds, and UltraScale+ LUTs of either
    use (logic and shift register)."""

    mhz: float
    seeds: tuple[float, ...]
    luts: int
    size: str


def recorded_units() -> dict[tuple[str, str], Units]:
    """Clock and area by (dataflow, multiplier), of those that are recorded for exactly the present RTL."""
    records = speed.recorded()
    found: dict[tuple[str, str], Units] = {}
    for one in records:
        machine = Machine(one.dataflow, one.kind, one.rows, one.columns, port_bits=8)
        if speed.known(machine, records) is not None:
            seeds = tuple(run.mhz for run in one.ecp5.runs)
            size = f"{one.rows} × {one.columns}"
            found[one.dataflow, one.kind] = Units(one.ecp5.median_mhz, seeds, one.xcup.luts_and_srls, size)
    return found


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
            machine = shapes.roomy(Machine(dataflow, kind, rows, columns, port_bits=port_bits or widest))
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


def two_way(table: pd.DataFrame, units: Mapping[tuple[str, str], Units]) -> pd.DataFrame:
    """Every multiplier in both dataflows against the fixed one in the single-layer bank, a row a machine.

    `table` is of `cycles_table`. Columns: dataflow, kind; of the factor in cycles the smallest and largest over the
    mixes with more than one precision and that of 1111; mhz and clock, the factor in it; smallest, largest and ones,
    their products; luts of the recorded units, and smallest_area, largest_area, the products by the factor in area:
    the speed-up for the same area, if twice the units were twice as fast. Blank where nothing is recorded or 1111 is
    not in the table.
    """
    base = units.get(("single_layer", "fixed"))
    spent = table.pivot_table(index=["dataflow", "kind"], columns="mix", values="cycles", sort=False)
    against = spent.loc[("single_layer", "fixed")]
    rows: list[dict[str, object]] = []
    for dataflow in DATAFLOWS:
        for kind in MULTIPLIERS:
            gains = against / spent.loc[(dataflow, kind)]
            mixed = [float(gains[mix]) for mix in gains.index if len(set(str(mix))) > 1]
            ones = float(gains["1111"]) if "1111" in gains.index else np.nan
            own = units.get((dataflow, kind))
            clock = own.mhz / base.mhz if own and base else np.nan
            area = own.luts / base.luts if own and base else np.nan
            low, high = (min(mixed), max(mixed)) if mixed else (np.nan, np.nan)
            rows.append(
                {
                    "dataflow": dataflow,
                    "kind": kind,
                    "cycles_smallest": low,
                    "cycles_largest": high,
                    "cycles_ones": ones,
                    "mhz": own.mhz if own else np.nan,
                    "clock": clock,
                    "smallest": low * clock,
                    "largest": high * clock,
                    "ones": ones * clock,
                    "luts": own.luts if own else np.nan,
                    "smallest_area": low * clock / area,
                    "largest_area": high * clock / area,
                }
            )
    return pd.DataFrame(rows)


def missing(table: pd.DataFrame) -> pd.DataFrame:
    """Of a table of `factors` the mixes whose speed-up is below the paper's smallest one, and which of the three
    factors is the smallest there: columns mix, speedup (cycles alone where no clock is known), multiplier, dataflow,
    clock, missing."""
    rows: list[dict[str, object]] = []
    columns = ("mix", "cycles", "speedup", "multiplier", "dataflow", "clock")
    for mix, cycles, gain, *three in table.loc[:, list(columns)].itertuples(index=False):
        total = float(cycles if pd.isna(gain) else gain)
        if total < PAPER[0]:
            known = {name: float(one) for name, one in zip(columns[3:], three, strict=True) if not pd.isna(one)}
            least = min(known, key=lambda name: known[name])
            rows.append({"mix": mix, "speedup": total, **known, "missing": least})
    return pd.DataFrame(rows, columns=["mix", "speedup", "multiplier", "dataflow", "clock", "missing"])


def against_paper(size: int, images: int = 16) -> float:
    """How the recorded clocks and the model's cycles of TFC stand to the paper: the smaller of smallest speed-up by
    1.3185 and largest by 3.5671, over the named mixes, on size × size units and batches of `images`.

    Raises DataError when a clock is not recorded.
    """
    units = recorded_units()
    absent = [" ".join(one) for one in (("systolic", "bitsys"), ("single_layer", "fixed")) if one not in units]
    if absent:
        raise DataError(
            f"no clock is recorded for the present RTL of {', '.join(absent)}",
            "python -m triptych.bitsys.accelerator.speed --keep",
        )
    table = cycles_table(shapes.tfc(), NAMED, size, size, images)
    found = factors(table, {key: one.mhz for key, one in units.items()})["speedup"].to_numpy(float)
    return min(float(np.min(found)) / PAPER[0], float(np.max(found)) / PAPER[1])
