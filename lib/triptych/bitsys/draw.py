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
from triptych.bitsys.design import Design
from triptych.bitsys.model import Bools
from triptych.bitsys.published import Published
from triptych.bitsys.synthesise import Resources
from triptych.bitsys.vectors import Stimulus
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


def transitions(design: Design, stimulus: Stimulus, wrong: Bools) -> tuple[Figure, pd.DataFrame]:
    """How often each request (width and signs) followed each other one in the very next cycle, and with what result.

    `wrong` says which rows of the stimulus were answered wrongly. A pair counts as failed when one of its tokens was;
    failed pairs carry a cross. The frame has a row for each pair: before, after, count, failed.
    """
    kinds = 4 * len(design.widths)
    request = 4 * stimulus.mode + 2 * stimulus.a_signed + stimulus.b_signed
    together = stimulus.valid[:-1] & stimulus.valid[1:]
    pair = (kinds * request[:-1] + request[1:])[together]
    count = np.bincount(pair, minlength=kinds * kinds).reshape(kinds, kinds)
    spoilt = (wrong[:-1] | wrong[1:])[together]
    failed = np.bincount(pair, weights=spoilt, minlength=kinds * kinds).astype(int).reshape(kinds, kinds)
    names = [f"{width} {signs}" for width in design.widths for signs in ("uu", "us", "su", "ss")]
    figure, axis = plt.subplots(figsize=(6.4, 5.4))
    picture = axis.imshow(count, cmap="cividis", vmin=0)
    for row, column in np.argwhere(failed):
        axis.plot(column, row, marker="x", color="#D55E00", markersize=9, markeredgewidth=2)
    axis.set_xticks(range(kinds), names, fontsize=8, rotation=90)
    axis.set_yticks(range(kinds), names, fontsize=8)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    for edge in range(4, kinds, 4):
        axis.axhline(edge - 0.5, color="white", linewidth=2)
        axis.axvline(edge - 0.5, color="white", linewidth=2)
    axis.set_ylabel("width and signs of a token")
    axis.set_xlabel("width and signs of the token in the next cycle")
    axis.set_title(f"{count.sum():,} pairs without an idle cycle, {failed.sum():,} failed")
    figure.colorbar(picture, ax=axis, label="pairs of tokens", shrink=0.85)
    rows = [
        {"before": before, "after": after, "count": int(count[i, j]), "failed": int(failed[i, j])}
        for i, before in enumerate(names)
        for j, after in enumerate(names)
    ]
    return figure, pd.DataFrame(rows)


def resources(ours: Sequence[tuple[str, Resources]], others: Sequence[Published]) -> tuple[Figure, pd.DataFrame]:
    """Cells by kind, ours beside other people's; a design without known numbers is named in the legend and has no bar.

    Percentages are of the first of the others that has numbers. The frame has a row for each design: design, lut, srl,
    luts_and_srls, ff, carry, source.
    """
    kinds = {
        "lut": "LUT",
        "srl": "shift-register\nLUT",
        "luts_and_srls": "LUT,\neither use",
        "ff": "flip-flop",
        "carry": "CARRY4",
    }
    rows = [
        {"design": one.name, **{kind: getattr(one, kind) for kind in kinds}, "source": one.source} for one in others
    ]
    rows += [
        {"design": name, **{kind: getattr(one, kind) for kind in kinds}, "source": f"this run: {one.flow}"}
        for name, one in ours
    ]
    frame = pd.DataFrame(rows)
    drawn = [row for row in rows if row["lut"] is not None]
    unknown = [row for row in rows if row["lut"] is None]
    bases = [float(drawn[0][kind]) if others else 0.0 for kind in kinds]
    figure, axis = plt.subplots(figsize=(7.6, 4))
    height = 0.8 / len(drawn)
    colours = ["#8A8A8A", *COLOURS] if others else list(COLOURS)
    for number, row in enumerate(drawn):
        places = np.arange(len(kinds)) + (number - (len(drawn) - 1) / 2) * height
        values = [float(row[kind]) for kind in kinds]
        axis.bar(places, values, 0.92 * height, color=colours[number])
        for place, value, whole in zip(places, values, bases, strict=True):
            share = f"\n{value / whole:.0%}" if whole and number else ""
            axis.annotate(
                f"{value:.0f}{share}", (place, value), (0, 2), textcoords="offset points", ha="center", fontsize=8
            )
    axis.set_xticks(range(len(kinds)), list(kinds.values()))
    axis.set_ylabel("cells after mapping")
    axis.grid(visible=False, axis="x")
    axis.legend(
        handles=[
            *(Patch(color=colours[number], label=str(row["design"])) for number, row in enumerate(drawn)),
            *(Patch(fill=False, linewidth=0, label=f"{row['design']}: no public numbers") for row in unknown),
        ],
        loc="upper left",
    )
    axis.margins(y=0.12)
    return figure, frame
