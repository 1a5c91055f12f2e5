"""Pictures of machines at work: speed-ups taken apart, rooflines, stalls, layers of larger networks. Nothing is
computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from triptych.figures import COLOURS


def speedups(tables: Mapping[tuple[str, str], pd.DataFrame], paper: Sequence[float]) -> Figure:
    """Cycles' factor of each mix as the product of the dataflow's and the multiplier's (`speedup.factors`), log scale,
    with the paper's range as a band; a panel for each (row, column) of names."""
    rows, columns = (list(dict.fromkeys(one[axis] for one in tables)) for axis in (0, 1))
    figure, axes = plt.subplots(
        len(rows), len(columns), figsize=(5.0 * len(columns), 2.7 * len(rows) + 0.5),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for (row, column), table in tables.items():
        axis = axes[rows.index(row)][columns.index(column)]
        places = np.arange(len(table))
        axis.axhspan(paper[0], paper[1], color="#E8E8E8", label="paper, end to end")
        for shift, name, label, colour in (
            (-0.27, "dataflow", "dataflow", COLOURS[1]),
            (0, "multiplier", "multiplier", COLOURS[0]),
            (0.27, "cycles", "both: cycles", COLOURS[2]),
        ):
            axis.bar(places + shift, table[name] - 1, 0.25, bottom=1, label=label, color=colour)
        with_clock = table["speedup"].to_numpy(float)
        if not np.isnan(with_clock).all():
            axis.plot(places + 0.27, with_clock, "k_", markersize=9, markeredgewidth=2, label="with the clock")
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_yscale("log", base=2)
        axis.set_yticks([1 / 8, 0.25, 0.5, 1, 2, 4, 8, 16, 32], ["⅛", "¼", "½", "1", "2", "4", "8", "16", "32"])
        axis.set_xticks(places, list(table["mix"]), rotation=60)
        axis.set_title(f"{row}, {column}")
    for axis in axes[-1]:
        axis.set_xlabel("bits of each layer")
    for axis in axes[:, 0]:
        axis.set_ylabel("times faster")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, fontsize=8.5)
    return figure


MODES = {1: COLOURS[5], 2: COLOURS[1], 4: COLOURS[2], 8: COLOURS[0]}
"""The colour of each precision."""


def bits(width: int) -> str:
    """A precision in words."""
    return "1 bit" if width == 1 else f"{width} bits"


def roofline(points: pd.DataFrame, ridges: pd.DataFrame) -> Figure:
    """Rooflines of `bandwidth.ridges`, a panel a bandwidth, and the layers of `bandwidth.roofline` under the first; the
    larger the mark, the more pictures at a time."""
    figure, axis = plt.subplots(figsize=(7.6, 4.4))
    x = points["intensity"].to_numpy(float)
    left, right = float(np.min(x)) / 2, float(np.max(x)) * 2
    widest = max(float(one) for one in ridges["bits"])
    for rate, width, peak, ridge in ridges.loc[:, ["bits", "width", "peak", "ridge"]].itertuples(index=False):
        full, colour = rate == widest, MODES[int(width)]
        line, thick = ("-", 1.4) if full else (":", 1.0)
        label = f"roof at {bits(int(width))}" if full else None
        axis.plot([left, ridge, right], [left * rate, peak, peak], line, color=colour, label=label, linewidth=thick)
        if full:
            axis.plot(ridge, peak, "o", color=colour, fillstyle="none", markersize=9)
    for rate in sorted({float(one) for one in ridges["bits"]}):
        place = left * 1.2, left * 1.2 * rate
        axis.annotate(f"W = {rate:g}", place, (0, 12), textcoords="offset points", fontsize=8, rotation=28)
    marks = dict(zip(sorted({str(one) for one in points["network"]}), "ov^s", strict=False))
    sizes = {images: 18 + 34 * place for place, images in enumerate(sorted({int(one) for one in points["images"]}))}
    columns = ["network", "images", "width", "intensity", "rate"]
    for name, images, width, intensity, reached in points.loc[:, columns].itertuples(index=False):
        hollow = marks[str(name)] == "o"
        axis.scatter(
            intensity, reached, s=sizes[int(images)], marker=marks[str(name)], zorder=3 + (not hollow),
            facecolors="white" if hollow else MODES[int(width)], edgecolors=MODES[int(width)] if hollow else "white",
            linewidths=1.4 if hollow else 0.5,
        )  # fmt: skip
    for name, mark in marks.items():
        face = "white" if mark == "o" else "#777777"
        axis.scatter([], [], marker=mark, facecolors=face, edgecolors="#777777", label=f"layers of {name.upper()}")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xlim(left, right)
    axis.set_xlabel("multiplications for each bit of weights loaded")
    axis.set_ylabel("multiplications a cycle")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8.5)
    return figure


def stalls(table: pd.DataFrame, measured: pd.DataFrame) -> Figure:
    """Cycles of a picture against bandwidth, a line a mix (`bandwidth.stalls` without prefetch, with the two machines
    of column `machine`), and what the RTL took (columns machine, mix, bits, cycles)."""
    machines = list(dict.fromkeys(table["machine"]))
    figure, axes = plt.subplots(1, len(machines), figsize=(4.6 * len(machines), 3.9), sharey=True, squeeze=False)
    mixes = list(dict.fromkeys(table["mix"]))
    for axis, machine in zip(axes[0], machines, strict=True):
        for number, mix in enumerate(mixes):
            line = table.loc[(table["machine"] == machine) & (table["mix"] == mix)]
            axis.plot(line["bits"], line["cycles"], color=COLOURS[number % 8], label=mix)
            points = measured[(measured["machine"] == machine) & (measured["mix"] == mix)]
            axis.plot(
                points["bits"], points["cycles"], "x", color=COLOURS[number % 8], markersize=8, markeredgewidth=1.8
            )
        axis.plot([], [], "x", color="#555555", label="RTL")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_title(machine)
        axis.set_xlabel("W, bits of weights a cycle")
    axes[0][0].set_ylabel("cycles of a picture")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8.5, title="bits of each layer")
    return figure


def loading(table: pd.DataFrame) -> Figure:
    """Share of cycles in which units wait for weights, with and without loading ahead across layers; a panel a
    bandwidth of `bandwidth.stalls`."""
    bandwidths = sorted(table["bits"].unique(), reverse=True)
    figure, axes = plt.subplots(1, len(bandwidths), figsize=(4.4 * len(bandwidths), 3.4), squeeze=False)
    for axis, rate in zip(axes[0], bandwidths, strict=True):
        for shift, prefetch, label in (
            (-0.2, False, "a layer begins with an empty buffer"),
            (0.2, True, "loaded ahead"),
        ):
            these = table[(table["bits"] == rate) & (table["prefetch"] == prefetch)].reset_index(drop=True)
            axis.bar(
                np.arange(len(these)) + shift, 100 * these["stalled_share"], 0.38, label=label,
                color=COLOURS[1 if prefetch is False else 0],
            )  # fmt: skip
            axis.set_xticks(range(len(these)), list(these["mix"]), rotation=60)
        axis.set_title(f"W = {rate:g} bits a cycle")
        axis.set_xlabel("bits of each layer")
    axes[0][0].set_ylabel("cycles stalled on weights, %")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=8.5)
    return figure


def switches(table: pd.DataFrame, others: Mapping[str, int]) -> Figure:
    """Cycles of a tile against its tokens, in one mode and in another mode every tile (columns tokens, held, mixed),
    and what it would be if every change cost so many cycles more (`others`)."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    for number, (name, cost) in enumerate(others.items()):
        axis.plot(table["tokens"], table["held"] + cost, color="#999999", linestyle=(":", "--")[number % 2], label=name)
    axis.plot(
        table["tokens"], table["held"], "o", fillstyle="none", markersize=9, color=COLOURS[0], label="one mode, RTL"
    )
    axis.plot(table["tokens"], table["mixed"], "x", color=COLOURS[5], label="another mode every tile, RTL")
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("tokens of a tile")
    axis.set_ylabel("cycles of a tile")
    axis.legend(fontsize=8.5)
    return figure


def layers(table: pd.DataFrame) -> Figure:
    """Cycles of each layer at each width (columns network, layer, kind, width, cycles), a panel a network."""
    networks = list(dict.fromkeys(table["network"]))
    figure, axes = plt.subplots(len(networks), 1, figsize=(9.6, 3.3 * len(networks)), squeeze=False)
    for axis, name in zip(axes[:, 0], networks, strict=True):
        mine = table[table["network"] == name]
        names = list(dict.fromkeys(mine["layer"]))
        kinds = list(dict(zip(mine["layer"], mine["kind"], strict=True)).values())
        for width in sorted({int(one) for one in mine["width"]}, reverse=True):
            line = mine[mine["width"] == width]
            axis.plot(range(len(line)), line["cycles"], ".-", color=MODES[width], label=bits(width), linewidth=1)
        for place, kind in enumerate(kinds):
            if kind == "depthwise":
                axis.axvspan(place - 0.5, place + 0.5, color="#EEEEEE", zorder=0)
        axis.set_yscale("log")
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=6.5)
        axis.set_xlim(-0.7, len(names) - 0.3)
        axis.set_ylabel("cycles of a picture")
        axis.set_title(name)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=8.5)
    return figure


def kinds(table: pd.DataFrame) -> Figure:
    """Utilisation of each kind of layer at each width (columns network, kind, width, utilisation)."""
    networks = list(dict.fromkeys(table["network"]))
    widths = sorted(table["width"].unique())
    figure, axes = plt.subplots(1, len(networks), figsize=(4.5 * len(networks), 3.4), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], networks, strict=True):
        mine = table[table["network"] == name].pivot_table(
            index="kind", columns="width", values="utilisation", sort=False
        )
        for number, width in enumerate(widths):
            places = np.arange(len(mine)) + 0.2 * (number - (len(widths) - 1) / 2)
            axis.bar(places, 100 * mine[width], 0.19, color=MODES[int(width)], label=bits(int(width)))
        axis.set_xticks(range(len(mine)), [str(one) for one in mine.index])
        axis.set_ylim(0, 100)
        axis.set_title(name)
    axes[0][0].set_ylabel("useful multiplications, %")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=8.5)
    return figure
