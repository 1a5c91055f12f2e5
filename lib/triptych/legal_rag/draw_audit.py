"""The figures of the audit, each from the table of the numbers in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from triptych.figures import COLOURS


def factor_strips(intervals: pd.DataFrame, factors: Mapping[str, float], low: float, high: float) -> Figure:
    """The small-sample factors each statistic allows (`audit.factor_intervals`), and those that software uses.

    `low` and `high` bound the drawn range of factors. One strip a statistic.
    """
    names = list(dict.fromkeys(intervals["statistic"]))
    figure, panel = plt.subplots(figsize=(7.4, 2.9))
    for place, name in enumerate(names):
        part = intervals[intervals["statistic"] == name]
        for start, end in zip(part["low"], part["high"], strict=True):
            panel.fill_betweenx(
                [place - 0.3, place + 0.3], start, end, color=COLOURS[0], linewidth=0.6, edgecolor=COLOURS[0]
            )
    styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    for place, (name, value) in enumerate(factors.items()):
        panel.axvline(
            value,
            color=COLOURS[1 + place % 6],
            linestyle=styles[place % len(styles)],
            linewidth=1.3,
            label=f"{name}, {value:.4f}",
            zorder=0,
        )
    panel.set_yticks(range(len(names)), names)
    panel.set(xlim=(low, high), ylim=(len(names) - 0.5, -0.5), xlabel="small-sample factor on the clustered covariance")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8.5)
    return figure


def error_cells(table: pd.DataFrame) -> Figure:
    """Errors of each cell as far as the published numbers force them, from `audit.total_errors`.

    Stacked: hallucinations whose answer was wrong or right, then the other errors; hatched, what a blank leaves open.
    """
    figure, panel = plt.subplots(figsize=(7.2, 3.4))
    y = np.arange(len(table))
    forced = np.where(table["published"], table["though_correct_low"], 0)
    panel.barh(y, table["hallucination"] - forced, color=COLOURS[1], height=0.62)
    panel.barh(y, forced, left=table["hallucination"] - forced, color=COLOURS[1], alpha=0.45, height=0.62)
    panel.barh(y, table["other_low"], left=table["hallucination"], color=COLOURS[0], height=0.62)
    panel.barh(
        y,
        table["total_high"] - table["total_low"],
        left=table["total_low"],
        facecolor="white",
        edgecolor=COLOURS[0],
        hatch="////",
        height=0.62,
    )
    for place, (low, high, known) in enumerate(
        zip(table["total_low"], table["total_high"], table["published"], strict=True)
    ):
        text = f"{low}" if known else f"{low} to {high}, not published"
        panel.text(high + 0.6, place, text, va="center", fontsize=8.5)
    panel.set_yticks(y, [f"{r} × {g}" for r, g in zip(table["retriever"], table["generator"], strict=True)])
    panel.set(ylim=(len(table) - 0.4, -0.6), xlim=(0, max(table["total_high"]) + 16), xlabel="errors of 100 questions")
    keys = [
        Patch(facecolor=COLOURS[1], label="ungrounded (where known: and wrong)"),
        Patch(facecolor=COLOURS[1], alpha=0.45, label="ungrounded, yet correct"),
        Patch(facecolor=COLOURS[0], label="retrieval or reasoning"),
        Patch(facecolor="white", edgecolor=COLOURS[0], hatch="////", label="left open"),
    ]
    figure.legend(handles=keys, loc="outside upper center", ncols=2, fontsize=8.5)
    return figure


def power_curves(table: pd.DataFrame, marks: Sequence[tuple[float, float]] = (), shown: float | None = None) -> Figure:
    """Exact power of McNemar's test from `power.curve`, one line a discordance.

    `marks` are (discordance, difference) of 80 % power; `shown` a difference to point out. Differences in points.
    """
    figure, panel = plt.subplots(figsize=(6.2, 3.6))
    for place, (discordance, part) in enumerate(table.groupby("discordance")):
        colour = COLOURS[place % 7]
        panel.plot(100 * part["difference"], part["power"], color=colour, label=f"{float(str(discordance)):.0%}")
        for psi, gap in marks:
            if psi == discordance:
                panel.plot(100 * gap, 0.8, "o", color=colour, markersize=5)
    panel.axhline(0.8, color="#888888", linewidth=0.8, linestyle=":")
    if shown is not None:
        panel.axvline(100 * shown, color="#888888", linewidth=0.8, linestyle="--")
        panel.text(100 * shown + 0.2, 0.97, "reported generator gap", fontsize=8, va="top", color="#555555")
    panel.set(
        xlabel="true difference, percentage points", ylabel="power (exact McNemar, 5 %)", ylim=(0, 1), xlim=(0, 22)
    )
    panel.legend(title="discordance", loc="lower right")
    return figure
