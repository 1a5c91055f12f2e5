"""The figures of the study. Each function returns the figure and the frame of the numbers in it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from triptych.bitsys import cells
from triptych.bitsys.published import Published
from triptych.bitsys.synthesise import Resources
from triptych.figures import COLOURS


def active_cells(n: int, widths: Sequence[int]) -> tuple[Figure, pd.DataFrame]:
    """A map of the array for each mode: active cells in their channel's colour, a minus where the weight is negative.

    The minus is for two's-complement operands, both signed. The frame has a row for each mode: width, channels, cells
    active, share of the array, cells with negative weight.
    """
    figure, axes = plt.subplots(1, len(widths), figsize=(2.25 * len(widths), 3.1), squeeze=False)
    rows: list[dict[str, float]] = []
    for axis, width in zip(axes[0], widths, strict=True):
        on = cells.active(n, width)
        # At width 1 both signs mean bipolar bits, which have no negative weight: the cell is an XOR.
        minus = cells.negative(n, width, a_signed=True, b_signed=True)
        picture = np.ones((n, n, 3))
        for i, j in np.argwhere(on):
            picture[i, j] = to_rgb(COLOURS[(i // width) % len(COLOURS)])
        axis.imshow(0.25 + 0.75 * picture)
        for i, j in np.argwhere(minus):
            axis.text(j, i, "−", ha="center", va="center", fontsize=11, fontweight="bold", color="black")
        axis.set_xticks(range(n), [str(j) for j in range(n)], fontsize=7)
        axis.set_yticks(range(n), [str(i) for i in range(n)], fontsize=7)
        axis.set_xticks(np.arange(n + 1) - 0.5, minor=True)
        axis.set_yticks(np.arange(n + 1) - 0.5, minor=True)
        axis.grid(visible=False, which="major")
        axis.grid(which="minor", color="#BBBBBB", linewidth=0.5)
        axis.tick_params(which="both", length=0)
        axis.spines[:].set_visible(False)
        axis.set_title(f"{n // width} × {width} bit: {on.sum()} cells")
        axis.set_xlabel("bit j of a")
        rows.append(
            {
                "width": width,
                "channels": n // width,
                "active_cells": int(on.sum()),
                "share": float(on.mean()),
                "negative_both_signed": int(minus.sum()),
            }
        )
    axes[0][0].set_ylabel("bit i of b")
    return figure, pd.DataFrame(rows)


def resources(ours: Sequence[tuple[str, Resources]], others: Sequence[Published]) -> tuple[Figure, pd.DataFrame]:
    """Cells by kind, ours beside other people's; a number that nobody gives is a gap, not a bar.

    The frame has a row for each design: design, lut, srl, ff, carry, luts_and_srls, source.
    """
    kinds = {"lut": "LUT", "srl": "shift-register\nLUT", "ff": "flip-flop", "carry": "CARRY4"}
    rows = [
        {"design": one.name, **{kind: getattr(one, kind) for kind in kinds}, "source": one.source} for one in others
    ]
    rows += [
        {"design": name, **{kind: getattr(one, kind) for kind in kinds}, "source": f"this run: {one.flow}"}
        for name, one in ours
    ]
    frame = pd.DataFrame(rows)
    frame.insert(5, "luts_and_srls", frame["lut"] + frame["srl"])
    drawn = [row for row in rows if row["lut"] is not None]
    figure, axis = plt.subplots(figsize=(7.2, 3.8))
    height = 0.8 / len(drawn)
    colours = ["#8A8A8A", *COLOURS] if others else list(COLOURS)
    for number, row in enumerate(drawn):
        places = np.arange(len(kinds)) + (number - (len(drawn) - 1) / 2) * height
        values = [float(row[kind]) for kind in kinds]
        axis.bar(places, values, 0.92 * height, color=colours[number])
        for place, value in zip(places, values, strict=True):
            axis.annotate(f"{value:.0f}", (place, value), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    axis.set_xticks(range(len(kinds)), list(kinds.values()))
    axis.set_ylabel("cells after mapping")
    axis.grid(visible=False, axis="x")
    axis.legend(
        handles=[Patch(color=colours[number], label=str(row["design"])) for number, row in enumerate(drawn)],
        loc="upper left",
    )
    return figure, frame
