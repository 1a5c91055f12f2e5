"""Pictures of the studies on agents: selection noise, ablation, causes, co-pilot, self-synthesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triptych.figures import COLOURS
from triptych.ft_dojo.agents import intervals
from triptych.ft_dojo.evaluate import Accuracy

MARKERS = "osD^vP"


def selection(simulated: pd.DataFrame, n: int, count: int) -> Figure:
    """Optimism and truth of each policy's choice, against items of val and against the number of trainings."""
    figure = Figure(figsize=(8.4, 5.2), layout="constrained")
    axes: Any = figure.subplots(2, 2, sharex="col", sharey="row", width_ratios=[1.5, 1])
    chosen: Any = (
        (simulated[simulated["candidates"] == count], "n", f"{count} trainings"),
        (simulated[simulated["n"] == n], "candidates", f"val of {n} items"),
    )
    for column, (part, along, where) in enumerate(chosen):
        for row, value in enumerate(("optimism", "test")):
            axis: Axes = axes[row, column]
            table = intervals.table(part, ["policy", along], value)
            for number, (name, lines) in enumerate(_groups(table, "policy")):
                lines = lines.sort_values(along)
                _line(axis, lines[along].to_numpy(float), lines, number, str(name))
            if row == 0:
                axis.axhline(0, color=COLOURS[7], linewidth=0.8)
                axis.set_title(where)
            axis.set_xscale("log" if column == 0 else "linear")
        axes[1, column].set_xlabel("items of val" if column == 0 else "trainings to choose from")
        ticks = sorted(set(part[along]))
        axes[1, column].set_xticks(ticks, [str(tick) for tick in ticks])
        axes[1, column].minorticks_off()
    axes[0, 0].set_ylabel("optimism: val minus truth\nof what was chosen (points)")
    axes[1, 0].set_ylabel("truth of what was chosen\n(normalised points)")
    axes[0, 1].legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    return figure


def published(right: int, total: int, ours: Sequence[tuple[str, int]]) -> tuple[Figure, pd.DataFrame]:
    """The exact interval of a published score, and of the same share on other numbers of items."""
    rows = [("published", right, total)]
    rows += [(name, round(right / total * n), n) for name, n in ours]
    table = pd.DataFrame(
        [
            {"what": name, "right": r, "items": n, "share": r / n, "low": a.interval[0], "high": a.interval[1]}
            for name, r, n in rows
            for a in [Accuracy(r, n, 0.0)]
        ]
    )
    figure = Figure(figsize=(6.6, 0.9 + 0.42 * len(table)), layout="constrained")
    axis = figure.subplots()
    for place, row in enumerate(_records(table)):
        colour = COLOURS[5] if place == 0 else COLOURS[0]
        axis.plot([100 * row["low"], 100 * row["high"]], [place, place], color=colour)
        axis.plot(100 * row["share"], place, "o", color=colour)
        axis.annotate(
            f"{100 * row['low']:.1f} to {100 * row['high']:.1f}", (100 * row["high"], place), (5, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axis.set_yticks(range(len(table)), [f"{row['what']}: {row['right']} of {row['items']}" for row in _records(table)])
    axis.set(xlim=(0, 55), ylim=(len(table) - 0.5, -0.6), xlabel="accuracy (%), exact 95 % interval")
    return figure, table


def effects(table: pd.DataFrame, what: str, panels: Sequence[tuple[str, pd.DataFrame]] = ()) -> Figure:
    """Main effects and interactions with their intervals; a second panel for another set of runs."""
    shown = [("", table), *panels] if not panels else list(panels)
    figure = Figure(figsize=(4.4 + 3.0 * (len(shown) - 1), 3.3), layout="constrained")
    axes: Any = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
    for axis, (title, rows) in zip(axes, shown, strict=True):
        for place, row in enumerate(_records(rows)):
            colour = COLOURS[(0, 1, 3)[int(row["order"]) - 1]]
            if row["low"] is not None and not pd.isna(row["low"]):
                axis.plot([row["low"], row["high"]], [place, place], color=colour)
            axis.plot(row["mean"], place, "o", color=colour)
        axis.axvline(0, color=COLOURS[7], linewidth=0.8)
        axis.set_title(title)
        axis.set_xlabel(what)
    axes[0].set_yticks(range(len(table)), list(table["effect"]))
    axes[0].set_ylim(len(table) - 0.5, -0.5)
    return figure


def waste(rows: pd.DataFrame) -> Figure:
    """Wasted nominal seconds of every pair of runs, fail-fast off and on."""
    figure = Figure(figsize=(6.2, 3.4), layout="constrained")
    axis = figure.subplots()
    table: Any = rows.pivot_table(index=["task", "seed"], columns="fail_fast", values="wasted", aggfunc="mean").dropna()
    for number, (name, part) in enumerate(table.groupby(level="task")):
        axis.plot(
            part[False], part[True], MARKERS[number % len(MARKERS)], color=COLOURS[number % len(COLOURS)], alpha=0.8,
            label=str(name),
        )  # fmt: skip
    most = float(table[False].max()) * 1.08 + 0.05
    axis.plot([0, most], [0, most], color=COLOURS[7], linewidth=0.8, linestyle="--")
    axis.plot([0, most], [0, most / 2], color=COLOURS[7], linewidth=0.8)
    for text, height in (("as much", most), ("half: the bar", most / 2)):
        axis.annotate(text, (most, height), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axis.set(
        xlim=(0, most), ylim=(-0.02 * most, most), xlabel="wasted without fail-fast (nominal CPU-s a run)",
        ylabel="wasted with fail-fast",
    )  # fmt: skip
    axis.legend(loc="upper left", bbox_to_anchor=(1.02, 0.9), fontsize=8)
    return figure


def blank(text: str) -> Figure:
    """What stands where nothing was measured."""
    figure = Figure(figsize=(5.0, 1.2), layout="constrained")
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def variations(gains: pd.DataFrame) -> Figure:
    """Each variation against the agent as it is (`ablation.paired`): every pair of runs a point, the mean difference
    with its interval."""
    table = intervals.table(gains, ["varied"], "gain")
    figure = Figure(figsize=(6.0, 0.9 + 0.5 * len(table)), layout="constrained")
    axis = figure.subplots()
    for place, row in enumerate(_records(table)):
        points: Any = gains[gains["varied"] == row["varied"]]["gain"]
        axis.plot(points, [place + 0.2] * len(points), ".", color=COLOURS[4], alpha=0.6)
        if row["low"] is not None and not pd.isna(row["low"]):
            axis.plot([row["low"], row["high"]], [place, place], color=COLOURS[0])
        axis.plot(row["mean"], place, "o", color=COLOURS[0])
    axis.axvline(0, color=COLOURS[7], linewidth=0.8)
    axis.set_yticks(range(len(table)), list(table["varied"]))
    axis.set(ylim=(len(table) - 0.4, -0.6), xlabel="test, points against the agent as it is")
    return figure


def causes(rows: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Each investigator: cases named exactly right, cases that blame something harmless, and what it spent; exact 95 %
    intervals over cases. A hollow mark: cases in which the truth is at least among what was named."""
    table = pd.DataFrame(
        [
            {
                "investigator": name, "cases": len(part), "right": float(part["right"].mean()),
                "right low": hit.interval[0], "right high": hit.interval[1], "found": float(part["found"].mean()),
                "blamed": float((part["false"] > 0).mean()),
                "blamed low": false.interval[0], "blamed high": false.interval[1],
                "herrings blamed": float(part["false"].sum() / part["herrings"].sum()),
                "undecided": float((part["undecided"] > 0).mean()),
                "trainings": float(part["trainings"].mean()), "seconds": float(part["seconds"].mean()),
            }
            for name, part in _groups(rows, "investigator")
            for hit in [Accuracy(int(part["right"].sum()), len(part), 0.0)]
            for false in [Accuracy(int((part["false"] > 0).sum()), len(part), 0.0)]
        ]
    )  # fmt: skip
    figure = Figure(figsize=(8.4, 2.6), layout="constrained")
    axes: Any = figure.subplots(1, 3, sharey=True)
    for place, row in enumerate(_records(table)):
        for axis, name in zip(axes, ("right", "blamed"), strict=False):
            axis.plot([row[f"{name} low"], row[f"{name} high"]], [place, place], color=COLOURS[0])
            axis.plot(row[name], place, "o", color=COLOURS[0])
        axes[0].plot(row["found"], place + 0.22, "o", color=COLOURS[0], fillstyle="none", markersize=5)
        axes[2].barh(place, row["seconds"], color=COLOURS[4], height=0.55)
        axes[2].annotate(
            f" {row['trainings']:.0f} trainings", (row["seconds"], place), va="center", fontsize=8,
        )  # fmt: skip
    axes[0].axvline(0.9, color=COLOURS[7], linestyle="--", linewidth=1)
    axes[0].set_yticks(range(len(table)), [f"{row['investigator']}" for row in _records(table)])
    axes[0].set_ylim(len(table) - 0.5, -0.5)
    axes[0].set(xlim=(-0.02, 1.02), xlabel="cases named exactly right")
    axes[1].set(xlim=(-0.02, 1.02), xlabel="cases that blame what is harmless")
    axes[2].set(xlabel="nominal CPU-seconds a case")
    axes[2].margins(x=0.4)
    return figure, table


def copilot(rows: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Gain over the agent alone, on the same task and seed, against questions asked, for each accuracy; crosses for
    people who know the select split only."""
    alone: Any = rows[rows["most"] == 0].groupby(["task", "seed"])["test"].mean()
    asked: Any = rows[rows["most"] > 0].copy()
    asked["gain"] = [row["test"] - float(alone[row["task"], row["seed"]]) for row in _records(asked)]
    by = ["knows", "accuracy", "most"]
    table = intervals.table(asked, by, "gain")
    counts: Any = asked.groupby(by)["questions"].mean()
    table["questions"] = [float(counts[row["knows"], row["accuracy"], row["most"]]) for row in _records(table)]
    figure = Figure(figsize=(6.6, 3.6), layout="constrained")
    axis = figure.subplots()
    curves: Any = table[table["knows"] == "target"]
    for number, (accuracy, part) in enumerate(_groups(curves, "accuracy")):
        origin = pd.DataFrame([{"questions": 0.0, "mean": 0.0, "low": 0.0, "high": 0.0}])  # alone, by definition
        part = pd.concat([origin, part.sort_values("most")])
        _line(axis, part["questions"].to_numpy(float), part, number, f"right in {float(accuracy):.0%}")
        other = table[(table["knows"] == "select") & (table["accuracy"] == accuracy)]
        axis.plot(other["questions"], other["mean"], linestyle="", marker="x", color=COLOURS[number], markersize=7)
    axis.plot([], [], linestyle="", marker="x", color=COLOURS[7], label="knows select only")
    axis.axhline(0, color=COLOURS[7], linewidth=0.8)
    axis.set(xlabel="questions asked (mean of a run)", ylabel="test, points against the agent alone")
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    return figure, table


def synthesis(rows: pd.DataFrame) -> Figure:
    """Test score of each arm round by round, and what became of the questions that were asked."""
    figure = Figure(figsize=(8.2, 3.9), layout="constrained")
    axes: Any = figure.subplots(1, 2, width_ratios=[1.1, 1])
    for number, (arm, part) in enumerate(_groups(rows, "arm")):
        means: Any = part.groupby("round")["points"].agg(["mean", "min", "max"])
        single = len(means) == 1
        if single:
            axes[0].axhline(float(means["mean"].iloc[0]), color=COLOURS[number], linestyle="--", label=str(arm))
            continue
        axes[0].plot(means.index, means["mean"], marker=MARKERS[number], color=COLOURS[number], label=str(arm))
        axes[0].fill_between(means.index, means["min"], means["max"], color=COLOURS[number], alpha=0.15)
    rounds = sorted(set(rows["round"]))
    axes[0].set_xticks(rounds, [str(number + 1) for number in rounds])
    axes[0].set(xlabel="training", ylabel="test, normalised points")
    figure.legend(loc="outside upper left", fontsize=7.5, ncols=2, handles=axes[0].get_legend_handles_labels()[0])
    shown: Any = rows[rows["asked"] > 0]
    labels: list[str] = []
    for place, (name, part) in enumerate(_groups(shown, ["arm", "round"])):
        kept_right, kept = float(part["kept right"].mean()), float(part["kept"].mean())
        dropped = float(part["dropped"].mean())
        for left, width, colour, label in (
            (0.0, kept_right, COLOURS[2], "kept, right"),
            (kept_right, kept - kept_right, COLOURS[5], "kept, wrong"),
            (kept, dropped, "#CCCCCC", "dropped"),
        ):
            axes[1].barh(place, width, left=left, color=colour, height=0.6, label=label if place == 0 else None)
        labels.append(f"{'checked' if 'checker' in name[0] else 'unchecked'}, round {name[1] + 1}")
    axes[1].set_yticks(range(len(labels)), labels)
    axes[1].set_ylim(len(labels) - 0.4, -0.6)
    axes[1].set_xlabel("questions asked (mean of seeds)")
    figure.legend(loc="outside lower right", fontsize=7.5, ncols=3, handles=axes[1].get_legend_handles_labels()[0])
    return figure


def _line(axis: Axes, at: Any, rows: pd.DataFrame, number: int, label: str) -> None:
    colour = COLOURS[number % len(COLOURS)]
    style = "--" if label == "default" else "-"  # it often lies on the line of the select split
    axis.plot(
        at,
        rows["mean"],
        marker=MARKERS[number % len(MARKERS)],
        color=colour,
        label=label,
        markersize=4,
        linestyle=style,
    )
    low, high = rows["low"].to_numpy(float), rows["high"].to_numpy(float)
    if not np.isnan(low).all():
        axis.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)


def _groups(frame: pd.DataFrame, by: str | list[str]) -> Any:
    return frame.groupby(by, sort=False)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: Any = frame.to_dict("records")
    return found
