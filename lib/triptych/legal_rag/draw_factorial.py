"""The figures of the factorial, each from the table of the numbers in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from triptych.figures import COLOURS
from triptych.legal_rag.factorial import BOUNDS
from triptych.legal_rag.taxonomy import KINDS, UNPARSED

MARKERS = ("o", "s", "^", "D")
WORDS = {"correct": "correct", "grounded": "grounded", "retrieved": "gold retrieved"}
KIND_COLOURS: dict[str, str] = dict(zip(KINDS, ("#009E73", "#D55E00", "#56B4E9", "#E69F00", "#BBBBBB"), strict=True))


def arms(rates: pd.DataFrame) -> Figure:
    """Correctness, groundedness and retrieval of every arm with exact intervals, from `factorial.rates`.

    One row of panels a phrasing. The bounds (oracle, closed book) stand apart on a grey ground. Retrieval does not
    depend on the generator and is drawn once.
    """
    phrasings, measures = _values(rates, "phrasing"), _values(rates, "measure")
    figure, panels = plt.subplots(
        len(phrasings), len(measures), sharey=True, sharex=True, squeeze=False,
        figsize=(3.1 * len(measures) + 0.4, 2.35 * len(phrasings) + 0.9),
    )  # fmt: skip
    retrievers, generators = _values(rates, "retriever"), _values(rates, "generator")
    for row, phrasing in zip(panels, phrasings, strict=True):
        for panel, measure in zip(row, measures, strict=True):
            part = rates.loc[(rates["phrasing"] == phrasing) & (rates["measure"] == measure)]
            drawn = generators[:1] if measure == "retrieved" else generators
            for place, generator in enumerate(drawn):
                shift = 0.22 * (place - (len(drawn) - 1) / 2)
                look = {"color": "#555555", "marker": "x"} if measure == "retrieved" else _look(generators, generator)
                _points(panel, part.loc[part["generator"] == generator], retrievers, shift, look, generator)
            _ground(panel, retrievers)
            panel.set_title(f"{WORDS[measure]}, {phrasing}", fontsize=9.5)
            panel.set(ylim=(-0.03, 1.03))
        row[0].set_ylabel("share of questions")
    for panel in panels[-1]:
        panel.set_xticks(range(len(retrievers)), retrievers, rotation=30, ha="right", rotation_mode="anchor")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(generators))
    return figure


def interaction(rates: pd.DataFrame, measures: Sequence[str] = ("correct", "grounded")) -> Figure:
    """Interaction plot: the share by retriever, one line a generator; parallel lines would mean no interaction.

    From `factorial.rates` of the crossed arms, one row of panels a measure, one panel a phrasing.
    """
    phrasings, generators = _values(rates, "phrasing"), _values(rates, "generator")
    retrievers = _values(rates, "retriever")
    figure, panels = plt.subplots(
        len(measures), len(phrasings), sharex=True, squeeze=False,
        figsize=(3.3 * len(phrasings) + 0.6, 2.2 * len(measures) + 0.8), sharey="row",
    )  # fmt: skip
    for row, measure in zip(panels, measures, strict=True):
        for panel, phrasing in zip(row, phrasings, strict=True):
            part = rates.loc[(rates["phrasing"] == phrasing) & (rates["measure"] == measure)]
            for place, generator in enumerate(generators):
                shift = 0.08 * (place - (len(generators) - 1) / 2)
                look = {**_look(generators, generator), "linestyle": "-"}
                _points(panel, part.loc[part["generator"] == generator], retrievers, shift, look, generator)
            panel.set_title(f"{WORDS[measure]}, {phrasing}", fontsize=9.5)
            panel.set(ylim=(-0.03, 1.03), xlim=(-0.4, len(retrievers) - 0.6))
            panel.set_xticks(range(len(retrievers)), retrievers)
        row[0].set_ylabel("share of questions")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(generators))
    return figure


def errors(table: pd.DataFrame) -> Figure:
    """The decomposition of errors, one stacked bar a cell, from `taxonomy.decomposition` with a column phrasing."""
    phrasings = _values(table, "phrasing")
    cells = list(dict.fromkeys(zip(table["retriever"], table["generator"], strict=True)))
    kinds = [kind for kind in KINDS if kind != UNPARSED or table.loc[table["kind"] == kind, "runs"].any()]
    figure, panels = plt.subplots(
        1, len(phrasings), sharey=True, squeeze=False,
        figsize=(3.4 * len(phrasings) + 2.0, 0.36 * len(cells) + 1.5),
    )  # fmt: skip
    for panel, phrasing in zip(panels[0], phrasings, strict=True):
        left = np.zeros(len(cells))
        for kind in kinds:
            part = table[(table["phrasing"] == phrasing) & (table["kind"] == kind)]
            share = dict(zip(zip(part["retriever"], part["generator"], strict=True), part["share"], strict=True))
            width = np.array([share.get(cell, 0.0) for cell in cells])
            panel.barh(range(len(cells)), width, left=left, color=KIND_COLOURS[kind], edgecolor="white", linewidth=0.5)
            for row, value in enumerate(width):
                if value >= 0.07:
                    panel.text(left[row] + value / 2, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=8)
            left += width
        n = max(table.loc[table["phrasing"] == phrasing, "n"])
        panel.set(xlim=(0, 1), title=f"{phrasing} phrasing, {n} questions", xlabel="share of questions")
        panel.grid(axis="y", visible=False)
    panels[0][0].set_yticks(range(len(cells)), [f"{retriever}, {generator}" for retriever, generator in cells])
    panels[0][0].invert_yaxis()
    handles = [Patch(color=KIND_COLOURS[kind], label=kind) for kind in kinds]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(kinds), fontsize=8.5)
    return figure


def _points(
    panel: Any, part: pd.DataFrame, places: Sequence[str], shift: float, look: dict[str, Any], label: str
) -> None:
    x = np.array([places.index(name) for name in part["retriever"]], dtype=float) + shift
    reach = [part["share"] - part["low"], part["high"] - part["share"]]
    style = {"linestyle": "none", "capsize": 2, "elinewidth": 0.9, **look}
    panel.errorbar(x, part["share"], yerr=reach, label=label, **style)


def _ground(panel: Any, retrievers: Sequence[str]) -> None:
    for place, name in enumerate(retrievers):
        if name in BOUNDS:
            panel.axvspan(place - 0.5, place + 0.5, color="#F2F2F2", zorder=0)


def _look(generators: Sequence[str], name: str) -> dict[str, Any]:
    place = list(generators).index(name)
    return {"color": COLOURS[place % 7], "marker": MARKERS[place % len(MARKERS)]}


def _values(table: pd.DataFrame, column: str) -> list[str]:
    return list(dict.fromkeys(table[column]))
