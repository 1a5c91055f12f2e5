"""One token in the array, with sliders: what the notebook `explore` shows.

`View` is a position of the sliders; `picture`, `channels` and `summary` tell what is there; `Dashboard` is the sliders
(ipywidgets) around them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from triptych.bitsys import cells, explain, model
from triptych.bitsys.design import Design
from triptych.bitsys.explain import Flow
from triptych.bitsys.lesson import board, box, tint
from triptych.bitsys.model import Bools
from triptych.bitsys.synthesise import Resources
from triptych.errors import ParameterError, TriptychError
from triptych.figures import COLOURS


@dataclass(frozen=True)
class View:
    """One token: containers `a` and `b` at `width` of the listed widths, `cycle` cycles after it entered.

    Raises ParameterError for a container, list, width, operand or cycle that does not exist.
    """

    n: int = 8
    widths: tuple[int, ...] = (1, 2, 4, 8)
    width: int = 4
    a_signed: bool = True
    b_signed: bool = True
    a: int = 183
    b: int = 109
    cycle: int = 17
    design: Design = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "design", Design(self.n, self.widths))
        object.__setattr__(self, "widths", self.design.widths)
        if self.width not in self.widths:
            raise ParameterError(f"width {self.width} is not listed", f"choose one of {list(self.widths)}")
        for name, value in (("a", self.a), ("b", self.b)):
            if not 0 <= value < 1 << self.n:
                raise ParameterError(f"{name} = {value} does not fit {self.n} bits", f"0 to {(1 << self.n) - 1}")
        if not 0 <= self.cycle <= self.design.latency:
            raise ParameterError(f"there is no cycle {self.cycle}", f"0 to {self.design.latency}")

    @property
    def combination(self) -> model.Combination:
        """How the operands are read."""
        return explain.asked(self.width, self.a_signed, self.b_signed)

    @property
    def flow(self) -> Flow:
        """What happens to the token."""
        return explain.steps(self.n, self.combination, self.a, self.b)


def channels(view: View) -> pd.DataFrame:
    """A row for each channel: its operands, the product that the array computes, and that of the model."""
    c = view.combination
    reading: model.Reading = "signed" if c.a != "unsigned" or c.b != "unsigned" else "unsigned"
    x = model.decode(np.array(view.a), view.n, view.width, c.a)
    y = model.decode(np.array(view.b), view.n, view.width, c.b)
    array = model.decode(view.flow.products, 2 * view.n, 2 * view.width, reading)[0]
    packed = model.products(np.array(view.a), np.array(view.b), view.n, c)
    right = model.decode(packed, 2 * view.n, 2 * view.width, reading)
    return pd.DataFrame({"channel": range(len(x)), "a": x, "b": y, "array": array, "model": right})


def summary(view: View) -> pd.DataFrame:
    """What the position of the sliders means for the circuit, a row a fact."""
    on = cells.active(view.n, view.width)
    digits = view.n // 2
    facts = [
        ("cells at work", f"{on.sum()} of {on.size} ({on.mean():.0%})"),
        ("products a cycle", str(view.n // view.width)),
        ("anti-diagonals", str(2 * view.n - 1)),
        ("latency", f"{view.design.latency} cycles"),
        ("packed products", f"0x{view.flow.products[0]:0{digits}x}"),
        ("constant", f"0x{explain.constant(view.n, view.combination):0{digits}x}"),
    ]
    return pd.DataFrame(facts, columns=["what", "value"])


def picture(view: View) -> tuple[Figure, pd.DataFrame]:
    """The array in the view's cycle, and below it the columns that have been added by then.

    Framed is the anti-diagonal on which the token is; a black corner marks cells that invert.

    The frame has a row for each column: ones, constant, carry in, bit, and the cycles in which it is in the cells and
    in which it is added.
    """
    n, flow = view.n, view.flow
    in_cells, in_adders = explain.cycles(n)
    figure, (array, columns) = plt.subplots(2, 1, figsize=(7.8, 6.4), height_ratios=(1.5, 1))
    _array(array, view, flow)
    _columns(columns, view, flow, in_adders <= view.cycle)
    frame = pd.DataFrame(
        {
            "column": range(2 * n),
            "ones": flow.counts[0],
            "constant": flow.constants[0],
            "carry_in": flow.carries[0],
            "bit": flow.bits[0],
            "cycle_in_cells": in_cells,
            "cycle_added": in_adders,
        }
    )
    return figure, frame


def _array(axis: Axes, view: View, flow: Flow) -> None:
    n = view.n
    on = cells.active(n, view.width)
    inverted = cells.negative(n, view.width, view.a_signed, view.b_signed) & ~_bipolar(view)
    board(axis, -2.2, n + 0.2, -1.7, n - 0.3)
    size = min(10.0, 110 / n)
    for k in range(n):
        axis.text(k, -0.95, str(view.a >> k & 1), ha="center", va="center", fontsize=size)
        axis.text(-0.95, k, str(view.b >> k & 1), ha="center", va="center", fontsize=size)
    axis.text(-1.9, -0.95, "a", va="center", fontsize=size, style="italic")
    axis.text(-0.95, -1.55, "b", ha="center", va="center", fontsize=size, style="italic")
    for i, j in np.ndindex(n, n):
        if not on[i, j]:
            box(axis, j, i, "")
            continue
        reached = i + j < view.cycle
        value = reached and bool(flow.partial[0, i, j])
        face = tint(COLOURS[(i // view.width) % 6], 0.75 if value else 0.25)
        box(axis, j, i, f"{value:d}" if reached else "", face, size=size, bold=value)
        if inverted[i, j]:
            corner = [(j + 0.5, i - 0.5), (j + 0.15, i - 0.5), (j + 0.5, i - 0.15)]
            axis.add_patch(Polygon(corner, facecolor="black", edgecolor="none"))
    for i, j in np.ndindex(n, n):
        if i + j + 1 == view.cycle:
            axis.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=2))
    c = view.combination
    axis.set_title(
        f"cycle {view.cycle}: {n // view.width} × {view.width} bit, {c.a} × {c.b}", loc="center", fontsize=10.5
    )


def _columns(axis: Axes, view: View, flow: Flow, added: Bools) -> None:
    columns = 2 * view.n
    names = ("ones", "constant", "carry in", "bit")
    values = (flow.counts[0], flow.constants[0], flow.carries[0], flow.bits[0])
    board(axis, -0.14 * columns - 1.5, columns - 0.3, -0.75, len(names) - 0.3)
    size = min(9.5, 210 / columns)
    for y, (name, line) in enumerate(zip(names, values, strict=True)):
        axis.text(-0.75, y, name, ha="right", va="center", fontsize=9)
        for d in range(columns):
            colour = COLOURS[(d // (2 * view.width)) % 6]
            face = tint(colour, 0.5 if name == "bit" else 0.16) if added[d] else "#F4F4F4"
            text = str(int(line[d])) if added[d] else ""
            box(axis, columns - 1 - d, y, text, face, edge="white", line=1, bold=name == "bit", size=size)
    for d in np.flatnonzero(explain.fences(view.n, view.width)[:-1]):
        x = columns - 1.5 - d
        axis.plot([x, x], [-0.6, len(names) - 0.4], color="black", linewidth=2, solid_capstyle="butt")


def _bipolar(view: View) -> Bools:
    """Where a cell is an XOR, which inverts nothing."""
    return np.eye(view.n, dtype=np.bool_) & explain.bipolar(view.combination)


class Dashboard:
    """The sliders. `widget` is what a notebook displays; `show` moves the sliders from a program.

    `count` finds the resources of a design; it takes half a minute when the design is new, so a button asks for it.
    """

    def __init__(self, view: View, count: Callable[[Design], Resources]) -> None:
        self.view, self._count, self._moving = view, count, False
        self._controls: dict[str, Any] = {
            "n": ipywidgets.Dropdown(options=model.CONTAINERS, description="N"),
            "widths": ipywidgets.SelectMultiple(rows=5, description="widths"),
            "width": ipywidgets.Dropdown(description="width"),
            "a_signed": ipywidgets.Checkbox(description="a signed", indent=False),
            "b_signed": ipywidgets.Checkbox(description="b signed", indent=False),
            "a": ipywidgets.IntSlider(description="a", min=0),
            "b": ipywidgets.IntSlider(description="b", min=0),
            "cycle": ipywidgets.IntSlider(description="cycle", min=0),
        }
        self.button = ipywidgets.Button(description="count resources")
        self.picture = ipywidgets.Image(format="png")
        self.tables, self.resources = ipywidgets.HTML(), ipywidgets.HTML()
        self.show(view)
        for control in self._controls.values():
            control.observe(self._moved, names="value")
        self.button.on_click(lambda _: self.count())
        one = self._controls
        signs = ipywidgets.HBox([one["a_signed"], one["b_signed"]])
        sliders = ipywidgets.VBox(
            [
                one["n"],
                one["widths"],
                one["width"],
                signs,
                one["a"],
                one["b"],
                one["cycle"],
                self.button,
                self.resources,
            ]
        )
        self.widget = ipywidgets.HBox([sliders, ipywidgets.VBox([self.picture, self.tables])])

    def show(self, view: View) -> None:
        """Move the sliders to a view and draw it."""
        self.view, self._moving = view, True
        one = self._controls
        one["widths"].options = [w for w in (1, 2, 4, 8, 16) if w <= view.n]
        one["width"].options = view.widths
        for name in ("a", "b"):
            one[name].max = (1 << view.n) - 1
        one["cycle"].max = view.design.latency
        for name, control in one.items():
            control.value = getattr(view, name)
        self._moving = False
        figure, _ = picture(view)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=90)
        plt.close(figure)
        self.picture.value = drawn.getvalue()
        self.tables.value = _html(summary(view)) + _html(channels(view))

    def count(self) -> None:
        """Count the resources of the design and show them, or say why they cannot be counted."""
        self.resources.value = "counting …"
        try:
            found = self._count(self.view.design)
        except TriptychError as error:
            self.resources.value = f"<pre>{error}</pre>"
            return
        rows = [("LUT", found.lut), ("shift-register LUT", found.srl), ("flip-flop", found.ff), ("CARRY4", found.carry)]
        title = f"N = {self.view.n}, widths {', '.join(map(str, self.view.widths))}"
        self.resources.value = f"<b>{title}</b>{_html(pd.DataFrame(rows, columns=['cells', 'number']))}"

    def _moved(self, change: Any) -> None:
        """A slider was moved by hand: keep of the others what still makes sense."""
        if self._moving:
            return
        asked = {name: control.value for name, control in self._controls.items()}
        n = asked["n"]
        widths = tuple(w for w in asked["widths"] if w <= n)
        if change["owner"] is self._controls["n"] or not widths:
            widths = tuple(w for w in (1, 2, 4, 8, 16) if w <= n)
        latest = Design(n, widths).latency
        ended = change["owner"] is self._controls["n"] or asked["cycle"] > latest
        self.show(
            replace(
                self.view,
                **{
                    **asked,
                    "widths": widths,
                    "width": asked["width"] if asked["width"] in widths else widths[-1],
                    "a": asked["a"] & ((1 << n) - 1),
                    "b": asked["b"] & ((1 << n) - 1),
                    "cycle": latest if ended else asked["cycle"],
                },
            )
        )

    def move(self, name: str, value: int | bool | Sequence[int]) -> None:
        """Move one slider, as a hand would."""
        self._controls[name].value = value


def _html(frame: pd.DataFrame) -> str:
    return frame.to_html(index=False, border=0)
