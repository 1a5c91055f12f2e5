"""Pictures of networks: accuracy against bits, the trade of accuracy for cycles, utilisation. Nothing is computed here
but intervals."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
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
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:.0f}")
    axis.set_xlabel("cycles of a picture")
    axis.set_ylabel("test accuracy, %")
    axis.margins(x=0.08, y=0.12)
    figure.legend(loc="outside upper center", ncols=2, fontsize=8.5)
    figure.colorbar(points, label="net toggles of a picture, millions (relative)")
    figure.canvas.draw()  # fixes the axes, so that distances in points are known
    xy = table[["cycles", "accuracy"]].to_numpy(float)
    for mix, place, offset in zip(
        table["mix"], xy, offsets(axis.transData.transform(xy) * 72 / figure.dpi), strict=True
    ):
        axis.annotate(str(mix), (place[0], place[1]), offset, textcoords="offset points", fontsize=7.5)
    return figure


Floats = npt.NDArray[np.float64]

WORD = (19.0, 8.0)
"""Width and height of a label of four digits, points."""


def offsets(places: Floats) -> list[tuple[float, float]]:
    """Where the label of each mark stands, from the mark (all in points): beside it, on the first side on which it
    covers neither a mark nor a label placed before; where there is none, where it covers fewest.
    """
    wide, high = WORD
    sides = [(7, 3), (-7 - wide, 3), (7, -10), (-7 - wide, -10), (-wide / 2, 11), (-wide / 2, -18)]
    sides += [(13, -3), (-13 - wide, -3), (14, 12), (14, -20)]
    taken: list[tuple[float, float]] = []
    found: list[tuple[float, float]] = []
    for x, y in places.tolist():

        def covered(side: tuple[float, float], x: float = x, y: float = y) -> int:
            left, low = x + side[0], y + side[1]
            marks = sum(left - 5 < u < left + wide + 5 and low - 5 < v < low + high + 5 for u, v in places.tolist())
            return marks + sum(abs(left - u) < wide and abs(low - v) < high for u, v in taken)

        side = min(sides, key=covered)
        taken.append((x + side[0], y + side[1]))
        found.append(side)
    return found


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
