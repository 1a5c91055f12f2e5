"""Figures of the benchmark and of what scores cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triptych.figures import COLOURS
from triptych.ft_dojo.agents import benchmark
from triptych.ft_dojo.agents.benchmark import ORACLE, Grid

OURS = "FT-Agent"
BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, BLACK = COLOURS
GREY = "#888888"
SHADES = {
    "base": GREY, "default": YELLOW, "human recipe": GREEN, "random search": PINK, "TPE": SKY, "hill climbing": ORANGE,
    "general agent": RED, OURS: BLUE, ORACLE: BLACK,
}  # fmt: skip


def colour(agent: str) -> str:
    """The same colour for an agent in every figure."""
    return SHADES.get(agent, GREY)


def scores(table: Grid, summary: pd.DataFrame) -> Figure:
    """Mean normalised score of every agent on every task, and over all of them with its interval."""
    figure, axis = plt.subplots(figsize=(1.9 + 0.92 * len(table.agents), 1.5 + 0.31 * (len(table.tasks) + 1)))
    mean = table.means.mean(axis=0)
    values = np.vstack([table.means, mean])
    axis.imshow(np.clip(values, 0, 100), cmap="Blues", vmin=0, vmax=130, aspect="auto")
    best = table.means[:, table.fair].max(axis=1)
    limits = {row["agent"]: (row["low"], row["high"]) for row in _records(summary)}
    for y, line in enumerate(values):
        for x, value in enumerate(line):
            last = y == len(table.tasks)
            won = not last and x in table.fair and value >= best[y] - benchmark.CLOSE
            text = f"{value:.1f}\n{limits[table.agents[x]][0]:.0f} to {limits[table.agents[x]][1]:.0f}"
            axis.text(
                x, y, text if last else str(round(value)), ha="center", va="center", fontsize=6.5 if last else 8,
                weight="bold" if won else "normal", color="white" if value > 75 else "black",
            )  # fmt: skip
    axis.axhline(len(table.tasks) - 0.5, color="white", linewidth=3)
    axis.set_xticks(range(len(table.agents)), [agent.replace(" ", "\n", 1) for agent in table.agents], fontsize=8)
    axis.set_yticks(range(len(values)), [*(name.replace("_", " ") for name in table.tasks), "mean, 95 %"], fontsize=8)
    axis.xaxis.tick_top()
    axis.grid(False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure


def differences(known: pd.DataFrame, unseen: pd.DataFrame | None, tables: Sequence[Grid]) -> Figure:
    """How far FT-Agent is above each other: mean with interval, one small dot a task; unseen damage beside it."""
    others = list(known["other"])[::-1]
    figure, axis = plt.subplots(figsize=(7.6, 1.2 + 0.5 * len(others)))
    parts = [
        (known, BLUE, 0.12, "damage of the kinds that the rules were written with"),
        (unseen, ORANGE, -0.2, "with unseen kinds"),
    ]
    for (frame, shade, shift, label), table in zip(parts, [*tables, None][:2], strict=True):
        if frame is None or table is None:
            continue
        for row in _records(frame):
            y = others.index(row["other"]) + shift
            gaps = table.means[:, table.column(OURS)] - table.means[:, table.column(row["other"])]
            axis.plot(gaps, [y - 0.1] * len(gaps), ".", color=shade, alpha=0.35, markersize=5)
            axis.plot([row["low"], row["high"]], [y, y], color=shade, linewidth=2)
            axis.plot(row["difference"], y, "o", color=shade, label=label if row["other"] == others[0] else None)
    axis.axvline(0, color=BLACK, linewidth=0.8)
    axis.set_yticks(range(len(others)), others)
    axis.set(xlabel="FT-Agent minus the other (normalised points of test score)", ylim=(-0.7, len(others) - 0.4))
    figure.legend(loc="outside upper left", ncols=2, fontsize=8)
    return figure


def ranking(table: Grid, test: benchmark.RankTest) -> Figure:
    """Mean ranks with the difference that is critical, and tasks won beside the paper's count, with exact intervals."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4), width_ratios=(1.2, 1))
    ranked = sorted(benchmark.ranks(table).items(), key=lambda pair: -pair[1])
    names = [agent for agent, _ in ranked]
    for y, (agent, rank) in enumerate(ranked):
        left.plot(rank, y, "o", color=colour(agent), markersize=7)
    own = dict(ranked).get(OURS)
    if own is not None:
        left.axvspan(own - test.critical, own + test.critical, color=BLUE, alpha=0.1, linewidth=0)
        left.annotate(
            f"within {test.critical:.1f} ranks of FT-Agent: not told apart", (0.02, 0.03), xycoords="axes fraction",
            fontsize=7, color=BLUE,
        )  # fmt: skip
    left.set_yticks(range(len(names)), names)
    left.set(xlabel=f"mean rank on {test.tasks} tasks (1 is best)", xlim=(0.8, test.agents + 0.2))
    left.set(title="Ranks", ylim=(-0.8, len(names) - 0.4))
    won = benchmark.wins(table)
    lines = [("the paper's FT-Agent", benchmark.PAPER_WINS, benchmark.PAPER_TASKS, GREY)]
    lines += [(agent, won[agent], len(table.tasks), colour(agent)) for agent in sorted(won, key=lambda one: -won[one])]
    for y, (_, count, of, shade) in enumerate(lines[::-1]):
        found = benchmark.share(count, of)
        right.plot([found.low, found.high], [y, y], color=shade, linewidth=2)
        right.plot(found.value, y, "o", color=shade, markersize=6)
        right.annotate(f"{count} of {of}", (101, y), fontsize=7, va="center", annotation_clip=False)
    right.set_yticks(range(len(lines)), [name for name, *_ in lines[::-1]])
    right.set(xlabel="tasks won (%)", xlim=(-2, 100), title="Wins, several may share one")
    return figure


def pareto(summary: pd.DataFrame) -> Figure:
    """Mean score against mean nominal seconds of a run, and who is beaten by nobody."""
    rows = [row for row in _records(summary) if row["agent"] != ORACLE]
    held = benchmark.frontier([row["seconds"] for row in rows], [row["score"] for row in rows])
    figure, axis = plt.subplots(figsize=(7.2, 4.2))
    front = sorted((row["seconds"], row["score"]) for row, on in zip(rows, held, strict=True) if on)
    axis.step([x for x, _ in front], [y for _, y in front], where="post", color=GREY, linewidth=1, zorder=1)
    for row, on in zip(rows, held, strict=True):
        shade = colour(row["agent"])
        axis.plot([row["seconds"]] * 2, [row["low"], row["high"]], color=shade, linewidth=1.5, alpha=0.6)
        face = shade if on else "white"
        axis.plot(row["seconds"], row["score"], "o", color=shade, markerfacecolor=face, label=row["agent"])
    best = [row["score"] for row in _records(summary) if row["agent"] == ORACLE]
    for score in best:
        axis.axhline(score, color=BLACK, linewidth=0.8, linestyle=":")
        axis.annotate("oracle", (0.01, score), xycoords=("axes fraction", "data"), fontsize=8, va="bottom")
    axis.set(xlabel="nominal CPU-seconds of a run", ylabel="normalised test score")
    figure.legend(loc="outside right center", fontsize=8)
    return figure


def courses(course: pd.DataFrame) -> Figure:
    """The best val score seen so far against what was spent, mean over runs."""
    figure, axis = plt.subplots(figsize=(7.2, 4.0))
    for agent, moments, best in _curves(course):
        dashes = "--" if agent == ORACLE else "-"
        axis.step(moments, best, where="post", color=colour(agent), label=agent, linestyle=dashes)
    axis.set(xlabel="nominal CPU-seconds spent", ylabel="best val score seen (normalised)")
    figure.legend(loc="outside right center", fontsize=8)
    return figure


def targets(tables: Sequence[tuple[float, pd.DataFrame]]) -> Figure:
    """Share of runs that reached a target, and what that took, one panel a target (a share of the oracle's score)."""
    figure, axes = plt.subplots(1, len(tables), figsize=(4.6 * len(tables), 3.2), sharey=True, squeeze=False)
    panels: Sequence[Axes] = axes[0]
    for axis, (share, table) in zip(panels, tables, strict=True):
        rows = _records(table)[::-1]
        for y, row in enumerate(rows):
            axis.barh(y, row["reached"], color=colour(row["agent"]), height=0.65)
            spent = f"{row['seconds']:.1f} s" if row["reached"] else "never"
            axis.annotate(spent, (row["reached"] + 1.5, y), fontsize=7.5, va="center", annotation_clip=False)
        axis.set_yticks(range(len(rows)), [row["agent"] for row in rows])
        axis.set(xlabel="runs that got there (%)", xlim=(0, 118), title=f"{share:.0%} of the oracle's score")
        axis.set_xticks([0, 25, 50, 75, 100])
    return figure


def _curves(course: pd.DataFrame) -> list[tuple[str, list[float], list[float]]]:
    rows = _records(course)
    moments = sorted({row["at"] for row in rows})
    found: list[tuple[str, list[float], list[float]]] = []
    for agent in dict.fromkeys(row["agent"] for row in rows):
        means = [np.mean([row["best"] for row in rows if row["agent"] == agent and row["at"] == at]) for at in moments]
        found.append((agent, moments, [float(mean) for mean in means]))
    return found


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    frame: Any = rows
    return frame.to_dict("records")
