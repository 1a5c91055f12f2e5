"""Everything that is measured of a design, by one flow with the same options for all, and the table of it.

`of` measures, `table` compares. A `Measurement` is JSON: the notebooks keep those that take long and show them again
for exactly the netlist that they were made from (`known`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from pydantic import BaseModel

from triptych.bitsys import activity, asic, builds, netlist, place, synthesise
from triptych.bitsys.activity import Activity
from triptych.bitsys.asic import View
from triptych.bitsys.design import Design
from triptych.bitsys.place import SEEDS, Placed
from triptych.bitsys.synthesise import Resources
from triptych.errors import ToolMissing

SIGNED = (True, True)
"""Switching activity is told for signed operands (at width 1: bipolar)."""


class Measurement(BaseModel):
    """One design, measured.

    `macs` and `interval` are, for each width, the useful multiplications in a token and the cycles that it takes;
    `xcup` UltraScale+ cells with shift-register LUTs, `xcup_nosrl` without; `ecp5` speed; `asic` the standard-cell
    view; `activity` one entry a width. What could not be measured is None (or empty), and `missing` says why.
    """

    kind: str
    unit: str
    n: int
    widths: tuple[int, ...]
    acc_width: int
    latency: int
    macs: dict[int, int]
    interval: dict[int, int]
    rtl: str
    netlist: str
    xcup: Resources
    xcup_nosrl: Resources
    ecp5: Placed | None
    asic: View | None
    activity: list[Activity]
    missing: dict[str, str]


def of(design: Design, *, seeds: Sequence[int] = SEEDS, tokens: int = 2048) -> Measurement:
    """Measure a design; what is in the cache is not measured again.

    Without nextpnr, Verilator or the standard-cell tools, that part is None (or empty) and `missing` says why. Raises
    ToolMissing without pyosys, RtlError when a tool refuses the design.
    """
    missing: dict[str, str] = {}
    try:
        ecp5 = place.fmax(design, seeds)
    except ToolMissing as error:
        ecp5, missing["ecp5"] = None, error.message
    try:
        view = asic.view(design)
    except ToolMissing as error:
        view, missing["asic"] = None, error.message
    try:
        switched = [activity.toggles(design, width, SIGNED, tokens) for width in design.widths]
    except ToolMissing as error:
        switched, missing["activity"] = list[Activity](), error.message
    found = {"ecp5": ecp5, "asic": view, "activity": switched, "missing": missing}
    return cells(design).model_copy(update=found)


def cells(design: Design) -> Measurement:
    """What can be counted in seconds: cells, and no speed, standard cells or switching (`missing` says so).

    Raises ToolMissing without pyosys, RtlError when it refuses the design.
    """
    return Measurement(
        kind=design.kind,
        unit=design.unit,
        n=design.n,
        widths=design.widths,
        acc_width=design.acc_width,
        latency=design.latency,
        macs={width: design.channels(width) for width in design.widths},
        interval={width: design.interval(width) for width in design.widths},
        rtl=source(design),
        netlist=netlist.digest(design),
        xcup=synthesise.resources(design),
        xcup_nosrl=synthesise.resources(design, srl=False),
        ecp5=None,
        asic=None,
        activity=[],
        missing=dict.fromkeys(("ecp5", "asic", "activity"), "not measured for this netlist"),
    )


def source(design: Design) -> str:
    """sha256 (hex) of the RTL files and parameters that a design is made from."""
    return builds.key(design.sources, {"top": design.top, "parameters": design.parameters})


def known(design: Design, records: Iterable[Measurement]) -> Measurement | None:
    """The record of exactly this hardware, or None: of the same sources, or of others that give the same netlist."""
    rows, sources = list(records), source(design)
    same = next((one for one in rows if one.rtl == sources), None)
    if same:
        return same
    wanted = netlist.digest(design)
    return next((one for one in rows if one.netlist == wanted), None)


def area_delay(luts: float, mhz: float, interval: int = 1) -> float:
    """Area-delay product, LUT × ns: LUTs times the shortest time from one result to the next. Smaller is better.

    The definition of the paper's ADP (Table IV) on our counts; `interval` is the clock cycles between two results.
    """
    return luts * 1000 / mhz * interval


def throughput_per_lut(macs: int, interval: int, mhz: float, luts: float) -> float:
    """Useful multiplications a second and LUT, in millions: `macs` of a token, every `interval` cycles."""
    return macs / interval * mhz / luts


def table(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """A row a design; what was not measured, and widths that a design does not list, are missing values.

    | columns | unit |
    |---|---|
    | kind, unit, n, widths, latency | latency in cycles |
    | lut, srl, luts_and_srls, ff, carry | UltraScale+ cells |
    | lut_nosrl, ff_nosrl, carry_nosrl | the same, delay lines as flip-flops |
    | mhz, mhz_lowest, mhz_highest | ECP5, median and range over the seeds |
    | ecp5_comb, ecp5_ff | ECP5 cells in use |
    | area_delay | luts_and_srls × 1000 / mhz × cycles between results at the widest width: two devices, so relative |
    | asic_um2, asic_mhz | standard cells, no wires |
    | macs_per_cycle_P, toggles_per_mac_P | for each width P |
    | mmacs_per_lut_P | millions of multiplications a second and LUT or SRL, at width P |
    """
    return pd.DataFrame([_row(one) for one in measurements])


def _row(one: Measurement) -> dict[str, object]:
    row: dict[str, object] = {
        "kind": one.kind,
        "unit": one.unit,
        "n": one.n,
        "widths": " ".join(map(str, one.widths)),
        "latency": one.latency,
        "lut": one.xcup.lut,
        "srl": one.xcup.srl,
        "luts_and_srls": one.xcup.luts_and_srls,
        "ff": one.xcup.ff,
        "carry": one.xcup.carry,
        "lut_nosrl": one.xcup_nosrl.lut,
        "ff_nosrl": one.xcup_nosrl.ff,
        "carry_nosrl": one.xcup_nosrl.carry,
    }
    if one.ecp5:
        speeds = [run.mhz for run in one.ecp5.runs]
        row |= {
            "mhz": one.ecp5.median_mhz,
            "mhz_lowest": min(speeds),
            "mhz_highest": max(speeds),
            "ecp5_comb": one.ecp5.middle.combs,
            "ecp5_ff": one.ecp5.middle.ffs,
            "area_delay": area_delay(one.xcup.luts_and_srls, one.ecp5.median_mhz, one.interval[max(one.widths)]),
        }
    else:
        row |= dict.fromkeys(("mhz", "mhz_lowest", "mhz_highest", "ecp5_comb", "ecp5_ff", "area_delay"))
    row |= {"asic_um2": one.asic and one.asic.area_um2, "asic_mhz": one.asic and one.asic.mhz}
    toggles = {activity.width: activity.per_mac for activity in one.activity}
    for width in one.widths:
        row[f"macs_per_cycle_{width}"] = one.macs[width] / one.interval[width]
        row[f"toggles_per_mac_{width}"] = toggles.get(width)
        row[f"mmacs_per_lut_{width}"] = one.ecp5 and throughput_per_lut(
            one.macs[width], one.interval[width], one.ecp5.median_mhz, one.xcup.luts_and_srls
        )
    return row
