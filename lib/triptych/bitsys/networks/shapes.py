"""Networks by their shapes alone: what counting cycles needs, of TFC and TCV and of two networks too large to simulate.

ResNet-18 is from He et al., *Deep Residual Learning for Image Recognition*, arXiv 1512.03385, table 1; MobileNetV2 from
Sandler et al., arXiv 1801.04381, table 2. Only what multiplies is there: convolutions and the last dense layer. Batch
norm folds into thresholds; residual additions, overlapping and average pooling are outside of the accelerators, and
their time is not counted.

A *depthwise* convolution (each channel with a kernel of its own) runs as one instruction a word of channels: that
word's ch channels go to ch outputs, through weights that are 0 but on the diagonal. So ch columns are busy at most, and
of their multiplications one in ch is useful.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from triptych.bitsys.accelerator.cycles import Cycles, Supply, predict
from triptych.bitsys.accelerator.layers import Layer, Raw, Thresholds, value_range
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import assemble
from triptych.bitsys.model import Ints, Reading
from triptych.bitsys.networks.integer import Input, Network
from triptych.errors import ParameterError


@dataclass(frozen=True)
class Shape:
    """A layer. `kernel` × `kernel` weights for each of `inputs` / `groups` channels, `outputs` of them; `size` (height,
    width) of the map that it reads; `groups` is 1, or `inputs` where it is depthwise. Raises ParameterError for others.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int
    size: tuple[int, int]
    stride: int = 1
    padding: int = 0
    groups: int = 1

    def __post_init__(self) -> None:
        if self.groups != 1 and not self.groups == self.inputs == self.outputs:
            raise ParameterError(f"{self.name}: {self.groups} groups of {self.inputs} channels", "1, or depthwise")

    @property
    def depthwise(self) -> bool:
        """Each channel has a kernel of its own."""
        return self.groups > 1

    @property
    def kind(self) -> str:
        """What sort of layer: k × k, 1 × 1, depthwise or dense."""
        if self.depthwise:
            return "depthwise"
        if self.size == (1, 1):
            return "dense"
        return f"{self.kernel} × {self.kernel}"

    @property
    def out_size(self) -> tuple[int, int]:
        """Height and width of its result."""
        height, width = ((side + 2 * self.padding - self.kernel) // self.stride + 1 for side in self.size)
        return height, width

    @property
    def weights(self) -> int:
        """How many weights it has."""
        return self.outputs * self.inputs // self.groups * self.kernel**2

    @property
    def products(self) -> int:
        """Multiplications for one picture; the padding of the map counts, as it does for a machine."""
        return self.weights * self.out_size[0] * self.out_size[1]


def resnet18(size: int = 224) -> tuple[Shape, ...]:
    """ResNet-18 for pictures of size × size with three channels and 1,000 classes."""
    made = [Shape("conv1", 3, 64, 7, (size, size), 2, 3)]
    side = -(-made[0].out_size[0] // 2)  # 3 × 3 max-pool of stride 2 with padding 1
    inputs = 64
    for stage, outputs in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            stride = 2 if stage > 1 and block == 0 else 1
            name = f"layer{stage}.{block}"
            first = Shape(f"{name}.conv1", inputs, outputs, 3, (side, side), stride, 1)
            made += [first, Shape(f"{name}.conv2", outputs, outputs, 3, first.out_size, 1, 1)]
            if inputs != outputs:
                made.append(Shape(f"{name}.shortcut", inputs, outputs, 1, (side, side), stride))
            inputs, side = outputs, first.out_size[0]
    return (*made, Shape("fc", inputs, 1000, 1, (1, 1)))


def mobilenet_v2(size: int = 224) -> tuple[Shape, ...]:
    """MobileNetV2 of width 1 for pictures of size × size with three channels and 1,000 classes."""
    made = [Shape("conv1", 3, 32, 3, (size, size), 2, 1)]
    inputs = 32
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for number, (expansion, outputs, repeats, stride) in enumerate(rows, 1):
        for block in range(repeats):
            name, wide, at = f"block{number}.{block}", expansion * inputs, made[-1].out_size
            if expansion > 1:
                made.append(Shape(f"{name}.expand", inputs, wide, 1, at))
            made.append(Shape(f"{name}.depthwise", wide, wide, 3, at, stride if block == 0 else 1, 1, groups=wide))
            made.append(Shape(f"{name}.project", wide, outputs, 1, made[-1].out_size))
            inputs = outputs
    made.append(Shape("conv2", inputs, 1280, 1, made[-1].out_size))
    return (*made, Shape("fc", 1280, 1000, 1, (1, 1)))


LARGER = {"ResNet-18": resnet18(), "MobileNetV2": mobilenet_v2()}
"""The two larger networks, for pictures of 224 × 224."""


def layer(shape: Shape, machine: Machine, width: int, rng: np.random.Generator | None = None) -> tuple[Layer, int]:
    """The layer as one instruction runs it, at `width` bits, and how many such instructions run it.

    Weights are 1, or random where a generator is given; sums are raw. Bits are read as in `precision.blank`.
    """
    activation: Reading = "bipolar" if width == 1 else "unsigned"
    weight: Reading = "bipolar" if width == 1 else "signed"
    inputs, outputs, runs = shape.inputs, shape.outputs, 1
    if shape.depthwise:
        inputs = outputs = min(machine.channels(width), shape.inputs)
        runs = -(-shape.inputs // inputs)
        if width == 1 and inputs > 1:
            raise ParameterError(f"{shape.name}: a diagonal needs weights of 0, which one bit does not have")
    size = outputs, shape.kernel, shape.kernel, inputs
    low, high = value_range(width, weight)
    values = np.full(size, min(high, 1), np.int64) if rng is None else rng.integers(low, high + 1, size)
    if width == 1:
        values = np.where(values > 0, 1, -1)
    if shape.depthwise:
        values = values * np.eye(inputs, dtype=np.int64)[:, None, None, :]
    raw = Raw(np.zeros(outputs, np.int64))
    return Layer(shape.name, values, width, activation, weight, raw, shape.stride, shape.padding), runs


def roomy(machine: Machine) -> Machine:
    """The machine with memories that hold everything here, for counting cycles, which do not depend on them."""
    return replace(machine, activation_lines=1 << 18, weight_lines=1 << 14, table_lines=1 << 12)


@dataclass(frozen=True)
class Spent:
    """What a layer takes: `runs` instructions of `each`; `useful` multiplications of them all."""

    each: Cycles
    runs: int
    useful: int

    @property
    def cycles(self) -> int:
        """Cycles of the whole layer."""
        return self.runs * self.each.total

    @property
    def utilisation(self) -> float:
        """Useful multiplications by those that the units could have done in all cycles of the layer."""
        possible = (self.each.useful + self.each.padded) / self.each.busy * self.each.total
        return self.useful / (self.runs * possible)


def spent(shape: Shape, machine: Machine, width: int, images: int = 1, supply: Supply | None = None) -> Spent:
    """What a layer takes on a machine, for a batch of `images`, by the cycle model.

    A depthwise layer of one bit runs at two, as one bit has no 0 for its diagonal. Raises ParameterError where it does
    not fit the machine.
    """
    bits = 2 if shape.depthwise and width == 1 else width
    one, runs = layer(shape, machine, bits)
    program = assemble(machine, [one], shape.size, images)
    return Spent(predict(machine, program.instructions, supply)[0], runs, images * shape.products)


def tokens(shape: Shape, machine: Machine, width: int) -> int:
    """Tokens of a dot product, which the weight buffer of a machine must hold."""
    inputs = 1 if shape.depthwise else shape.inputs
    return shape.kernel**2 * -(-inputs // machine.channels(width))


def table(
    shapes: Sequence[Shape], machine: Machine, widths: Sequence[int], images: int = 1, supply: Supply | None = None
) -> pd.DataFrame:
    """A row for each layer and width. Columns: layer, kind, width, products and cycles of a picture, utilisation."""
    rows: list[dict[str, object]] = []
    for shape in shapes:
        for width in widths:
            one = spent(shape, machine, width, images, supply)
            rows.append(
                {
                    "layer": shape.name,
                    "kind": shape.kind,
                    "width": width,
                    "products": shape.products,
                    "cycles": one.cycles / images,
                    "utilisation": one.utilisation,
                }
            )
    return pd.DataFrame(rows)


def sample(
    shape: Shape, machine: Machine, width: int, rng: np.random.Generator, positions: int = 8, columns: int = 2
) -> tuple[Network, Ints]:
    """A piece of a layer that a simulation can run whole, with random weights and activations, and its input.

    It has the layer's dot products in full (kernel and input channels), `columns` tiles of its outputs and about
    `positions` positions next to each other. The input is (1, height, width, channels); where the layer pads, so does
    the piece.
    """
    one, _ = layer(shape, machine, width, rng)
    kept = one.weights[: columns * machine.outputs_per_tile]
    made = Layer(
        shape.name, kept, width, one.activation, one.weight, Raw(np.zeros(len(kept), np.int64)), one.stride, one.padding
    )
    across = min(shape.out_size[1], max(1, positions))
    down = min(shape.out_size[0], -(-positions // across))
    height, breadth = (
        max(1, min(side, (steps - 1) * shape.stride + shape.kernel - 2 * shape.padding))
        for side, steps in zip(shape.size, (down, across), strict=True)
    )
    low, high = value_range(width, one.activation)
    values = rng.integers(low, high + 1, (1, height, breadth, kept.shape[3]))
    if width == 1:
        values = np.where(values > 0, 1, -1)
    scale = Input((height, breadth, kept.shape[3]), 1.0, 0.0, low, high)
    return Network(shape.name, scale, (made,), np.ones(len(kept)), np.zeros(len(kept))), values


def tfc() -> Network:
    """TFC, 784-64-64-64-10, with weights of 1 at two bits: what `precision.blank` gives other bits."""
    return _small("tfc", (1, 1, 784), ((64, 1, 784, 0, 1), (64, 1, 64, 0, 1), (64, 1, 64, 0, 1), (10, 1, 64, 0, 1)))


def tcv() -> Network:
    """TCV, conv 3×3 1→64, pool, conv 3×3 64→64, pool, 3136→64→10, with weights of 1 at two bits."""
    return _small("tcv", (28, 28, 1), ((64, 3, 1, 1, 2), (64, 3, 64, 1, 2), (64, 7, 64, 0, 1), (10, 1, 64, 0, 1)))


def _small(name: str, shape: tuple[int, int, int], rows: Sequence[tuple[int, int, int, int, int]]) -> Network:
    """Of rows of outputs, kernel, inputs, padding and pool."""
    layers: list[Layer] = []
    for number, (outputs, kernel, inputs, padding, pool) in enumerate(rows, 1):
        last = number == len(rows)
        output = Raw(np.zeros(outputs, np.int64)) if last else Thresholds(np.zeros((outputs, 3), np.int64))
        weights = np.ones((outputs, kernel, kernel, inputs), np.int64)
        layers.append(Layer(f"layer {number}", weights, 2, "unsigned", "signed", output, padding=padding, pool=pool))
    outputs = layers[-1].outputs
    return Network(name, Input(shape, 3.0, 0.0, 0, 3), tuple(layers), np.ones(outputs), np.zeros(outputs))
