"""A network of integers with its input and output, and what it computes: the executor that everything is judged by.

The executor knows no packing, tiles or modes. It multiplies integers, so it cannot be wrong in the way of a machine.
Sums are formed in 64-bit floating point, which is exact below 2^53; every sum here is below 2^31.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triptych.bitsys.accelerator.layers import Layer, Raw, Scale, Thresholds, value_range
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import Program, assemble
from triptych.bitsys.model import Ints, Reading
from triptych.errors import DataError, ParameterError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Input:
    """What becomes of a picture before the first layer, on the host.

    `shape`: (height, width, channels) of the map. A value x becomes round(x × gain + offset), half to even, clipped to
    `low` … `high`; where the first layer reads bipolar it becomes +1 when x × gain + offset ≥ 0 and -1 otherwise.
    """

    shape: tuple[int, int, int]
    gain: float
    offset: float
    low: int
    high: int


@dataclass(frozen=True)
class Network:
    """Layers with what stands before and behind them. Raises ParameterError where two layers do not fit each other.

    A float output is sum × `gain` + `offset`, one of each an output: what the float network would have said.
    """

    name: str
    input: Input
    layers: tuple[Layer, ...]
    gain: Floats
    offset: Floats

    def __post_init__(self) -> None:
        if not self.layers:
            raise ParameterError(f"network {self.name} has no layers")
        height, width, channels = self.input.shape
        for index, layer in enumerate(self.layers):
            if layer.weights.shape[3] != channels:
                raise ParameterError(
                    f"layer {layer.name} reads {layer.weights.shape[3]} channels, but gets {channels}",
                    "correct the shapes of the network",
                )
            height, width = layer.map_size(height, width)
            channels = layer.outputs
            last = index == len(self.layers) - 1
            if isinstance(layer.output, Raw) != last:
                raise ParameterError(f"layer {layer.name}: the last layer, and no other, gives raw sums")
            following = None if last else self.layers[index + 1]
            if following and isinstance(layer.output, Thresholds):
                wanted = (1 << following.width) - 1
                if layer.output.values.shape[1] != wanted:
                    raise ParameterError(
                        f"layer {layer.name} has {layer.output.values.shape[1]} thresholds an output; {following.name} "
                        f"reads {following.width} bits, which is {wanted}"
                    )
        if self.gain.shape != (channels,) or self.offset.shape != (channels,):
            raise ParameterError(f"network {self.name} needs a gain and an offset for each of {channels} outputs")

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of each layer, the name of a mix: (8, 4, 2, 1) is 8421."""
        return tuple(layer.width for layer in self.layers)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each layer's input, then of the output."""
        found = [self.input.shape[:2]]
        for layer in self.layers:
            found.append(layer.map_size(*found[-1]))
        return found

    @property
    def products(self) -> list[int]:
        """Useful multiplications of each layer for one image; padding counts, as it does for a machine."""
        found: list[int] = []
        for layer, size in zip(self.layers, self.sizes[1:], strict=True):
            found.append(size[0] * size[1] * layer.pool**2 * layer.weights.size)
        return found

    def quantise(self, pictures: npt.NDArray[np.floating]) -> Ints:
        """Values for the first layer, (n, height, width, channels), of pictures of that shape.

        A network whose map is one pixel takes pictures of any shape with as many values. Raises ParameterError for
        pictures of another size.
        """
        wanted = self.input.shape
        if wanted[:2] == (1, 1) and pictures.ndim > 1 and pictures[0].size == wanted[2]:
            pictures = pictures.reshape(len(pictures), *wanted)
        if pictures.ndim != 4 or pictures.shape[1:] != wanted:
            raise ParameterError(
                f"pictures of shape {pictures.shape} are not (n, {wanted[0]}, {wanted[1]}, {wanted[2]})",
                f"{self.name} takes maps of {wanted[0]} × {wanted[1]} with {wanted[2]} channels, channels last",
            )
        scaled = pictures.astype(np.float64) * self.input.gain + self.input.offset
        if self.layers[0].activation == "bipolar":
            return np.where(scaled >= 0, 1, -1).astype(np.int64)
        return np.clip(np.rint(scaled), self.input.low, self.input.high).astype(np.int64)

    def outputs(self, sums: Ints) -> Floats:
        """What the float network would have said, of raw sums (…, outputs)."""
        return sums * self.gain + self.offset

    def assemble(self, machine: Machine, images: int = 1) -> Program:
        """The program that runs it on a machine, `images` at a time. Raises ParameterError where it does not fit."""
        return assemble(machine, self.layers, self.input.shape[:2], images)


@dataclass(frozen=True)
class Trace:
    """What one layer computed: `read` (images, height, width, channels), exact `sums` of every position, and `wrote`,
    the pooled values that the next layer reads (for the last layer the raw sums with their biases)."""

    read: Ints
    sums: Ints
    wrote: Ints


def run(network: Network, values: Ints) -> list[Trace]:
    """Every layer on values (images, height, width, channels) as `Network.quantise` gives them; one trace a layer.

    Raises ParameterError for maps of the wrong size, or values that the first layer does not read.
    """
    first = network.layers[0]
    low, high = value_range(first.width, first.activation)
    if values.ndim != 4 or values.shape[1:] != network.input.shape or not len(values):
        raise ParameterError(f"images of shape {values.shape} are not (n, {', '.join(map(str, network.input.shape))})")
    if values.min() < low or values.max() > high or (first.activation == "bipolar" and np.any(values == 0)):
        raise ParameterError(
            f"images hold values from {values.min()} to {values.max()}, the network reads {low} … {high}"
        )
    traces: list[Trace] = []
    for index, layer in enumerate(network.layers):
        following = network.layers[index + 1] if index + 1 < len(network.layers) else None
        sums = convolve(layer, values)
        wrote = _pooled(finish(layer, sums, following), layer.pool)
        traces.append(Trace(values, sums, wrote))
        values = wrote
    return traces


def classify(network: Network, pictures: npt.NDArray[np.floating], batch: int = 256) -> Ints:
    """The most likely class of each picture, (n,)."""
    found: list[Ints] = []
    for start in range(0, len(pictures), batch):
        sums = run(network, network.quantise(pictures[start : start + batch]))[-1].wrote
        found.append(network.outputs(sums).reshape(len(sums), -1).argmax(axis=1))
    return np.concatenate(found)


def convolve(layer: Layer, values: Ints) -> Ints:
    """Exact sums (images, height, width, outputs) of a layer over a map, before pooling."""
    pad = layer.padding
    outside = -1 if layer.activation == "bipolar" else 0
    padded = np.pad(values, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=outside)
    outputs, kernel_h, kernel_w, inputs = layer.weights.shape
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel_h, kernel_w), axis=(1, 2))
    windows = windows[:, :: layer.stride, :: layer.stride].transpose(0, 1, 2, 4, 5, 3)
    flat = windows.reshape(*windows.shape[:3], kernel_h * kernel_w * inputs).astype(np.float64)
    return np.rint(flat @ layer.weights.reshape(outputs, -1).T.astype(np.float64)).astype(np.int64)


def finish(layer: Layer, sums: Ints, following: Layer | None) -> Ints:
    """Values that leave a layer for the next one, of sums (…, outputs), before pooling."""
    output = layer.output
    if isinstance(output, Raw):
        return sums + output.bias
    assert following is not None
    if isinstance(output, Thresholds):
        code = (sums[..., None] >= output.values).sum(axis=-1)
        return from_code(code, following.width, following.activation)
    half = 1 << (output.shift - 1) if output.shift else 0
    low, high = value_range(following.width, following.activation)
    return np.clip(((sums + output.bias) * output.scale + half) >> output.shift, low, high)


def from_code(code: Ints, width: int, reading: Reading) -> Ints:
    """The value of the number of thresholds reached."""
    if reading == "bipolar":
        return 2 * code - 1
    return code - (1 << (width - 1)) if reading == "signed" else code


def _pooled(values: Ints, pool: int) -> Ints:
    if pool == 1:
        return values
    images, height, width, channels = values.shape
    height, width = height // pool, width // pool
    cut = values[:, : height * pool, : width * pool]
    return cut.reshape(images, height, pool, width, pool, channels).max(axis=(2, 4))


# --- as a file --------------------------------------------------------------------------------------------------------


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Thresholds(_Model):
    kind: Literal["thresholds"] = "thresholds"
    values: list[list[int]]


class _Scale(_Model):
    kind: Literal["scale"] = "scale"
    bias: list[int]
    scale: list[int]
    shift: int


class _Raw(_Model):
    kind: Literal["raw"] = "raw"
    bias: list[int]


class _Layer(_Model):
    name: str
    shape: tuple[int, int, int, int]
    width: int
    activation: Reading
    weight: Reading
    stride: int = 1
    padding: int = 0
    pool: int = 1
    output: Annotated[_Thresholds | _Scale | _Raw, Field(discriminator="kind")]
    weights: list[int]


class _Network(_Model):
    format: Literal["triptych network of integers, 1"] = "triptych network of integers, 1"
    name: str
    input_shape: tuple[int, int, int]
    input_gain: float
    input_offset: float
    input_range: tuple[int, int]
    layers: list[_Layer]
    output_gain: list[float]
    output_offset: list[float]


def save(network: Network, path: Path) -> None:
    """Write a network as JSON; compressed where the name ends in .xz."""
    layers = [
        _Layer(
            name=one.name,
            shape=one.weights.shape,  # type: ignore[arg-type]  # four numbers, as Layer checks
            width=one.width,
            activation=one.activation,
            weight=one.weight,
            stride=one.stride,
            padding=one.padding,
            pool=one.pool,
            output=_written(one.output),
            weights=one.weights.reshape(-1).tolist(),
        )
        for one in network.layers
    ]
    text = _Network(
        name=network.name,
        input_shape=network.input.shape,
        input_gain=network.input.gain,
        input_offset=network.input.offset,
        input_range=(network.input.low, network.input.high),
        layers=layers,
        output_gain=network.gain.tolist(),
        output_offset=network.offset.tolist(),
    ).model_dump_json()
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(lzma.compress(data, preset=9) if path.suffix == ".xz" else data)


def _written(output: Thresholds | Scale | Raw) -> _Thresholds | _Scale | _Raw:
    if isinstance(output, Thresholds):
        return _Thresholds(values=output.values.tolist())
    if isinstance(output, Scale):
        return _Scale(bias=output.bias.tolist(), scale=output.scale.tolist(), shift=output.shift)
    return _Raw(bias=output.bias.tolist())


def load(path: Path) -> Network:
    """Read what `save` wrote, or somebody by hand.

    Raises DataError for a file that is missing, cut short or not of the format, and ParameterError, which names the
    layer, for numbers that make no network (thresholds out of order, weights too wide).
    """
    try:
        data = path.read_bytes()
        text = lzma.decompress(data) if path.suffix == ".xz" else data
        read = _Network.model_validate_json(text)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the path") from None
    except (lzma.LZMAError, EOFError):
        raise DataError(f"{path.name} is cut short or no compressed file", "get it again") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{path.name} is no network of integers: {place}: {first['msg']}",
            "was it cut short? `triptych.bitsys.networks.integer.save` writes the format",
        ) from None
    layers: list[Layer] = []
    for one in read.layers:
        if len(one.weights) != np.prod(one.shape):
            raise DataError(
                f"{path.name}: layer {one.name} has {len(one.weights)} weights, its shape {one.shape} needs "
                f"{int(np.prod(one.shape))}"
            )
        layers.append(
            Layer(
                name=one.name,
                weights=np.array(one.weights, np.int64).reshape(one.shape),
                width=one.width,
                activation=one.activation,
                weight=one.weight,
                output=_output(one, path),
                stride=one.stride,
                padding=one.padding,
                pool=one.pool,
            )
        )
    return Network(
        name=read.name,
        input=Input(read.input_shape, read.input_gain, read.input_offset, *read.input_range),
        layers=tuple(layers),
        gain=np.array(read.output_gain),
        offset=np.array(read.output_offset),
    )


def _output(layer: _Layer, path: Path) -> Thresholds | Scale | Raw:
    output = layer.output
    if isinstance(output, _Thresholds):
        if len({len(row) for row in output.values}) != 1:
            raise DataError(f"{path.name}: layer {layer.name} has outputs with different numbers of thresholds")
        return Thresholds(np.array(output.values, np.int64))
    if isinstance(output, _Scale):
        return Scale(np.array(output.bias, np.int64), np.array(output.scale, np.int64), output.shift)
    return Raw(np.array(output.bias, np.int64))
