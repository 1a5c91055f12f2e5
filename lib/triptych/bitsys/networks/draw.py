"""Pictures of networks: accuracy against bits, the trade of accuracy for cycles, utilisation, speed-ups. Nothing is
computed here but intervals."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from triptych.figures import COLOURS


def summary(trained: pd.DataFrame) -> pd.DataFrame:
    """One row a mix of a frame of `trained.gather`: mean test accuracy over the seeds in percent with its 95 % interval
    (Student's t; missing for one seed), and the accuracy of the integers of one seed."""
    rows: list[dict[str, object]] = []
    for mix in dict.fromkeys(str(one) for one in trained["mix"]):
        mine = trained.loc[trained["mix"] == mix]
        values = 100 * mine["test_accuracy"].to_numpy(float)
        count, mean = len(values), float(values.mean())
        half = float(stats.t.ppf(0.975, count - 1) * values.std(ddof=1) / count**0.5) if count > 1 else float("nan")
        integers = 100 * mine["integer_accuracy"].to_numpy(float)
        known = integers[~np.isnan(integers)]
        rows.append(
            {
                "mix": mix,
                "seeds": count,
                "accuracy": mean,
                "half_interval": half,
                "integers": float(known[0]) if len(known) else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def accuracy(table: pd.DataFrame, label: str) -> Figure:
    """Mean accuracy of each mix with its interval, and the network in floating point as a line; of `summary`."""
    figure, axis = plt.subplots(figsize=(7.4, 3.6))
    shown = table.loc[table["mix"] != "float"].reset_index(drop=True)
    places = np.arange(len(shown))
    floating = table.loc[table["mix"] == "float"]["accuracy"].to_numpy(float)
    if len(floating):
        axis.axhline(floating[0], color=COLOURS[7], linewidth=1, label="floating point")
    half = np.nan_to_num(shown["half_interval"].to_numpy(float))
    axis.errorbar(
        places, shown["accuracy"], yerr=half, fmt="o", color=COLOURS[0], capsize=3,
        label="mean over the seeds, 95 % interval",
    )  # fmt: skip
    axis.plot(places, shown["integers"], "x", color=COLOURS[5], label="integers of one seed")
    axis.set_xticks(places, list(shown["mix"]), rotation=45)
    axis.set_xlabel("bits of each layer")
    axis.set_ylabel(f"test accuracy on {label}, %")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3, fontsize=8.5)
    return figure


def pareto(table: pd.DataFrame) -> Figure:
    """Accuracy against cycles, coloured by switching; columns mix, cycles, accuracy, toggles, front (on the measured
    front), chosen (by the dynamic programme)."""
    figure, axis = plt.subplots(figsize=(7.0, 4.2))
    front = table.loc[table["front"]].sort_values(by="cycles")
    axis.step(front["cycles"], front["accuracy"], where="post", color="#BBBBBB", zorder=1, label="measured front")
    points = axis.scatter(
        table["cycles"], table["accuracy"], c=table["toggles"], cmap="viridis", s=45, zorder=3, plotnonfinite=True
    )
    chosen = table.loc[table["chosen"]]
    axis.scatter(
        chosen["cycles"], chosen["accuracy"], s=120, facecolors="none", edgecolors=COLOURS[5], zorder=2,
        label="chosen by the dynamic programme",
    )  # fmt: skip
    offsets = itertools.cycle([(5, 6), (5, -12), (-26, 6), (-26, -12)])
    for (_, row), offset in zip(table.sort_values(by=["cycles", "accuracy"]).iterrows(), offsets, strict=False):
        axis.annotate(
            str(row["mix"]), (row["cycles"], row["accuracy"]), offset, textcoords="offset points", fontsize=7.5
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:.0f}")
    axis.xaxis.set_minor_formatter("{x:.0f}")
    axis.set_xlabel("cycles of an image")
    axis.set_ylabel("test accuracy, %")
    axis.legend(loc="lower right", fontsize=8.5)
    figure.colorbar(points, label="net toggles of an image, millions (relative)")
    return figure


def heat(table: pd.DataFrame, label: str, *, percent: bool = True) -> Figure:
    """A table of numbers as coloured cells: index down, columns across."""
    values = table.to_numpy(float)
    figure, axis = plt.subplots(figsize=(1.6 + 1.0 * values.shape[1], 1.3 + 0.33 * values.shape[0]))
    axis.imshow(values, aspect="auto", cmap="Blues", vmin=0, vmax=1 if percent else None)
    middle = 0.5 if percent else float(np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        text = f"{100 * value:.0f} %" if percent else f"{value:.2f}"
        axis.text(
            column, row, text, ha="center", va="center", fontsize=8, color="white" if value > 1.2 * middle else "black"
        )
    axis.set_xticks(range(values.shape[1]), [str(one) for one in table.columns])
    axis.set_yticks(range(values.shape[0]), [str(one) for one in table.index])
    axis.set_title(label)
    axis.grid(visible=False)
    return figure


def speedups(table: pd.DataFrame, paper: Sequence[float]) -> Figure:
    """Cycles' factor of each mix as the product of the dataflow's and the multiplier's (`speedup.factors`), log scale,
    with the paper's range as a band."""
    figure, axis = plt.subplots(figsize=(7.4, 3.8))
    places = np.arange(len(table))
    axis.axhspan(paper[0], paper[1], color="#E8E8E8", label="paper, end to end")
    for shift, column, name in (
        (-0.27, "dataflow", "dataflow"),
        (0, "multiplier", "multiplier"),
        (0.27, "cycles", "both: cycles"),
    ):
        axis.bar(
            places + shift,
            table[column] - 1,
            0.25,
            bottom=1,
            label=name,
            color=COLOURS[{-0.27: 1, 0: 0, 0.27: 2}[shift]],
        )
    with_clock = table["speedup"].to_numpy(float)
    if not np.isnan(with_clock).all():
        axis.plot(places + 0.27, with_clock, "k_", markersize=12, label="with the clock")
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_yscale("log", base=2)
    axis.set_yticks([0.25, 0.5, 1, 2, 4, 8, 16], ["¼", "½", "1", "2", "4", "8", "16"])
    axis.set_xticks(places, list(table["mix"]), rotation=45)
    axis.set_xlabel("bits of each layer")
    axis.set_ylabel("times faster")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.17), ncols=5, fontsize=8.5)
    return figure
