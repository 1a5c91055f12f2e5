"""The figures of the inference notebook, each from the table of the numbers in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from triptych.figures import COLOURS
from triptych.legal_rag import taxonomy

MEASURES = ("correct", "grounded", "retrieved")
KIND_COLOURS = {
    "correct": "#DDDDDD",
    "hallucination": COLOURS[1],
    "retrieval error": COLOURS[0],
    "reasoning error": COLOURS[3],
    "unparsed": "#000000",
}


def beside(rates: pd.DataFrame) -> Figure:
    """Rates with intervals, the paper's above ours: columns source, measure, retriever, generator, share, low, high.

    An empty generator stands for all of them: retrieval does not depend on the generator.
    """
    sources = list(dict.fromkeys(rates["source"]))
    figure, panels = plt.subplots(len(sources), len(MEASURES), sharey=True, squeeze=False, figsize=(8.6, 5.2))
    for row, source in enumerate(sources):
        own = rates.loc[rates["source"] == source]
        retrievers = list(dict.fromkeys(own["retriever"]))
        generators = [name for name in dict.fromkeys(own["generator"]) if name]
        for column, measure in enumerate(MEASURES):
            panel, part = panels[row][column], own.loc[own["measure"] == measure]
            for place, generator in enumerate(dict.fromkeys(part["generator"])):
                of = part.loc[part["generator"] == generator].set_index("retriever").reindex(retrievers)
                x = np.arange(len(retrievers)) + (0.16 * (place - (len(generators) - 1) / 2) if generator else 0.0)
                reach = [of["share"] - of["low"], of["high"] - of["share"]]
                colour = COLOURS[generators.index(generator) + 3 * row] if generator else "#555555"
                panel.errorbar(
                    x, of["share"], yerr=reach, fmt="os"[place % 2], color=colour, capsize=2, label=generator or None
                )
            panel.set_xticks(range(len(retrievers)), [fill(name, 11) for name in retrievers], fontsize=7.5)
            panel.set(xlim=(-0.6, len(retrievers) - 0.4), ylim=(-0.03, 1.03))
            panel.set_title(f"{source}: {measure}" if column == 0 else measure)
        panels[row][0].set_ylabel("share of questions")
        room = own.loc[own["measure"] == MEASURES[0], "low"].min()  # below all intervals, or else above them
        panels[row][0].legend(fontsize=7.5, loc="lower left" if room > 0.35 else "upper left")
    return figure


def forest(rows: pd.DataFrame) -> Figure:
    """Differences in points with 95 % intervals, one panel a block: block, label, difference, low, high (in [-1, 1]).

    A row without interval (the paper's, of which only the point is known) is drawn hollow.
    """
    blocks = list(dict.fromkeys(rows["block"]))
    sizes = [int((rows["block"] == block).sum()) for block in blocks]
    figure, panels = plt.subplots(
        len(blocks), 1, sharex=True, squeeze=False, figsize=(7.0, 0.9 + 0.3 * sum(sizes) + 0.35 * len(blocks)),
        height_ratios=sizes,
    )  # fmt: skip
    for place, (panel, block) in enumerate(zip(panels[:, 0], blocks, strict=True)):
        part = rows.loc[rows["block"] == block].reset_index(drop=True)
        known = np.asarray(part["low"].notna(), dtype=bool)
        y = np.arange(len(part))
        middle = 100 * part["difference"].to_numpy(dtype=float)
        low, high = (100 * part[end].to_numpy(dtype=float) for end in ("low", "high"))
        reach = [(middle - low)[known], (high - middle)[known]]
        panel.errorbar(middle[known], y[known], xerr=reach, fmt="o", color=COLOURS[place % 6], capsize=2)
        panel.plot(middle[~known], y[~known], "D", markerfacecolor="white", color=COLOURS[place % 6])
        panel.axvline(0, color="#888888", linewidth=0.8)
        panel.set_yticks(y, part["label"], fontsize=8.5)
        panel.set(ylim=(len(part) - 0.5, -0.5), title=block)
    panels[-1][0].set_xlabel("difference, percentage points")
    return figure


def variants(table: pd.DataFrame, reported: Mapping[tuple[str, str], float]) -> Figure:
    """p-values of every variant: measure, variant, effect, p. One panel an effect; `reported` are the paper's p-values
    by (measure, effect), drawn as lines."""
    effects, names, measures = (list(dict.fromkeys(table[column])) for column in ("effect", "variant", "measure"))
    figure, panels = plt.subplots(1, len(effects), sharey=True, squeeze=False, figsize=(8.6, 0.9 + 0.3 * len(names)))
    for panel, effect in zip(panels[0], effects, strict=True):
        for place, measure in enumerate(measures):
            part = table.loc[(table["effect"] == effect) & (table["measure"] == measure)]
            p = part.set_index("variant")["p"].astype(float).reindex(names).clip(lower=1e-6)
            y = np.arange(len(names)) + 0.16 * (place - (len(measures) - 1) / 2)
            panel.plot(p, y, "os^"[place % 3], color=COLOURS[place], label=f"ours, {measure}")
            if (value := reported.get((measure, effect))) is not None:
                panel.axvline(value, color=COLOURS[place], linestyle="--", linewidth=1, label=f"paper, {measure}")
        panel.axvline(0.05, color="#888888", linewidth=0.8, linestyle=":")
        panel.set_yticks(range(len(names)), names, fontsize=8.5)
        panel.set(xscale="log", xlim=(5e-7, 1.6), ylim=(len(names) - 0.5, -0.5), title=effect, xlabel="p")
    handles = {
        label: line for panel in panels[0] for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4, fontsize=8)
    return figure


def orders(table: pd.DataFrame, chosen: Sequence[str]) -> Figure:
    """The decomposition of each arm under several orders of the rules, from `taxonomy.order_sensitivity`."""
    arms = list(dict.fromkeys(zip(table["retriever"], table["generator"], strict=True)))
    figure, panels = plt.subplots(
        1, len(chosen), sharey=True, squeeze=False, figsize=(3.4 * len(chosen) + 1.2, 1.3 + 0.28 * len(arms))
    )
    for panel, order in zip(panels[0], chosen, strict=True):
        part = table.loc[table["order"] == order]
        left = np.zeros(len(arms))
        for kind in taxonomy.KINDS:
            counts = part.loc[part["kind"] == kind].set_index(["retriever", "generator"])["runs"]
            width = np.array([float(counts.loc[arm]) for arm in arms])
            panel.barh(range(len(arms)), width, left=left, color=KIND_COLOURS[kind], height=0.7)
            left += width
        panel.set_yticks(range(len(arms)), [" × ".join(arm) for arm in arms], fontsize=8.5)
        panel.set(ylim=(len(arms) - 0.5, -0.5), xlabel="runs")
        panel.set_title(order.replace(" → ", " →\n"), fontsize=8.5)
        panel.grid(visible=False, axis="y")
    there = set(table.loc[table["runs"] > 0, "kind"]) | {*taxonomy.KINDS} - {taxonomy.UNPARSED}
    keys = [Patch(facecolor=colour, label=kind) for kind, colour in KIND_COLOURS.items() if kind in there]
    figure.legend(handles=keys, loc="outside upper center", ncols=5, fontsize=8)
    return figure


def conditional(table: pd.DataFrame) -> Figure:
    """Hallucination given a hit, a miss and oracle context, from `taxonomy.conditional_hallucination`."""
    generators, given = list(dict.fromkeys(table["generator"])), list(dict.fromkeys(table["given"]))
    figure, panel = plt.subplots(figsize=(5.8, 3.2))
    for place, generator in enumerate(generators):
        part = table.loc[table["generator"] == generator].set_index("given").reindex(given)
        x = np.arange(len(given)) + 0.14 * (place - (len(generators) - 1) / 2)
        reach = [part["share"] - part["low"], part["high"] - part["share"]]
        panel.errorbar(
            x, part["share"], yerr=reach, fmt="os^"[place % 3], color=COLOURS[place], capsize=3, label=generator
        )
        for at, share, n in zip(x, part["high"], part["n"], strict=True):
            if n > 0:  # nor where there is no row
                panel.text(at, share + 0.02, f"{int(n)}", ha="center", fontsize=7.5, color="#555555")
    panel.set_xticks(range(len(given)), [f"given {name}" if name != "oracle" else "oracle context" for name in given])
    panel.set(ylim=(-0.03, 1.08), xlim=(-0.5, len(given) - 0.5), ylabel="share not grounded")
    panel.legend(fontsize=8.5)
    return figure


def judged(table: pd.DataFrame) -> Figure:
    """A difference as judged and as corrected for judges of several qualities: quality, items, difference, low, high.

    The quality 1 with no items stands for the difference as judged.
    """
    sizes = list(dict.fromkeys(table["items"]))
    figure, panel = plt.subplots(figsize=(6.2, 3.2))
    qualities = sorted(set(table["quality"]), reverse=True)
    for place, size in enumerate(sizes):
        part = table.loc[table["items"] == size].sort_values("quality", ascending=False)
        x = np.array([qualities.index(value) for value in part["quality"]]) + 0.13 * (place - (len(sizes) - 1) / 2)
        middle = 100 * part["difference"]
        reach = [middle - 100 * part["low"], 100 * part["high"] - middle]
        label = f"validated on {size} + {size} items" if size else "as judged"
        panel.errorbar(x, middle, yerr=reach, fmt="Dos^"[place % 4], color=COLOURS[place - 1], capsize=3, label=label)
    panel.axhline(0, color="#888888", linewidth=0.8)
    panel.set_xticks(range(len(qualities)), [f"{value:g}" for value in qualities])
    panel.set(
        xlabel="assumed sensitivity = specificity of the judge",
        ylabel="difference, points",
        xlim=(-0.5, len(qualities) - 0.5),
    )
    panel.legend(fontsize=8.5, loc="best")
    return figure
