"""One style for every figure, and saving that gives the same bytes for the same inputs."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

# Okabe & Ito (2008), "Color universal design": distinguishable with every common colour vision. Black goes last.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
FORMATS = ("svg", "pdf", "png")

STYLE: dict[str, Any] = {
    "figure.figsize": (6.4, 3.8),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs on every machine
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "triptych",
}


def use_style() -> None:
    """Make the house style current for this process, whatever the user's own matplotlibrc says."""
    mpl.rcdefaults()
    mpl.rcParams.update(cast(Any, STYLE))


def save(figure: Figure, stem: Path, marks: Sequence[str] = ()) -> list[Path]:
    """Write `stem` as SVG, PDF and PNG and return the three paths.

    `marks` are printed under the figure, one line each: what a reader must know before believing it (replayed, smaller,
    unsandboxed, …). Bytes depend only on the drawing and on the versions of matplotlib and freetype.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    no_dates: dict[str, dict[str, None]] = {
        "svg": {"Date": None},
        "pdf": {"CreationDate": None, "ModDate": None},
        "png": {},
    }
    with _marked(figure, marks), mpl.rc_context({"svg.hashsalt": "triptych"}):
        for suffix in FORMATS:
            path = stem.with_name(f"{stem.name}.{suffix}")
            figure.savefig(path, bbox_inches="tight", metadata=no_dates[suffix])
            written.append(path)
    return written


@contextmanager
def _marked(figure: Figure, marks: Sequence[str]) -> Generator[None]:
    if not marks:
        yield
        return
    text = figure.text(
        0.01, -0.02, "\n".join(marks), va="top", ha="left", fontsize=7.5, color="#B00000", style="italic"
    )
    try:
        yield
    finally:
        text.remove()
