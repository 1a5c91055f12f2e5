"""Pictures of networks: accuracy against bits, the trade of accuracy for cycles, utilisation. Nothing is computed here
but intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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


def accuracy(tables: Mapping[str, pd.DataFrame], label: str) -> Figure:
    """Mean accuracy of each mix with its interval, and each network in floating point as a line; of `summary`, a panel
    a network."""
    figure, axes = plt.subplots(1, len(tables), figsize=(4.6 * len(tables) + 0.6, 3.8), sharey=True, squeeze=False)
    for axis, (name, table) in zip(axes[0], tables.items(), strict=True):
        shown = table.loc[table["mix"] != "float"].reset_index(drop=True)
        places = np.arange(len(shown))
        floating = table.loc[table["mix"] == "float"]
        if len(floating):
            middle, half = floating["accuracy"].iloc[0], np.nan_to_num(floating["half_interval"].to_numpy(float))[0]
            axis.axhspan(middle - half, middle + half, color="#EEEEEE")
            axis.axhline(middle, color=COLOURS[7], linewidth=1, label="floating point, 95 % interval grey")
        half = np.nan_to_num(shown["half_interval"].to_numpy(float))
        axis.errorbar(
            places, shown["accuracy"], yerr=half, fmt="o", color=COLOURS[0], capsize=3,
            label="mean over the seeds, 95 % interval",
        )  # fmt: skip
        axis.plot(places, shown["integers"], "x", color=COLOURS[5], label="integers of one seed")
        axis.set_xticks(places, list(shown["mix"]), rotation=60)
        axis.set_xlabel("bits of each layer")
        axis.set_title(name)
    axes[0][0].set_ylabel(f"test accuracy on {label}, %")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8.5)
    return figure


def pareto(table: pd.DataFrame) -> Figure:
    """Accuracy against cycles, coloured by switching; columns of `precision.trade`."""
    figure, axis = plt.subplots(figsize=(7.4, 4.4))
    front = table.loc[table["front"]].sort_values(by="cycles")
    axis.step(front["cycles"], front["accuracy"], where="post", color="#BBBBBB", zorder=1)
    points = axis.scatter(
        table["cycles"], table["accuracy"], c=table["toggles"], cmap="viridis", s=45, zorder=3, plotnonfinite=True
    )
    for column, size, colour, label in (
        ("chosen", 190, COLOURS[5], "chosen by the dynamic programme"),
        ("pareto", 95, COLOURS[7], "no other is as good in accuracy, cycles and switching"),
    ):
        those = table.loc[table[column]]
        axis.scatter(
            those["cycles"], those["accuracy"], s=size, facecolors="none", edgecolors=colour, zorder=2, label=label
        )
    for row in placed(table):
        axis.annotate(row.text, (row.x, row.y), row.offset, textcoords="offset points", fontsize=7.5)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:.0f}")
    axis.xaxis.set_minor_formatter("{x:.0f}")
    axis.tick_params(axis="x", which="minor", labelsize=8)
    axis.set_xlabel("cycles of a picture")
    axis.set_ylabel("test accuracy, %")
    axis.margins(x=0.08, y=0.12)
    figure.legend(loc="outside upper center", ncols=2, fontsize=8.5)
    figure.colorbar(points, label="net toggles of a picture, millions (relative)")
    return figure


@dataclass(frozen=True)
class Label:
    """A text beside a point."""

    text: str
    x: float
    y: float
    offset: tuple[float, float]


def placed(table: pd.DataFrame) -> list[Label]:
    """Labels of `pareto`: points that lie closer than a label is high share one, in their order of accuracy."""
    ordered = table.sort_values(by=["cycles", "accuracy"], ascending=[True, False])
    mixes = [str(one) for one in ordered["mix"]]
    xs, ys = ordered["cycles"].to_numpy(float), ordered["accuracy"].to_numpy(float)
    high = max(float(np.ptp(ys)) / 28, 1e-9)
    groups: list[list[Label]] = []
    for mix, x, y in zip(mixes, xs.tolist(), ys.tolist(), strict=True):
        one = Label(mix, x, y, (6, 3))
        for group in groups:
            if abs(np.log(x / group[0].x)) < 0.12 and abs(y - group[-1].y) < high:
                group.append(one)
                break
        else:
            groups.append([one])
    return [replace(group[0], text="\n".join(one.text for one in group)) for group in groups]


def heat(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Shares as coloured cells, a panel a table: index down, columns across."""
    first = next(iter(tables.values()))
    figure, axes = plt.subplots(
        1, len(tables), figsize=(1.2 + 3.4 * len(tables), 1.3 + 0.3 * len(first)), squeeze=False, sharey=True
    )
    for axis, (name, table) in zip(axes[0], tables.items(), strict=True):
        values = table.to_numpy(float)
        axis.imshow(values, aspect="auto", cmap="Blues", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if value > 0.6 else "black"
            axis.text(column, row, f"{100 * value:.0f} %", ha="center", va="center", fontsize=8, color=colour)
        axis.set_xticks(range(values.shape[1]), [str(one) for one in table.columns])
        axis.set_yticks(range(values.shape[0]), [str(one) for one in table.index])
        axis.set_title(name)
        axis.grid(visible=False)
    return figure
