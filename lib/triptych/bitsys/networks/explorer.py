"""One picture on its way through an accelerator, with sliders: what the notebook `explore_accelerator` shows.

`View` is a position of the sliders, `Journey` what follows from it; `picture` and `layers` draw and tabulate it,
`Explorer` is the sliders (ipywidgets) around them. Cycles are the cycle model's, values the integer executor's.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triptych.bitsys.accelerator.cycles import Cycles, Supply, predict
from triptych.bitsys.accelerator.machine import DATAFLOWS, MULTIPLIERS, Dataflow, Machine
from triptych.bitsys.accelerator.program import Program
from triptych.bitsys.design import Kind
from triptych.bitsys.model import Bools
from triptych.bitsys.networks import integer, journey, shapes
from triptych.bitsys.networks.draw_machine import MODES, bits
from triptych.bitsys.networks.integer import Network, Trace
from triptych.errors import ParameterError, TriptychError
from triptych.figures import COLOURS

Floats = npt.NDArray[np.float64]
SIZES = (2, 4, 8, 16)
PARTS = {"busy": COLOURS[0], "stalled": COLOURS[5], "gap": COLOURS[4], "fill": "#BBBBBB", "drain": "#777777"}


@dataclass(frozen=True)
class View:
    """Where the sliders stand: a network by name and mix, a machine, and a cycle of the journey as a share from 0 to 1.

    `throttle`: cycles between two words of weights, of a port as wide as the machine can use. Raises ParameterError for
    what does not exist.
    """

    name: str = "tfc"
    mix: str = "8421"
    dataflow: Dataflow = "systolic"
    kind: Kind = "bitsys"
    rows: int = 4
    columns: int = 4
    throttle: int = 1
    picture: int = 0
    moment: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.moment <= 1:
            raise ParameterError(f"moment = {self.moment} is not from 0 to 1")
        _ = self.machine, Supply(self.throttle)

    @property
    def machine(self) -> Machine:
        """The machine, with memories that hold any of the networks."""
        lanes = self.columns if self.dataflow == "systolic" else self.rows * self.columns
        return shapes.roomy(Machine(self.dataflow, self.kind, self.rows, self.columns, port_bits=8 * lanes))


@dataclass(frozen=True)
class Journey:
    """One picture in one machine. `starts`: first cycle of each layer, then the end of the last."""

    view: View
    network: Network
    program: Program = field(repr=False)
    traces: list[Trace] = field(repr=False)
    cycles: list[Cycles]
    starts: list[int]
    issues: journey.Issues = field(repr=False)

    @classmethod
    def of(cls, view: View, network: Network, pictures: npt.NDArray[np.floating]) -> Journey:
        """The way of picture number `view.picture` of pictures (n, height, width, channels)."""
        if not 0 <= view.picture < len(pictures):
            raise ParameterError(f"there is no picture {view.picture}", f"0 to {len(pictures) - 1}")
        machine, supply = view.machine, Supply(view.throttle)
        program = network.assemble(machine)
        return cls(
            view,
            network,
            program,
            integer.run(network, network.quantise(pictures[view.picture : view.picture + 1])),
            predict(machine, program.instructions, supply),
            journey.layer_starts(machine, program.instructions, supply),
            journey.issues(machine, program.instructions, supply),
        )

    @property
    def cycle(self) -> int:
        """The cycle that is looked at."""
        return round(self.view.moment * (self.starts[-1] - 1))

    @property
    def layer(self) -> int:
        """The layer that runs in it."""
        return int(np.searchsorted(self.starts, self.cycle, side="right")) - 1

    def positions(self, layer: int, position_tile: int) -> list[tuple[int, int]]:
        """Output positions (y, x), before pooling, of a tile's rows, first row first."""
        machine, one = self.view.machine, self.network.layers[layer]
        height, width = self.network.sizes[layer + 1]
        found: list[tuple[int, int]] = []
        for row in range(machine.positions_per_tile):
            window, inner = divmod(position_tile * machine.positions_per_tile + row, one.pool**2)
            y, x = divmod(window, width)
            if y < height:
                found.append((y * one.pool + inner // one.pool, x * one.pool + inner % one.pool))
        return found

    def of_use(self, row: int, column: int, index: int) -> bool:
        """Whether there is a position and an output for what a unit does with a token."""
        machine, layer = self.view.machine, int(self.issues.layer[index])
        systolic = self.view.dataflow == "systolic"
        lane = column if systolic else row * machine.columns + column
        output = int(self.issues.column_tile[index]) * machine.outputs_per_tile + lane
        positions = self.positions(layer, int(self.issues.position_tile[index]))
        return output < self.network.layers[layer].outputs and (row if systolic else 0) < len(positions)

    def read(self) -> Bools:
        """Which values of the running layer's map are being multiplied in this cycle, (height, width, channels)."""
        layer, one = self.layer, self.network.layers[self.layer]
        (height, width), channels = self.network.sizes[layer], one.weights.shape[3]
        mask = np.zeros((height, width, channels), np.bool_)
        per_word = self.view.machine.channels(one.width)
        words = self.program.instructions[layer].words
        units = journey.at_work(self.view.machine, self.issues, self.cycle)
        for row, index in {(row, int(index)) for row, line in enumerate(units) for index in line if index >= 0}:
            place = row if self.view.dataflow == "systolic" else 0
            where = self.positions(layer, int(self.issues.position_tile[index]))
            if place >= len(where) or int(self.issues.layer[index]) != layer:
                continue
            kernel, word = divmod(int(self.issues.token[index]), words)
            dy, dx = divmod(kernel, one.weights.shape[2])
            y = where[place][0] * one.stride + dy - one.padding
            x = where[place][1] * one.stride + dx - one.padding
            if 0 <= y < height and 0 <= x < width:
                mask[y, x, word * per_word : min(channels, (word + 1) * per_word)] = True
        return mask

    def done(self) -> Bools:
        """Which results of the running layer have had all their tokens issued, (height, width, outputs), pooled."""
        layer, one = self.layer, self.network.layers[self.layer]
        wrote = self.traces[layer].wrote.shape[1:]
        mask = np.zeros((wrote[0] * one.pool, wrote[1] * one.pool, wrote[2]), np.bool_)
        instruction, lanes = self.program.instructions[layer], self.view.machine.outputs_per_tile
        first = int(np.searchsorted(self.issues.layer, layer))
        issued = int(np.searchsorted(self.issues.cycle, self.cycle, side="right")) - first
        tiles, of_column = issued // instruction.tokens, instruction.position_tiles
        full, rest = divmod(tiles, of_column)
        mask[..., : full * lanes] = True
        for tile in range(rest):
            for y, x in self.positions(layer, tile):
                mask[y, x, full * lanes : (full + 1) * lanes] = True
        windows = mask.reshape(wrote[0], one.pool, wrote[1], one.pool, wrote[2])
        return np.asarray(windows.all(axis=(1, 3)), np.bool_)


def layers(found: Journey) -> pd.DataFrame:
    """A row for each layer: its bits, its cycles by what they were spent on, and utilisation."""
    rows = [
        {
            "layer": number,
            "bits": layer.width,
            **{part: getattr(spent, part) for part in PARTS},
            "cycles": spent.total,
            "utilisation": spent.utilisation,
        }
        for number, (layer, spent) in enumerate(zip(found.network.layers, found.cycles, strict=True), 1)
    ]
    return pd.DataFrame(rows)


def picture(found: Journey) -> tuple[Figure, pd.DataFrame]:
    """The moment of the view: what is read, what every unit does, what has been computed; below, the layers' cycles.

    Pale units multiply padding: there is no position or no output for them. What is not computed yet is blue. The
    frame is that of `layers`.
    """
    layer, one = found.layer, found.network.layers[found.layer]
    figure = plt.figure(figsize=(9.2, 5.2))
    grid = figure.add_gridspec(2, 3, height_ratios=(1.7, 1), width_ratios=(1, 1, 1))
    axes = [figure.add_subplot(grid[0, place]) for place in range(3)]
    _values(axes[0], found.traces[layer].read[0], found.read(), f"layer {layer + 1} reads")
    _units(axes[1], found)
    _values(axes[2], found.traces[layer].wrote[0], None, f"layer {layer + 1} has given", found.done())
    _timeline(figure.add_subplot(grid[1, :]), found)
    figure.suptitle(
        f"{found.network.name} on {found.view.machine.label}: cycle {found.cycle} of {found.starts[-1]}, "
        f"layer {layer + 1} at {bits(one.width)}",
        fontsize=10.5,
    )
    return figure, layers(found)


def flat(values: npt.NDArray[np.generic], how: Callable[..., Any]) -> Floats:
    """Values (height, width, channels) as a picture: `how` over the channels of a map; a vector as a near-square."""
    if values.shape[:2] != (1, 1):
        return np.asarray(how(values, axis=2), np.float64)
    vector = values.reshape(-1).astype(np.float64)
    side = int(np.ceil(len(vector) ** 0.5))
    return np.append(vector, np.full(-len(vector) % side, np.nan)).reshape(-1, side)


def _values(
    axis: Axes, values: npt.NDArray[np.generic], read: Bools | None, title: str, known: Bools | None = None
) -> None:
    shown = np.where(known, values, np.nan) if known is not None else values
    with np.errstate(invalid="ignore"):
        image = flat(shown, np.mean)
    low, high = float(values.min()), float(values.max())
    axis.set_facecolor("#D6E4EF")
    axis.imshow(image, cmap="Greys", vmin=low - 0.1 * (high - low) - 1e-9, vmax=high + 1e-9)
    if read is not None:
        mask = np.nan_to_num(flat(read, np.max))
        y, x = np.nonzero(mask)
        size = max(4.0, 120 / max(mask.shape))
        axis.plot(x, y, "s", color=COLOURS[5], fillstyle="none", markersize=size, markeredgewidth=1.4)
    axis.set_title(title)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)


def _units(axis: Axes, found: Journey) -> None:
    view = found.view
    units = journey.at_work(view.machine, found.issues, found.cycle)
    colours = np.ones((view.rows, view.columns, 3))
    for (row, column), index in np.ndenumerate(units):
        if index < 0:
            continue
        layer = int(found.issues.layer[index])
        of_use = found.of_use(row, column, int(index))
        colours[row, column] = _tint(MODES[found.network.layers[layer].width], 0.5 if of_use else 0.12)
        if max(view.rows, view.columns) <= 8:
            token, shade = str(int(found.issues.token[index])), "black" if of_use else "#999999"
            axis.text(column, row, token, ha="center", va="center", fontsize=9 if view.columns <= 4 else 7, color=shade)
    axis.imshow(colours, aspect="equal")
    axis.set_xticks(np.arange(view.columns + 1) - 0.5, [])
    axis.set_yticks(np.arange(view.rows + 1) - 0.5, [])
    axis.tick_params(length=0)
    axis.set_title("units: token multiplied")


def _tint(colour: str, share: float) -> Floats:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return 1 - share * (1 - rgb)


def _timeline(axis: Axes, found: Journey) -> None:
    table = layers(found)
    left = np.zeros(len(table))
    names = [f"layer {row} ({bits(int(width))})" for row, width in zip(table["layer"], table["bits"], strict=True)]
    for part, colour in PARTS.items():
        axis.barh(names, table[part], left=left, color=colour, label=part, height=0.65)
        left += table[part].to_numpy(float)
    for place, share in enumerate(table["utilisation"]):
        axis.annotate(
            f" {share:.0%}", (left[place], place), (3, 0), textcoords="offset points", va="center", fontsize=8
        )
    now = found.cycle - found.starts[found.layer]
    axis.plot([now, now], [found.layer - 0.42, found.layer + 0.42], color="black", linewidth=2)
    axis.invert_yaxis()
    axis.margins(x=0.08)
    axis.set_xlabel("cycles of each layer; how much of what the units could do was of use")
    axis.legend(loc="lower right", ncols=5, fontsize=8)


class Explorer:
    """The sliders. `widget` is what a notebook displays; `show` moves the sliders from a program.

    `networks` gives a network by (name, mix), `pictures` what travels. What a combination cannot do is said in words.
    """

    def __init__(
        self, view: View, networks: Mapping[tuple[str, str], Network], pictures: npt.NDArray[np.floating]
    ) -> None:
        self.view, self._networks, self._pictures, self._moving = view, networks, pictures, False
        names = list(dict.fromkeys(name for name, _ in networks))
        mixes = list(dict.fromkeys(mix for _, mix in networks))
        drop = ipywidgets.Dropdown
        self._controls: dict[str, Any] = {
            "name": drop(options=names, description="network"),
            "mix": drop(options=mixes, description="bits"),
            "dataflow": drop(options=DATAFLOWS, description="dataflow"),
            "kind": drop(options=MULTIPLIERS, description="multiplier"),
            "rows": drop(options=SIZES, description="rows"),
            "columns": drop(options=SIZES, description="columns"),
            "throttle": ipywidgets.IntSlider(description="throttle", min=1, max=32, continuous_update=False),
            "picture": ipywidgets.IntSlider(
                description="picture", min=0, max=len(pictures) - 1, continuous_update=False
            ),
            "moment": ipywidgets.FloatSlider(
                description="moment", min=0, max=1, step=0.001, readout_format=".3f", continuous_update=False
            ),
        }
        self.picture, self.table, self.words = ipywidgets.Image(format="png"), ipywidgets.HTML(), ipywidgets.HTML()
        self.show(view)
        for control in self._controls.values():
            control.observe(self._moved, names="value")
        sliders = ipywidgets.VBox([*self._controls.values(), self.words])
        self.widget = ipywidgets.HBox([sliders, ipywidgets.VBox([self.picture, self.table])])

    def show(self, view: View) -> None:
        """Move the sliders to a view and draw it. Raises ParameterError for a network that is not at hand."""
        if (view.name, view.mix) not in self._networks:
            raise ParameterError(f"{view.name}-{view.mix} is not at hand")
        found = Journey.of(view, self._networks[view.name, view.mix], self._pictures)
        self.view, self._moving = view, True
        for name, control in self._controls.items():
            control.value = getattr(view, name)
        self._moving = False
        figure, table = picture(found)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=85)
        plt.close(figure)
        self.picture.value = drawn.getvalue()
        self.table.value = table.round(3).to_html(index=False, border=0)
        width = Supply(view.throttle).bits_per_cycle(view.machine)
        self.words.value = f"{found.starts[-1]} cycles; W = {width:g} bits of weights a cycle"

    def move(self, name: str, value: int | float | str) -> None:
        """Move one slider, as a hand would."""
        self._controls[name].value = value

    def _moved(self, _: Any) -> None:
        if self._moving:
            return
        try:
            self.show(replace(self.view, **{name: control.value for name, control in self._controls.items()}))
        except TriptychError as error:
            self.words.value = f"<pre>{error}</pre>"
