"""The figures of the notebook on judges, each from the table of the numbers in it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from triptych.figures import COLOURS
from triptych.legal_rag.judge_error import Checked

MARKERS = ("o", "s", "^", "D", "v", "P")


def validity(table: pd.DataFrame, bar: float = 0.75) -> Figure:
    """Share of answers judged rightly by kind, one panel a half, one mark a judge; from `judge_validity.by_kind`.

    Kinds to object to stand above the line, kinds to accept below it; whiskers are exact 95 % intervals.
    """
    splits, judges = (list(dict.fromkeys(table[column])) for column in ("split", "judge"))
    wrong, right = (_kinds(table, measure) for measure in ("sensitivity", "specificity"))
    rows = [("all to object to", "sensitivity", "all"), *((kind, "sensitivity", kind) for kind in wrong)]
    rows += [("all to accept", "specificity", "all"), *((kind, "specificity", kind) for kind in right)]
    figure, panels = plt.subplots(
        1, len(splits), sharey=True, squeeze=False, figsize=(3.4 * len(splits) + 1.9, 0.36 * len(rows) + 1.3)
    )
    for panel, split in zip(panels[0], splits, strict=True):
        for place, judge in enumerate(judges):
            part = table.loc[(table["split"] == split) & (table["judge"] == judge)].set_index(["measure", "kind"])
            for y, (_, measure, kind) in enumerate(rows):
                if (measure, kind) not in part.index:
                    continue
                share, low, high = (float(part.loc[(measure, kind), name]) for name in ("share", "low", "high"))  # pyright: ignore[reportArgumentType]
                panel.errorbar(
                    share,
                    y + 0.22 * (place - (len(judges) - 1) / 2),
                    xerr=[[share - low], [high - share]],
                    color=COLOURS[place % 7],
                    marker=MARKERS[place % len(MARKERS)],
                    markersize=5 if kind != "all" else 7,
                    elinewidth=0.8,
                    capsize=0,
                    linestyle="none",
                    label=judge if y == 0 else None,
                )
        panel.axvline(bar, color="#888888", linestyle=":", linewidth=0.9)
        panel.axhline(len(wrong) + 0.5, color="#BBBBBB", linewidth=0.8)
        panel.set(xlim=(-0.03, 1.03), ylim=(len(rows) - 0.4, -0.6), title=f"{split} questions")
        panel.set_yticks(range(len(rows)), [name for name, *_ in rows])
    figure.supxlabel("share of answers judged rightly", fontsize=9.5)
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(judges))
    return figure


def _kinds(table: pd.DataFrame, measure: str) -> list[str]:
    kinds = table.loc[(table["measure"] == measure) & (table["kind"] != "all"), "kind"]
    return list(dict.fromkeys(kinds.tolist()))


def probes(table: pd.DataFrame) -> Figure:
    """Share of verdicts that each probe moved, to the better and to the worse, one panel a judge; from
    `judge_probes.probe`. Beside a probe stands the number of verdicts that it is a share of."""
    judges, names = (list(dict.fromkeys(table[column])) for column in ("judge", "probe"))
    flags = ("correct", "grounded")
    figure, panels = plt.subplots(
        1, len(judges), sharey=True, sharex=True, squeeze=False, figsize=(3.0 * len(judges) + 1.6, 3.1)
    )
    for panel, judge in zip(panels[0], judges, strict=True):
        for place, flag in enumerate(flags):
            part = table.loc[(table["judge"] == judge) & (table["flag"] == flag)].set_index("probe").loc[names]
            n = np.maximum(part["n"].to_numpy(dtype=float), 1)  # nothing was changed: no bar
            y = np.arange(len(names)) + 0.19 * (2 * place - 1)
            for column, sign, alpha in (("to_better", 1, 1.0), ("to_worse", -1, 0.45)):
                panel.barh(
                    y,
                    sign * part[column].to_numpy(dtype=float) / n,
                    height=0.34,
                    color=COLOURS[place],
                    alpha=alpha,
                    label=f"{flag}: turned {'true' if sign > 0 else 'false'}",
                )
        panel.axvline(0, color="#444444", linewidth=0.8)
        panel.set(title=judge, ylim=(len(names) - 0.5, -0.5))
        sizes = table.loc[table["flag"] == flags[0]].groupby("probe")["n"].max()
        panel.set_yticks(range(len(names)), [f"{name} (n = {int(sizes[name])})" for name in names])
    reach = max(0.02, *(abs(limit) for panel in panels[0] for limit in panel.get_xlim()))
    panels[0][0].set_xlim(-reach, reach)
    figure.supxlabel("share of verdicts that turned (right: in the answer's favour)", fontsize=9.5)
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8.5)
    return figure


def rates(table: pd.DataFrame, curves: dict[str, tuple[Checked, Checked]], used: str) -> Figure:
    """What a judge's errors do to a rate: reported against true share for each judge; and each arm's rate as judged and
    corrected.

    `curves` gives sensitivity and specificity for *correct* by judge; `table` has arm, n, judged, value, low, high.
    `used` is the judge of the arms. Dashed: what it reports of nothing but wrong answers. Arms reported below that are
    drawn hollow: the calibration cannot hold for them. A judge that is not among `curves` was not measured: its arms
    are drawn as judged, and the panel says so.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8.6, max(3.5, 0.34 * len(table) + 1.6)), gridspec_kw={"width_ratios": (1, 1.25)}
    )
    true = np.linspace(0, 1, 51)
    left.plot(true, true, color="#999999", linewidth=0.9, linestyle=":", label="a perfect judge")
    for place, (name, (passes, fails)) in enumerate(curves.items()):
        left.plot(true, true * passes.share + (1 - true) * (1 - fails.share), color=COLOURS[place], label=name)
    left.set(xlabel="true share of correct answers", ylabel="share that the judge reports", xlim=(0, 1), ylim=(0, 1))
    left.legend(loc="upper left", fontsize=8)
    y = np.arange(len(table))
    known = used in curves
    lowest = 1 - curves[used][1].share if known else 0.0
    outside = (table["judged"] < lowest).to_numpy(dtype=bool)
    for rows, fill, label in ((~outside, COLOURS[0], "corrected"), (outside, "white", "calibration does not hold")):
        if known and rows.any():
            part = table.loc[rows]
            reach = [part["value"] - part["low"], part["high"] - part["value"]]
            right.errorbar(
                part["value"], y[rows], xerr=reach, color=COLOURS[0], marker="o", markerfacecolor=fill,
                linestyle="none", label=label,
            )  # fmt: skip
    right.plot(table["judged"], y, marker="|", markersize=12, linestyle="none", color=COLOURS[1], label="as judged")
    if known:
        right.axvline(lowest, color=COLOURS[1], linestyle="--", linewidth=0.9, label="reported if all were wrong")
    else:
        right.text(0.5, 0.5, f"not corrected: {used}\nwas not measured", transform=right.transAxes, ha="center")
    right.set_yticks(y, table["arm"].tolist())
    right.set(xlim=(-0.03, 1.03), ylim=(len(table) - 0.4, -0.6), xlabel="share of correct answers")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)
    return figure


def printed(table: pd.DataFrame, ours: Sequence[tuple[str, Checked]] = ()) -> Figure:
    """Exact intervals of a judge printed as 99 % right, by how many items it may have been checked on; ours beside."""
    figure, panel = plt.subplots(figsize=(6.0, 3.0))
    sizes = list(dict.fromkeys(table["n"].tolist()))
    for place, n in enumerate(sizes):
        part = table[table["n"] == n]
        panel.plot([part["low"].min(), part["high"].max()], [place, place], color=COLOURS[0], linewidth=4, alpha=0.5)
        panel.plot(part["share"], [place] * len(part), "o", color=COLOURS[0], markersize=4)
    for place, (_, checked) in enumerate(ours, start=len(sizes)):
        panel.plot(checked.interval(), [place, place], color=COLOURS[1], linewidth=4, alpha=0.5)
        panel.plot(checked.share, place, "s", color=COLOURS[1], markersize=5)
    panel.set_yticks(range(len(sizes) + len(ours)), [*(f"99 % of {n}" for n in sizes), *(name for name, _ in ours)])
    panel.set(xlabel="share of verdicts that are right, exact 95 % interval", ylim=(len(sizes) + len(ours) - 0.5, -0.5))
    return figure
