"""Tables and figures of the thirteen tasks: what was planted, what each kind of data is worth, how much it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from triptych.figures import COLOURS
from triptych.ft_dojo.comparison import ARMS
from triptych.ft_dojo.tasks import Task
from triptych.ft_dojo.tasks.defects import KINDS

BAND = (40, 95)  # normalised points between which training on clean data is meant to end
BASE = 10  # and below which the base is meant to start
MARKS = {"base": "o", "default": "X", "clean": "D", "oracle": "s"}
PAINT = dict(zip(ARMS, (COLOURS[7], COLOURS[1], COLOURS[2], COLOURS[0]), strict=True))


def planted(made: Sequence[Task]) -> pd.DataFrame:
    """Share of each task's public rows that are damaged, by kind; `sound` is the rest. One row a task."""
    found: dict[str, dict[str, float]] = {}
    for task in made:
        counts = Counter(kind for kind, _ in task.planted)
        shares = {kind: counts[kind] / len(task.public) for kind in KINDS}
        found[task.id] = {**shares, "sound": 1 - sum(shares.values())}
    return pd.DataFrame.from_dict(found, orient="index")


def means(table: pd.DataFrame, by: Sequence[str], value: str = "normalised", level: float = 0.95) -> pd.DataFrame:
    """Mean over seeds with its Student t interval, by the columns named; no interval with fewer than two seeds."""
    from scipy.stats import t

    rows: list[dict[str, Any]] = []
    for key, group in table.groupby(list(by), sort=False):
        values = group[value].to_numpy(float)
        mean, count = float(values.mean()), len(values)
        reach = None
        if count > 1:
            reach = float(t.ppf(0.5 + level / 2, count - 1) * values.std(ddof=1) / np.sqrt(count))
        low, high = (None, None) if reach is None else (mean - reach, mean + reach)
        names: Any = key
        rows.append({**dict(zip(by, names, strict=True)), "mean": mean, "low": low, "high": high, "seeds": count})
    return pd.DataFrame(rows)


def gaps(table: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """How much better arm `one` is than `other` with the same task and seed: mean and interval over seeds, by task."""
    wide = table.pivot_table(index=["task", "seed"], columns="arm", values="normalised", sort=False)
    difference = (wide[one] - wide[other]).rename("normalised").reset_index()
    return means(difference, ["task"])


def scores(table: pd.DataFrame) -> Figure:
    """Every task's arms in points above chance, means over seeds with intervals, over the band they should end in."""
    found = means(table, ["task", "arm"])
    names = list(dict.fromkeys(found["task"]))
    drawn = Figure(figsize=(7.6, 1.2 + 0.42 * len(names)), layout="constrained")
    axes = drawn.subplots()
    axes.axvspan(*BAND, color=COLOURS[2], alpha=0.1, linewidth=0)
    axes.axvspan(-15, BASE, color=COLOURS[7], alpha=0.1, linewidth=0)
    axes.axvline(0, color=COLOURS[7], linewidth=0.8)
    for row in _rows(found):
        shift = (list(ARMS).index(row["arm"]) - 1.5) * 0.17
        place = names.index(row["task"]) + shift
        colour = PAINT[row["arm"]]
        if row["low"] is not None and not np.isnan(row["low"]):
            axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.4)
        first = row["task"] == names[0]
        axes.plot(
            row["mean"], place, MARKS[row["arm"]], color=colour, markersize=5, label=row["arm"] if first else None
        )
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(
        ylim=(len(names) - 0.4, -0.6), xlim=(-15, 102), xlabel="test score, points from chance (0) to perfect (100)"
    )
    axes.grid(axis="y", visible=False)
    drawn.legend(loc="outside upper center", ncols=len(ARMS), frameon=False)
    return drawn


def differences(table: pd.DataFrame) -> Figure:
    """What clean data is worth in place of the dirty: difference paired by seed, with its interval, for each task."""
    found = _rows(gaps(table, "clean", "default").sort_values("mean"))
    drawn = Figure(figsize=(7.0, 1.0 + 0.33 * len(found)), layout="constrained")
    axes = drawn.subplots()
    axes.axvline(0, color=COLOURS[7], linewidth=0.8)
    for place, row in enumerate(found):
        sure = row["low"] is not None and row["low"] > 0
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=COLOURS[2] if sure else COLOURS[7])
        axes.plot(row["mean"], place, "D", color=COLOURS[2] if sure else COLOURS[7], markersize=5)
    axes.set_yticks(range(len(found)), [row["task"].replace("_", " ") for row in found])
    axes.set(xlabel="clean minus default, points; 95 % interval over seeds")
    axes.grid(axis="y", visible=False)
    return drawn


def curves(table: pd.DataFrame) -> Figure:
    """Points above chance by the number of training rows, clean and as they stand, one panel a task."""
    found = means(table, ["task", "arm", "rows"])
    names = list(dict.fromkeys(found["task"]))
    across = 5
    down = -(-len(names) // across)
    drawn = Figure(figsize=(8.4, 1.0 + 1.6 * down), layout="constrained")
    panels = drawn.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(panels.flat):
        if place >= len(names):
            axes.set_axis_off()
            continue
        mine = found[found["task"] == names[place]]
        for arm in ("default", "clean"):
            line = mine[mine["arm"] == arm].sort_values("rows")
            axes.plot(line["rows"], line["mean"], "-" + MARKS[arm], color=PAINT[arm], markersize=4, label=arm)
        axes.axhline(0, color=COLOURS[7], linewidth=0.8)
        axes.set_title(names[place].replace("_", " "), fontsize=8.5)
        axes.set(xscale="log", ylim=(-15, 105))
        sizes = sorted(set(found["rows"]))
        axes.set_xticks(sizes, [str(size) for size in sizes], fontsize=7)
        axes.minorticks_off()
        axes.tick_params(labelbottom=place + across >= len(names))
    drawn.supxlabel("training rows", fontsize=9)
    drawn.supylabel("points above chance", fontsize=9)
    drawn.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return drawn


def damage(shares: pd.DataFrame) -> Figure:
    """The planted share of each kind and task as a table of shades."""
    kinds = [kind for kind in shares.columns if kind != "sound"]
    drawn = Figure(figsize=(7.6, 1.6 + 0.3 * len(shares)), layout="constrained")
    axes = drawn.subplots()
    values = 100 * shares[kinds].to_numpy(float)
    axes.imshow(values, cmap="Blues", aspect="auto", vmin=0, vmax=max(values.max() * 1.5, 1))
    for row, column in np.ndindex(*values.shape):
        text = f"{values[row, column]:.0f}" if values[row, column] else "–"
        axes.text(column, row, text, ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(kinds)), [kind.replace("_", "\n") for kind in kinds], fontsize=8)
    axes.set_yticks(range(len(shares)), [str(name).replace("_", " ") for name in shares.index])
    axes.xaxis.tick_top()
    axes.grid(visible=False)
    axes.set_xlabel("rows damaged, % of the public rows (– : the task has no such damage)")
    return drawn


def in_band(table: pd.DataFrame) -> pd.DataFrame:
    """Each task's mean base, default, clean and oracle scores and gaps, and whether base and oracle are where they
    should be."""
    wide = means(table, ["task", "arm"]).pivot_table(index="task", columns="arm", values="mean", sort=False)
    chance = table.groupby("task", sort=False)["chance"].mean()
    found = wide[list(ARMS)].assign(chance=100 * chance)
    inside = found["oracle"].between(*BAND) & (found["base"] < BASE)
    return found.assign(**{"oracle - default": found["oracle"] - found["default"], "in band": inside})


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    found: Any = table.astype(object).where(table.notna(), None).to_dict("records")
    return found
