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
