"""Designs side by side: the unit-level table and its figures, drawn from `measure.table`.

Each figure function takes rows of that table and returns the figure; what was not measured is a gap, never a bar.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triptych.bitsys import measure
from triptych.bitsys.published import Published
from triptych.figures import COLOURS

NAMES = {
    "bitsys": "BitSys",
    "mtree": "multiplier tree",
    "bitshift": "shift-and-add",
    "bitserial": "bit-serial",
    "fixed": "fixed width",
}
"""The designs as people call them; the rivals are re-derived here, their own RTL is not public."""

_COLOUR = dict(zip(NAMES, COLOURS, strict=False))
_MARKER = dict(zip(NAMES, "osD^v", strict=True))
_UNITS = {"mul": "multiplier", "mac": "multiply-accumulate unit"}


def with_published(table: pd.DataFrame, others: Sequence[Published]) -> pd.DataFrame:
    """The table with other people's numbers as rows of their own.

    A column `source` tells whose they are; what the sources do not give stays missing.
    """
    ours = table.assign(design=[NAMES[kind] for kind in table["kind"]], source="this project")
    rows = [
        {
            "design": one.name,
            "unit": one.unit,
            "n": 8,
            "latency": one.latency,
            "lut": one.lut,
            "srl": one.srl,
            "luts_and_srls": one.luts_and_srls,
            "ff": one.ff,
            "carry": one.carry,
            # the sources say that the released RTL maps alike without shift-register LUTs: it has none
            "lut_nosrl": one.lut if one.mark == "R" else None,
            "ff_nosrl": one.ff if one.mark == "R" else None,
            "carry_nosrl": one.carry if one.mark == "R" else None,
            "area_delay": _area_delay(one),
            "mhz": one.median_mhz,
            "mhz_lowest": min(one.mhz, default=None),
            "mhz_highest": max(one.mhz, default=None),
            "source": one.source,
        }
        for one in others
    ]
    joined = pd.DataFrame([*rows, *ours.to_dict("records")])
    first = ["unit", "n", "design"]
    return joined.reindex(columns=[*first, *(column for column in joined.columns if column not in first)])


def _area_delay(one: Published) -> float | None:
    if one.luts_and_srls is None or one.median_mhz is None:
        return None
    return measure.area_delay(one.luts_and_srls, one.median_mhz)


def area(table: pd.DataFrame) -> Figure:
    """LUTs, shift-register LUTs and flip-flops of every row that has any, a panel for each unit."""
    units = [unit for unit in _UNITS if unit in set(table["unit"])]
    figure, axes = plt.subplots(1, len(units), figsize=(4.6 * len(units), 3.4), squeeze=False)
    for axis, unit in zip(axes[0], units, strict=True):
        rows = table.loc[(table["unit"] == unit) & (table["lut"].notna() | table["ff"].notna())]
        lut, srl, ff = (rows[column].to_numpy(float) for column in ("lut", "srl", "ff"))
        places = np.arange(len(rows))
        axis.barh(places - 0.2, lut, 0.36, color=COLOURS[0], label="LUT")
        axis.barh(places - 0.2, srl, 0.36, left=lut, color=COLOURS[1], label="shift-register LUT")
        axis.barh(places + 0.2, ff, 0.36, color=COLOURS[2], label="flip-flop")
        for place in places:
            _value(axis, lut[place] + srl[place], place - 0.2)
            _value(axis, ff[place], place + 0.2)
        axis.set_yticks(places, list(rows["design"]))
        axis.invert_yaxis()
        axis.set_xlim(0, 1.14 * np.nanmax([*(lut + srl), *ff]))
        axis.set_title(_UNITS[unit])
        axis.set_xlabel("cells after mapping")
        axis.grid(visible=False, axis="y")
    axes[0][-1].legend(loc="upper center", bbox_to_anchor=(0.1, -0.2), ncols=3)
    return figure


def _value(axis: Axes, value: float, place: float) -> None:
    if np.isnan(value):
        return
    axis.annotate(f"{value:.0f}", (value, place), (3, 0), textcoords="offset points", va="center", fontsize=8)


def by_width(table: pd.DataFrame, column: str, label: str, *, logarithmic: bool = True) -> Figure:
    """A column of the table that exists once a width (`column`_1, `column`_2, …), against the width, one line a design.

    A panel for each unit.
    """
    units = [unit for unit in _UNITS if unit in set(table["unit"])]
    measured = table.dropna(axis="columns", how="all")
    columns = [str(name) for name in measured.columns if str(name).startswith(f"{column}_")]
    widths = sorted(int(name.rpartition("_")[2]) for name in columns)
    figure, axes = plt.subplots(1, len(units), figsize=(4.3 * len(units), 3.5), squeeze=False, sharey=True)
    for axis, unit in zip(axes[0], units, strict=True):
        for _, row in table[table["unit"] == unit].iterrows():
            values = [row[f"{column}_{width}"] for width in widths]
            kind = str(row["kind"])
            axis.plot(widths, values, marker=_MARKER[kind], color=_COLOUR[kind], label=NAMES[kind])
        axis.set_xscale("log", base=2)
        axis.set_xticks(widths, [str(width) for width in widths])
        if logarithmic:
            axis.set_yscale("log")
        axis.set_title(_UNITS[unit])
        axis.set_xlabel("operand width, bits")
    axes[0][0].set_ylabel(label)
    axes[0][-1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def against_n(table: pd.DataFrame) -> Figure:
    """LUTs, flip-flops, frequency and latency against the container width, one line a design; a row for each unit."""
    panels = {"luts_and_srls": "LUT + SRL", "ff": "flip-flops", "mhz": "ECP5 Fmax, MHz", "latency": "latency, cycles"}
    units = [unit for unit in _UNITS if unit in set(table["unit"])]
    figure, axes = plt.subplots(len(units), len(panels), figsize=(11.5, 2.9 * len(units)), squeeze=False)
    for row, unit in zip(axes, units, strict=True):
        for axis, (column, label) in zip(row, panels.items(), strict=True):
            for kind in NAMES:
                line = table.loc[(table["unit"] == unit) & (table["kind"] == kind)].sort_values(by="n")
                if len(line):
                    axis.plot(
                        line["n"], line[column].astype(float), marker=_MARKER[kind], color=_COLOUR[kind],
                        label=NAMES[kind],
                    )  # fmt: skip
            axis.set_xscale("log", base=2)
            axis.set_xticks(sorted(set(table["n"])), [str(n) for n in sorted(set(table["n"]))])
            if column in ("luts_and_srls", "ff"):
                axis.set_yscale("log")
            else:
                axis.set_ylim(bottom=0)
            axis.set_title(f"{_UNITS[unit]}\n{label}" if axis is row[0] else label, fontsize=10)
            axis.set_xlabel("container width N, bits")
    axes[0][-1].legend(loc="center left", bbox_to_anchor=(1.03, 0.5))
    return figure


def cost_of_widths(table: pd.DataFrame) -> Figure:
    """What a list of widths costs: LUT + SRL and flip-flops for each list, a panel for each container width."""
    sizes = sorted(set(table["n"]))
    figure, axes = plt.subplots(1, len(sizes), figsize=(3.9 * len(sizes), 3.4), squeeze=False)
    for axis, n in zip(axes[0], sizes, strict=True):
        rows = table[table["n"] == n]
        places = np.arange(len(rows))
        axis.bar(places - 0.2, rows["luts_and_srls"], 0.38, color=COLOURS[0], label="LUT + SRL")
        axis.bar(places + 0.2, rows["ff"], 0.38, color=COLOURS[2], label="flip-flops")
        for shift, column in ((-0.2, "luts_and_srls"), (0.2, "ff")):
            for place, value in zip(places, rows[column], strict=True):
                axis.annotate(
                    f"{value:.0f}", (place + shift, value), (0, 2), textcoords="offset points", ha="center", fontsize=7
                )
        axis.set_xticks(places, [str(widths).replace(" ", ", ") for widths in rows["widths"]], fontsize=8, rotation=20)
        axis.set_title(f"N = {n}")
        axis.set_xlabel("widths that the multiplier can do")
        axis.grid(visible=False, axis="x")
    axes[0][0].set_ylabel("cells after mapping")
    axes[0][0].legend()
    return figure
