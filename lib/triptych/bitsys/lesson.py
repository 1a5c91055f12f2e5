"""The pictures of the walkthrough. Each function returns the figure and the frame of the numbers in it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon, Rectangle

from triptych.bitsys import cells, explain
from triptych.bitsys.model import Combination, Ints, decode
from triptych.bitsys.waveform import Waveform
from triptych.figures import COLOURS

WIDTH_COLOURS = {1: COLOURS[4], 2: COLOURS[1], 4: COLOURS[2], 8: COLOURS[3], 16: COLOURS[6]}
"""One colour a width, in every picture in which colour means width."""

Colour = str | tuple[float, float, float]

_INVERTED = COLOURS[5]
_QUIET = "#9A9A9A"
_LINE = "#BBBBBB"


def tint(colour: str, strength: float = 0.45) -> tuple[float, float, float]:
    """The colour mixed with white, light enough for black text on it."""
    red, green, blue = to_rgb(colour)
    return tuple(1 - strength * (1 - part) for part in (red, green, blue))  # pyright: ignore[reportReturnType]


def board(axis: Axes, left: float, right: float, top: float, bottom: float) -> None:
    """An empty drawing board whose rows count downwards, with square units."""
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)
    axis.set_aspect("equal")
    axis.axis("off")


def box(
    axis: Axes,
    x: float,
    y: float,
    text: str,
    face: Colour = "white",
    *,
    edge: str = _LINE,
    line: float = 0.6,
    bold: bool = False,
    size: float = 10,
    colour: str = "black",
) -> None:
    """A unit square with centre (x, y) and a text in it."""
    axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=face, edgecolor=edge, linewidth=line))
    axis.text(
        x, y, text, ha="center", va="center", fontsize=size, fontweight="bold" if bold else "normal", color=colour
    )


def _bits(value: int, count: int) -> Ints:
    return np.asarray(value) >> np.arange(count) & 1


def _column_colours(columns: int) -> list[tuple[float, float, float]]:
    """A light shade for each weight; neighbours differ."""
    return [tint(COLOURS[d % 7]) for d in range(columns)]


# --- by hand, and folded --------------------------------------------------------------------------------------------


def by_hand(n: int, a: int, b: int) -> tuple[Figure, pd.DataFrame]:
    """Multiplication of two unsigned N-bit numbers on paper: one shifted row for each bit of b, then the column sums.

    The frame has a row for each line on the paper: what it is, its bits as a string, its value.
    """
    columns = 2 * n
    rows: list[tuple[str, Ints, int, int]] = [("a", _bits(a, n), 0, n), ("b", _bits(b, n), 0, n)]
    rows += [(f"a × bit {i} of b", _bits(a, n) * (b >> i & 1), i, n) for i in range(n)]
    rows += [("product", _bits(a * b, columns), 0, columns)]
    figure, axis = plt.subplots(figsize=(7.4, 0.42 * (len(rows) + 2.4)))
    board(axis, -5.2, columns + 3.6, -1.4, len(rows) + 0.9)
    for d in range(columns):
        axis.text(columns - 1 - d, -0.75, f"$2^{{{d}}}$", ha="center", va="center", fontsize=9, color=_QUIET)
    table: list[dict[str, object]] = []
    y = 0.25
    for number, (name, bits, shift, count) in enumerate(rows):
        if number in (2, len(rows) - 1):
            axis.plot([-0.6, columns - 0.4], [y - 0.38, y - 0.38], color="black", linewidth=1)
            y += 0.25
        for k in range(count):
            faint = 1 < number < len(rows) - 1 and not bits[k]
            axis.text(
                columns - 1 - k - shift, y, str(bits[k]), ha="center", va="center", fontsize=12,
                color=_QUIET if faint else "black", fontweight="normal" if faint else "bold",
            )  # fmt: skip
        value = int(bits @ (1 << np.arange(count))) << shift
        axis.text(-0.9, y, name, ha="right", va="center", fontsize=10)
        axis.text(columns - 0.1, y, f"= {value}", ha="left", va="center", fontsize=10)
        table.append({"line": name, "bits": "".join(map(str, bits[::-1])), "shift": shift, "value": value})
        y += 1
    return figure, pd.DataFrame(table)


def fold(n: int, a: int, b: int) -> tuple[Figure, pd.DataFrame]:
    """The same partial products as a parallelogram and as a square: a column becomes an anti-diagonal.

    Equal shade is equal weight. The frame has a row for each partial product: i, j, weight, value.
    """
    shades = _column_colours(2 * n - 1)
    figure, (paper, array) = plt.subplots(1, 2, figsize=(7.6, 0.5 * n + 1.2), width_ratios=(2 * n + 0.2, n + 1.9))
    board(paper, -0.8, 2 * n - 0.6, -1.3, n - 0.3)
    board(array, -1.5, n + 0.4, -1.3, n - 0.3)
    table: list[dict[str, int]] = []
    for i in range(n):
        for j in range(n):
            value, weight = (a >> j & 1) & (b >> i & 1), i + j
            for axis, x in ((paper, 2 * n - 2 - weight), (array, j)):
                box(axis, x, i, str(value), shades[weight], bold=bool(value), colour="black" if value else "#666666")
            table.append({"i": i, "j": j, "weight": 1 << weight, "value": value})
        paper.text(2 * n - 1.4 - i + 0.15, i, f"row {i}", ha="left", va="center", fontsize=8, color=_QUIET)
        array.text(-0.75, i, f"$b_{i}$", ha="right", va="center")
        array.text(i, -0.85, f"$a_{i}$", ha="center", va="center")
    for d in range(2 * n - 1):
        paper.text(2 * n - 2 - d, -0.85, f"$2^{{{d}}}$", ha="center", va="center", fontsize=9)
    paper.set_title("on paper: one column, one weight", fontsize=10, loc="center")
    array.set_title("folded: one anti-diagonal, one weight", fontsize=10, loc="center")
    return figure, pd.DataFrame(table)


# --- the wavefront --------------------------------------------------------------------------------------------------


def _snapshot(axis: Axes, wave: Waveform, cycle: int, size: float) -> None:
    """The array just before a rising edge: a cell in the colour of its token's width, with its partial product."""
    n = wave.design.n
    board(axis, -0.7, n - 0.3, -0.7, n - 0.3)
    for i in range(n):
        for j in range(n):
            width = int(wave.width[cycle, i + j])
            if not width:
                box(axis, j, i, "")
                continue
            on = bool(cells.active(n, width)[i, j])
            face = tint(WIDTH_COLOURS[width], 0.75 if on else 0.22)
            box(axis, j, i, str(int(wave.partial[cycle, i, j])) if on else "·", face, size=size, bold=on)


def _widths_legend(wave: Waveform) -> list[Patch]:
    names = {1: "1-bit channels", **{w: f"{w}-bit channel{'s' if w < wave.design.n else ''}" for w in (2, 4, 8, 16)}}
    return [Patch(color=tint(WIDTH_COLOURS[w], 0.75), label=names[w]) for w in wave.design.widths]


def wavefront(wave: Waveform, cycles: Sequence[int]) -> tuple[Figure, pd.DataFrame]:
    """A film strip of the array, a frame a cycle, from a simulation of the hardware.

    The frame of numbers has a row for each cycle and anti-diagonal that holds a token: cycle, diagonal, width, ones.
    """
    across = min(5, len(cycles))
    down = -(-len(cycles) // across)
    n = wave.design.n
    figure, axes = plt.subplots(down, across, figsize=(1.5 * across, 1.7 * down + 0.4), squeeze=False)
    for axis, cycle in zip(axes.flat, cycles, strict=False):
        _snapshot(axis, wave, cycle, 26 / n + 2.5)
        axis.set_title(f"cycle {cycle}", fontsize=9, loc="center")
    for axis in axes.flat[len(cycles) :]:
        axis.axis("off")
    figure.legend(handles=_widths_legend(wave), loc="outside lower center", ncols=5, fontsize=9)
    where = np.add.outer(np.arange(n), np.arange(n))
    rows = [
        {
            "cycle": cycle,
            "diagonal": d,
            "width": int(wave.width[cycle, d]),
            "ones": int(wave.partial[cycle][where == d].sum()),
        }
        for cycle in cycles
        for d in range(2 * n - 1)
        if wave.width[cycle, d]
    ]
    return figure, pd.DataFrame(rows)


def animation(wave: Waveform, cycles: Sequence[int]) -> bytes:
    """The film as an animated GIF, a cycle a second: it plays in JupyterLab and in the report, without a script."""
    figure, axis = plt.subplots(figsize=(3.3, 3.6))
    figure.legend(handles=_widths_legend(wave), loc="outside lower center", ncols=3, fontsize=8)

    def frame(cycle: int) -> list[Axes]:
        axis.clear()
        _snapshot(axis, wave, cycle, 13)
        axis.set_title(f"cycle {cycle}", loc="center")
        return [axis]

    film = FuncAnimation(figure, frame, frames=list(cycles))  # pyright: ignore[reportArgumentType]
    with tempfile.TemporaryDirectory(prefix="triptych-film-") as name:
        path = Path(name) / "film.gif"
        film.save(path, writer=PillowWriter(fps=1), dpi=90)
        plt.close(figure)
        return path.read_bytes()


# --- signs and channels ---------------------------------------------------------------------------------------------


def baugh_wooley(n: int, combination: Combination, a: int, b: int) -> tuple[Figure, pd.DataFrame]:
    """One product with signs in two ways: with negative partial products, and with inverted ones and a constant.

    Both parallelograms have the columns of the product. The frame has a row for each column of the right-hand way:
    ones, constant, carry in, sum, result bit.
    """
    flow = explain.steps(n, combination, a, b)
    minus = cells.negative(n, combination.width, combination.a_signed, combination.b_signed)
    on = cells.active(n, combination.width)
    columns = 2 * n
    figure, (plain, trick) = plt.subplots(1, 2, figsize=(7.6, 0.36 * (n + 8)))
    for axis, title in ((plain, "negative bits subtracted"), (trick, "inverted, and a constant added")):
        board(axis, -2.2, columns - 0.3, -1.7, n + 5.4)
        axis.set_title(title, fontsize=10, loc="center")
        for d in range(columns):
            axis.text(columns - 1 - d, -0.85, f"$2^{{{d}}}$", ha="center", va="center", fontsize=8, color=_QUIET)
    for i, j in np.argwhere(on):
        x, product = columns - 1 - i - j, int((a >> int(j) & 1) & (b >> int(i) & 1))
        face = tint(_INVERTED, 0.35) if minus[i, j] else "white"
        box(plain, x, i, f"−{product}" if minus[i, j] else str(product), face, size=9)
        box(trick, x, i, str(int(flow.partial[0, i, j])), face, size=9, bold=bool(minus[i, j]))
    lines = (
        ("ones", flow.counts[0]),
        ("constant", flow.constants[0]),
        ("carry in", flow.carries[0]),
        ("product", flow.bits[0]),
    )
    for line, (name, values) in enumerate(lines):
        y = n + 0.4 + line * 1.15
        trick.text(-0.7, y, name, ha="right", va="center", fontsize=8.5)
        for d in range(columns):
            last = name == "product"
            faint = not last and not values[d]
            box(
                trick, columns - 1 - d, y, str(int(values[d])), "#EEEEEE" if last else "white", size=9,
                bold=last, colour=_QUIET if faint else "black",
            )  # fmt: skip
    weights = (1 << np.add.outer(np.arange(n), np.arange(n))) * np.where(minus, -1, 1)
    present = np.outer(_bits(b, n), _bits(a, n)) * on
    positive, negative = (int((weights * present)[mask].sum()) for mask in (~minus, minus))
    total = str(positive + negative).replace("-", "−")
    trick.text(columns / 2 - 0.5, n + 5, f"= {total}", ha="center", va="center", fontsize=10, weight="bold")
    plain.text(columns / 2 - 0.5, n + 0.7, f"white: {positive}", ha="center", fontsize=10)
    plain.text(columns / 2 - 0.5, n + 1.8, f"shaded: {negative}".replace("-", "−"), ha="center", fontsize=10)
    plain.text(columns / 2 - 0.5, n + 2.9, f"together: {total}", ha="center", fontsize=10, weight="bold")
    rows = [
        {
            "column": d,
            "ones": int(flow.counts[0, d]),
            "constant": int(flow.constants[0, d]),
            "carry_in": int(flow.carries[0, d]),
            "sum": int(flow.counts[0, d] + flow.constants[0, d] + flow.carries[0, d]),
            "bit": int(flow.bits[0, d]),
        }
        for d in range(columns)
    ]
    return figure, pd.DataFrame(rows)


def fences(n: int, combinations: Sequence[Combination], a: int, b: int) -> tuple[Figure, pd.DataFrame]:
    """The columns of one pair of containers in several modes: same columns, other cells, carries cut at the fences.

    The frame has a row for each mode and column: width, column, ones, constant, carry in, sum, bit, fence behind it.
    """
    columns = 2 * n
    figure, axes = plt.subplots(
        len(combinations), 1, figsize=(min(7.6, 0.4 * columns + 1.8), 2.25 * len(combinations)), squeeze=False
    )
    rows: list[dict[str, int]] = []
    names = ("ones", "constant", "carry in", "bit")
    for axis, combination in zip(axes[:, 0], combinations, strict=True):
        flow = explain.steps(n, combination, a, b)
        walls = explain.fences(n, combination.width)
        board(axis, -3.2, columns - 0.3, -0.75, len(names) + 0.4)
        axis.set_title(
            f"{n // combination.width} × {combination.width} bit, {combination.a} × {combination.b}", fontsize=10
        )
        values = (flow.counts[0], flow.constants[0], flow.carries[0], flow.bits[0])
        for y, (name, line) in enumerate(zip(names, values, strict=True)):
            axis.text(-0.75, y, name, ha="right", va="center", fontsize=9)
            for d in range(columns):
                channel = d // (2 * combination.width)
                last = name == "bit"
                box(
                    axis, columns - 1 - d, y, str(int(line[d])), tint(COLOURS[channel % 6], 0.5 if last else 0.16),
                    edge="white", line=1, bold=last, size=9, colour="black" if line[d] or last else _QUIET,
                )  # fmt: skip
        reading = "signed" if combination.a_signed or combination.b_signed else "unsigned"
        channels = decode(flow.products, columns, 2 * combination.width, reading)[0]
        axis.text(-0.75, len(names), "= product", ha="right", va="center", fontsize=9)
        for channel, value in enumerate(channels):
            x = columns - 0.5 - combination.width * (2 * channel + 1)
            axis.text(x, len(names), str(value).replace("-", "−"), ha="center", va="center", fontsize=10)
        for d in np.flatnonzero(walls[:-1]):
            x = columns - 1 - d - 0.5
            axis.plot([x, x], [-0.6, len(names) - 0.4], color="black", linewidth=2.2, solid_capstyle="butt")
        rows += [
            {
                "width": combination.width,
                "column": d,
                "ones": int(flow.counts[0, d]),
                "constant": int(flow.constants[0, d]),
                "carry_in": int(flow.carries[0, d]),
                "bit": int(flow.bits[0, d]),
                "fence": int(walls[d]),
            }
            for d in range(columns)
        ]
    return figure, pd.DataFrame(rows)


# --- the waveform ---------------------------------------------------------------------------------------------------


def mode_switch(wave: Waveform, expected: Ints) -> tuple[Figure, pd.DataFrame]:
    """Inputs, the tag on each anti-diagonal and outputs over the cycles of a recording; values in hexadecimal.

    `expected` (T,) are the products of each row of the stimulus by the model: they stand in the last lane, `latency`
    cycles later, to be compared by eye. The frame has a row a cycle: inputs, outputs, the model's products; empty where
    nothing is valid.
    """
    design, cycles = wave.design, len(wave)
    n, latency = design.n, design.latency
    widths = np.array(design.widths)
    into = np.where(wave.stimulus.valid, widths[wave.stimulus.mode], 0)
    out = np.where(wave.valid, widths[wave.mode], 0)
    due = np.concatenate([np.zeros(latency, np.int64), expected])[:cycles]
    arrives = np.concatenate([np.zeros(latency, np.int64), into])[:cycles]
    signs = np.array(["uu", "us", "su", "ss"])
    sign_in = signs[2 * wave.stimulus.a_signed + wave.stimulus.b_signed]
    sign_out = signs[2 * wave.a_signed + wave.b_signed]
    digits = n // 2
    lanes: list[tuple[str, Ints, Sequence[str] | None]] = [
        ("width in", into, [str(w) for w in into]),
        ("signs in", into, list(sign_in)),
        ("a", into, [f"{v:0{n // 4}x}" for v in wave.stimulus.a]),
        ("b", into, [f"{v:0{n // 4}x}" for v in wave.stimulus.b]),
        *((f"tag {d}", wave.width[:, d], None) for d in range(2 * n)),
        ("width out", out, [str(w) for w in out]),
        ("signs out", out, list(sign_out)),
        ("products", out, [f"{v:0{digits}x}" for v in wave.product]),
        ("model", arrives, [f"{v:0{digits}x}" for v in due]),
    ]
    figure, axis = plt.subplots(figsize=(9, 0.2 * len(lanes) + 1.7))
    axis.set_xlim(-0.1, cycles + 0.1)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    y, ticks = 0.0, list[tuple[float, str]]()
    y = _clock(axis, cycles, y)
    ticks.append((y - 0.85, "clock"))
    for name, values, texts in lanes:
        tall = 1.0 if texts else 0.5
        if name in ("tag 0", "width out"):
            y += 0.35
        if texts or name in ("tag 0", f"tag {2 * n - 1}"):
            ticks.append((y + tall / 2, name if texts else f"tag, column {name[4:]}"))
        for t in range(cycles):
            _bus(axis, t, y, tall, int(values[t]), texts[t] if texts else "")
        y += tall + (0.22 if texts else 0.04)
    axis.set_ylim(y, -0.2)
    axis.set_yticks([at for at, _ in ticks], [name for _, name in ticks], fontsize=9)
    shown = range(0, cycles, 1 if cycles <= 24 else 2)
    axis.set_xticks([t + 0.5 for t in shown], [str(t) for t in shown])
    axis.set_xlabel("cycle")
    figure.legend(handles=_widths_legend(wave), loc="outside lower center", ncols=5, fontsize=9)
    return figure, _waves_frame(wave, into, out, due, arrives)


def _clock(axis: Axes, cycles: int, y: float) -> float:
    """Draw the clock in a lane of height 0.7 (high in the first half of a cycle) and return where the next begins."""
    x = np.repeat(np.arange(0, cycles + 0.5, 0.5), 2)[1:-1]
    level = np.tile([0.0, 0.0, 0.7, 0.7], cycles)[: len(x)]
    axis.plot(x, y + level, color="#555555", linewidth=1, solid_joinstyle="miter")
    return y + 1.2


def _bus(axis: Axes, t: int, y: float, tall: float, width: int, text: str) -> None:
    """One cycle of a lane: a hexagon in the width's colour with a value, or a flat line where nothing is valid."""
    if not width:
        axis.plot([t, t + 1], [y + tall / 2] * 2, color=_LINE, linewidth=1)
        return
    slant = 0.1
    corners = [
        (t, y + tall / 2), (t + slant, y), (t + 1 - slant, y), (t + 1, y + tall / 2), (t + 1 - slant, y + tall),
        (t + slant, y + tall),
    ]  # fmt: skip
    axis.add_patch(Polygon(corners, facecolor=tint(WIDTH_COLOURS[width], 0.75), edgecolor="white", linewidth=0.4))
    if text:
        axis.text(t + 0.5, y + tall / 2, text, ha="center", va="center", fontsize=8.5, family="DejaVu Sans Mono")


def _waves_frame(wave: Waveform, into: Ints, out: Ints, due: Ints, arrives: Ints) -> pd.DataFrame:
    stimulus, digits = wave.stimulus, wave.design.n // 2
    rows = [
        {
            "cycle": t,
            "width_in": int(into[t]) or None,
            "a": f"{stimulus.a[t]:x}" if into[t] else "",
            "b": f"{stimulus.b[t]:x}" if into[t] else "",
            "width_out": int(out[t]) or None,
            "products": f"{wave.product[t]:0{digits}x}" if out[t] else "",
            "model": f"{due[t]:0{digits}x}" if arrives[t] else "",
        }
        for t in range(len(wave))
    ]
    return pd.DataFrame(rows).astype({"width_in": "Int64", "width_out": "Int64"})


# --- a global wire --------------------------------------------------------------------------------------------------


def global_wire(
    n: int, switches: Sequence[tuple[Combination, Combination]], trials: int, seed: int
) -> tuple[Figure, pd.DataFrame]:
    """Wrong products after a switch of precision, by idle cycles before it, when the mode is one wire for all cells.

    For each switch and number of idle cycles the mean over `trials` streams of random operands of how many of the last
    2N tokens before the switch come out wrong (see `explain.late`); with tags, for which the setting never changes, the
    worst of the means. The frame has a row for each switch and gap.
    """
    rng = np.random.default_rng(seed)
    gaps = range(2 * n + 2)
    figure, axis = plt.subplots(figsize=(6.8, 3.8))
    rows: list[dict[str, str | int | float]] = []
    styles = ("-", "--", "-.", ":")
    marks = ("o", "s", "^", "D")
    tagged: list[float] = []
    for number, (before, after) in enumerate(switches):
        a, b = rng.integers(0, 1 << n, (2, trials, 2 * n))
        means = [float(explain.late(n, before, after, gap, a, b).sum(axis=1).mean()) for gap in gaps]
        tagged.append(float(explain.late(n, before, before, 0, a, b).sum(axis=1).mean()))
        label = f"{before.width} → {after.width} bit"
        axis.plot(
            gaps, means, styles[number % 4], marker=marks[number % 4], color=COLOURS[number % len(COLOURS)],
            label=f"global wire, {label}",
        )  # fmt: skip
        rows += [{"switch": label, "idle_cycles": gap, "wrong": wrong} for gap, wrong in zip(gaps, means, strict=True)]
    worst = max(tagged)  # idle cycles make no difference when nothing changes under way
    axis.plot(gaps, [worst] * len(gaps), color="black", linewidth=2.4, label="tag with the token, any switch", zorder=1)
    rows += [{"switch": "any, with tags", "idle_cycles": gap, "wrong": worst} for gap in gaps]
    axis.set_xlabel("idle cycles between the last token of one width and the first of the next")
    axis.set_ylabel(f"wrong products\namong the last {2 * n}")
    axis.set_xticks(list(gaps)[::2])
    axis.legend(loc="upper right")
    return figure, pd.DataFrame(rows)
