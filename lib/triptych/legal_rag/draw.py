"""The figures of the retrieval notebook, each from the table of the numbers in it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from triptych.figures import COLOURS

MARKERS = ("o", "s", "^", "D", "v", "P")


def _looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each arm, the same in every figure."""
    return {name: (COLOURS[i % 7], MARKERS[i % len(MARKERS)]) for i, name in enumerate(names)}


def recall_curves(table: pd.DataFrame) -> Figure:
    """Recall@k with Wilson intervals, one panel a phrasing, from `score.recall_table` of one rule."""
    arms, phrasings, ks = (list(dict.fromkeys(table[column])) for column in ("arm", "phrasing", "k"))
    looks = _looks(arms)
    figure, panels = plt.subplots(
        1, len(phrasings), sharey=True, squeeze=False, figsize=(3.5 * len(phrasings) + 0.4, 3.6)
    )
    for panel, phrasing in zip(panels[0], phrasings, strict=True):
        for place, arm in enumerate(arms):
            part = table[(table["arm"] == arm) & (table["phrasing"] == phrasing)]
            # k on equal steps, the arms side by side, so that intervals can be told apart
            x = np.arange(len(ks)) + 0.13 * (place - (len(arms) - 1) / 2)
            reach = [part["recall"] - part["low"], part["high"] - part["recall"]]
            colour, marker = looks[arm]
            panel.errorbar(
                x, part["recall"], yerr=reach, color=colour, marker=marker, capsize=2, elinewidth=0.9, label=arm
            )
        panel.set_xticks(np.arange(len(ks)), [str(k) for k in ks])
        panel.set(xlabel="k, passages returned", ylim=(-0.03, 1.03), title=f"{phrasing} phrasing")
    panels[0][0].set_ylabel("recall@k (share of questions)")
    panels[0][-1].legend(loc="lower right" if len(phrasings) > 1 else "upper left")
    return figure


def distance_against_rank(table: pd.DataFrame, depth: int) -> Figure:
    """Rank of the answer against the share of the question's content stems in the gold passages, one panel an arm.

    `table` has arm, phrasing, question, share and rank; a missing rank is drawn in the band below `depth`.
    """
    arms = list(dict.fromkeys(table["arm"]))
    looks, missed = _looks(arms), depth * 1.9
    figure, panels = plt.subplots(1, len(arms), sharey=True, squeeze=False, figsize=(2.6 * len(arms) + 0.5, 3.5))
    for panel, arm in zip(panels[0], arms, strict=True):
        part = table[table["arm"] == arm].assign(y=lambda rows: rows["rank"].astype("Float64").fillna(missed))
        for _, pair in part.groupby("question"):
            panel.plot(pair["share"], pair["y"].astype(float), color="#CCCCCC", linewidth=0.7, zorder=1)
        colour, marker = looks[arm]
        for phrasing, rows in part.groupby("phrasing"):
            face = colour if phrasing == "distant" else "white"
            panel.scatter(
                rows["share"], rows["y"].astype(float), s=24, marker=marker, facecolor=face, edgecolor=colour, zorder=2
            )
        panel.axhspan(depth * 1.35, depth * 2.7, color="#F2F2F2", zorder=0)
        panel.set(title=arm, xlim=(-0.05, 1.05), yscale="log", ylim=(depth * 2.7, 0.8))
    ticks = [tick for tick in (1, 3, 10, 30, 100, 300, 1000) if tick <= depth]
    panels[0][0].set_yticks([*ticks, missed], [*map(str, ticks), f">{depth}"])
    panels[0][0].yaxis.set_minor_locator(NullLocator())
    panels[0][0].set_ylabel("rank at which the question is answered")
    keys = [
        Line2D([], [], marker="o", linestyle="none", markeredgecolor="#555555", markerfacecolor=face, label=name)
        for name, face in (("distant", "#555555"), ("plain", "white"))
    ]
    figure.legend(handles=keys, loc="outside upper right", ncols=2, title=None)
    figure.supxlabel("share of the question's content stems that occur in its gold passages", fontsize=9.5)
    return figure


def heat_map(table: pd.DataFrame) -> Figure:
    """Recall of every chunker × arm from `grid.table`: a row of panels a phrasing, at equal k and at equal tokens.

    A dot marks pairs that were not run.
    """
    chunkers, arms, phrasings = (list(dict.fromkeys(table[column])) for column in ("chunker", "arm", "phrasing"))
    given = list(dict.fromkeys(zip(table["given"], table["limit"], strict=True)))
    size = (1.2 + 2.9 * len(given), 0.9 + len(phrasings) * (0.7 + 0.27 * len(chunkers)))
    figure, panels = plt.subplots(len(phrasings), len(given), sharex=True, sharey=True, squeeze=False, figsize=size)
    for row, phrasing in enumerate(phrasings):
        for column, (kind, limit) in enumerate(given):
            panel = panels[row][column]
            part = table[(table["phrasing"] == phrasing) & (table["given"] == kind)]
            values = part.pivot_table(index="chunker", columns="arm", values="recall").reindex(chunkers)[arms]
            panel.imshow(values.to_numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for (y, x), value in np.ndenumerate(values.to_numpy()):
                colour = "white" if value > 0.55 else "black"
                panel.text(x, y, "·" if np.isnan(value) else f"{value:.2f}", ha="center", va="center", color=colour)
            panel.set_title(f"{phrasing}, {limit:,} {kind}")
            panel.set_xticks(range(len(arms)), arms, rotation=35, ha="right", rotation_mode="anchor")
            panel.set_yticks(range(len(chunkers)), chunkers)
            panel.grid(visible=False)
            panel.tick_params(length=0)
    return figure


RULE_MARKERS = {"half of any span": "<", "half, other passages too": "s", "half of every span": "o"}


def rules(table: pd.DataFrame) -> Figure:
    """Recall under each rule of `score.RULES` at one k, one panel a phrasing, one row an arm."""
    arms, phrasings, names = (list(dict.fromkeys(table[column])) for column in ("arm", "phrasing", "rule"))
    figure, panels = plt.subplots(
        1, len(phrasings), sharey=True, squeeze=False, figsize=(3.6 * len(phrasings) + 0.6, 1.3 + 0.45 * len(arms))
    )
    for panel, phrasing in zip(panels[0], phrasings, strict=True):
        part = table[table["phrasing"] == phrasing]
        for y, arm in enumerate(arms):
            of = part[part["arm"] == arm]
            panel.plot([of["recall"].min(), of["recall"].max()], [y, y], color="#CCCCCC", zorder=1)
        for place, name in enumerate(names):
            of = part.loc[part["rule"] == name].set_index("arm").reindex(arms)
            panel.scatter(
                of["recall"],
                np.arange(len(arms)) + 0.11 * (place - (len(names) - 1) / 2),
                marker=RULE_MARKERS.get(name, ">"),
                color=COLOURS[place % 7],
                label=name,
                zorder=2,
            )
        panel.set_yticks(range(len(arms)), arms)
        panel.set(xlabel="recall", xlim=(-0.02, 1.02), ylim=(len(arms) - 0.5, -0.5), title=f"{phrasing} phrasing")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=8.5)
    return figure
