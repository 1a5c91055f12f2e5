"""A network of integers from a quantised network in QONNX, as brevitas exports it; or from brevitas at once.

The graph must be a chain: quantised pictures, then layers (Gemm, MatMul or Conv with quantised weights), each followed
by anything that is affine in every output (batch norm, bias, scale), by ReLU, by a quantiser, and by max-pool. All of
what stands between two layers is one function of a layer's sum; it becomes thresholds, exactly: every threshold is
corrected until the function, in double precision, changes at it. For results of 8 bits there is no room for 255
thresholds; they become a scale and a shift, which may be off by one code near a boundary. What the accelerators cannot
do is refused by name.
"""

from __future__ import annotations

import contextlib
import copy
import io
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import get_by_name
from qonnx.util.cleanup import cleanup_model

from triptych.bitsys.accelerator.layers import Layer, Raw, Scale, Thresholds, value_range
from triptych.bitsys.model import Ints, Reading
from triptych.bitsys.networks.integer import Input, Network
from triptych.errors import DataError, ParameterError

Floats = npt.NDArray[np.float64]

_NEVER = (1 << 31) - 1  # a threshold that no sum reaches
_ALWAYS = -(1 << 31)
_WIDEST = 8


@dataclass(frozen=True)
class _Quantiser:
    """A Quant or BipolarQuant node: value = code × scale, code from low to high."""

    name: str
    scale: Floats
    low: int
    high: int
    bipolar: bool

    @property
    def signed(self) -> bool:
        return self.low < 0

    @property
    def width(self) -> int:
        """Bits that hold every code in two's complement or unsigned; 1 where bipolar."""
        if self.bipolar:
            return 1
        return max(self.high.bit_length(), (-self.low - 1).bit_length() if self.signed else 0) + self.signed

    def codes(self, values: Floats) -> Floats:
        if self.bipolar:
            return np.where(values >= 0, 1.0, -1.0)
        return np.clip(np.rint(values / self.scale), self.low, self.high)


@dataclass
class _Pending:
    """What has been met since the last layer: an affine function per output, perhaps a ReLU, a quantiser, pooling."""

    gain: Floats
    offset: Floats
    relu: bool = False
    quantiser: _Quantiser | None = None
    pool: int = 1
    shape: tuple[int, ...] = ()
    pad: int = 0
    pad_value: float = 0.0
    started: bool = False  # a layer stands before it

    def values(self, sums: Floats) -> Floats:
        """The float function of sums (…, outputs)."""
        found = sums * self.gain + self.offset
        return np.maximum(found, 0) if self.relu else found

    def codes(self, sums: Floats) -> Floats:
        assert self.quantiser
        return self.quantiser.codes(self.values(sums))


@dataclass
class _Met:
    """A layer as read, before the quantisers on both sides are known."""

    name: str
    weights: Ints  # (outputs, height, width, inputs)
    quantiser: _Quantiser
    reads: _Quantiser
    stride: int
    padding: int
    after: _Pending = field(default_factory=lambda: _Pending(np.ones(1), np.zeros(1)))


def export(model: Any, shape: tuple[int, ...], path: Path) -> None:
    """Write a brevitas model, in double precision, as QONNX; `shape` is that of a batch it takes."""
    import torch
    from brevitas.export import export_qonnx

    double = copy.deepcopy(model).double().eval()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        export_qonnx(double, torch.rand(*shape).double(), export_path=str(path))


def from_brevitas(model: Any, shape: tuple[int, ...], name: str) -> Network:
    """A brevitas model as a network of integers, by way of QONNX. Raises as `read`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export(model, shape, path)
        return read(path, name)


def read(path: Path, name: str | None = None) -> Network:
    """A QONNX file as a network of integers.

    Raises DataError for a file that is no ONNX, ParameterError that names the node for whatever the accelerators cannot
    do.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = cleanup_model(ModelWrapper(str(path)))
    except Exception as error:  # protobuf, onnx and qonnx raise kinds of their own for a broken file
        raise DataError(f"{path.name} cannot be read as QONNX: {error}", "was it cut short? export it again") from None
    return _Reader(model, name or path.stem).network()


class _Reader:
    """Walks the chain from the input to the output."""

    def __init__(self, model: ModelWrapper, name: str) -> None:
        self.model = model
        self.name = name
        self.layers: list[_Met] = []
        self.first: tuple[_Pending, _Quantiser] | None = None
        self.pending = _Pending(np.ones(1), np.zeros(1))

    def network(self) -> Network:
        tensor = self.model.graph.input[0].name
        shape = self.model.get_tensor_shape(tensor)
        if not shape or len(shape) not in (2, 4):
            raise ParameterError(
                f"the input has shape {shape}, not (batch, values) or (batch, channels, height, width)"
            )
        self.pending.shape = tuple(shape[1:])
        while True:
            nodes = self.model.find_consumers(tensor) or []
            if not nodes:
                break
            if len(nodes) > 1:
                raise ParameterError(f"{tensor} is read by {len(nodes)} nodes", "the accelerators run chains of layers")
            (node,) = nodes
            meet = getattr(self, f"_meet_{node.op_type.lower()}", None)
            if meet is None:
                raise ParameterError(
                    f"{node.name}: the operator {node.op_type} is not supported",
                    "supported are Quant, BipolarQuant, Gemm, MatMul, Conv, BatchNormalization, Add, Sub, Mul, Div, "
                    "Relu, MaxPool, Pad, Reshape and Flatten",
                )
            meet(node, tensor)
            tensor = node.output[0]
        return self._finished()

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _meet_quant(self, node: Any, tensor: str) -> None:
        self._quantised(self._quantiser(node))

    _meet_bipolarquant = _meet_quant

    def _quantised(self, quantiser: _Quantiser) -> None:
        if self.pending.quantiser:
            raise ParameterError(f"{quantiser.name}: quantised twice with no layer between")
        self.pending.quantiser = quantiser

    def _meet_relu(self, node: Any, tensor: str) -> None:
        before = self.pending.quantiser
        if before is None:
            self.pending.relu = True
        elif before.signed:
            raise ParameterError(f"{node.name}: ReLU after a signed quantiser is not supported", "put it before")

    def _meet_batchnormalization(self, node: Any, tensor: str) -> None:
        gamma, beta, mean, variance = (self._constant(node, i) for i in range(1, 5))
        epsilon = get_by_name(node.attribute, "epsilon")
        gain = gamma / np.sqrt(variance + (epsilon.f if epsilon else 1e-5))
        self._affine(node, gain, beta - mean * gain)

    def _meet_add(self, node: Any, tensor: str) -> None:
        self._affine(node, np.ones(1), self._other(node, tensor))

    def _meet_sub(self, node: Any, tensor: str) -> None:
        if node.input[0] != tensor:
            raise ParameterError(f"{node.name}: a constant minus activations is not supported")
        self._affine(node, np.ones(1), -self._other(node, tensor))

    def _meet_mul(self, node: Any, tensor: str) -> None:
        self._affine(node, self._other(node, tensor), np.zeros(1))

    def _meet_div(self, node: Any, tensor: str) -> None:
        if node.input[0] != tensor:
            raise ParameterError(f"{node.name}: a constant divided by activations is not supported")
        self._affine(node, 1 / self._other(node, tensor), np.zeros(1))

    def _meet_identity(self, node: Any, tensor: str) -> None:
        pass

    _meet_dropout = _meet_identity

    def _meet_reshape(self, node: Any, tensor: str) -> None:
        shape = self.model.get_tensor_shape(node.output[0])
        if not shape or len(shape) != 2:
            raise ParameterError(f"{node.name}: only flattening is supported, not a shape of {shape}")

    _meet_flatten = _meet_reshape

    def _meet_maxpool(self, node: Any, tensor: str) -> None:
        kernel, strides = self._ints(node, "kernel_shape"), self._ints(node, "strides")
        if len(set(kernel)) != 1 or strides != kernel or any(self._ints(node, "pads")):
            raise ParameterError(f"{node.name}: max-pool must be square, without overlap and padding")
        if self._attribute(node, "ceil_mode"):
            raise ParameterError(f"{node.name}: max-pool with ceil_mode is not supported")
        if not self.pending.started or self.pending.quantiser is None or self.pending.pool != 1:
            raise ParameterError(f"{node.name}: max-pool must follow the quantiser of a layer")
        self.pending.pool = kernel[0]
        channels, *sizes = self.pending.shape
        self.pending.shape = (channels, *(size // kernel[0] for size in sizes))

    def _meet_pad(self, node: Any, tensor: str) -> None:
        pads = [int(one) for one in self._constant(node, 1)]
        half = len(pads) // 2
        if any(pads[: half - 2]) or any(pads[half : 2 * half - 2]) or len(set(pads[half - 2 : half] + pads[-2:])) != 1:
            raise ParameterError(f"{node.name}: padding must be the same on the four sides of a map, not {pads}")
        self.pending.pad = pads[-1]
        self.pending.pad_value = float(self._constant(node, 2).item()) if len(node.input) > 2 and node.input[2] else 0.0

    def _meet_gemm(self, node: Any, tensor: str) -> None:
        if self._attribute(node, "transA") or self._float(node, "alpha") != 1 or self._float(node, "beta") != 1:
            raise ParameterError(f"{node.name}: Gemm with transA, alpha or beta is not supported")
        weights, quantiser = self._weights(node)
        dense = weights if self._attribute(node, "transB") else weights.T
        self._dense(node, tensor, dense, quantiser)
        if len(node.input) > 2 and node.input[2]:
            self._affine(node, np.ones(1), self._constant(node, 2))

    def _meet_matmul(self, node: Any, tensor: str) -> None:
        weights, quantiser = self._weights(node)
        self._dense(node, tensor, weights.T, quantiser)

    def _meet_conv(self, node: Any, tensor: str) -> None:
        weights, quantiser = self._weights(node)
        group, dilations = self._attribute(node, "group"), self._ints(node, "dilations")
        if group not in (None, 1):
            raise ParameterError(f"{node.name}: grouped convolution (group = {group}) is not supported")
        if any(one != 1 for one in dilations):
            raise ParameterError(f"{node.name}: dilated convolution is not supported")
        strides, pads = self._ints(node, "strides") or [1, 1], self._ints(node, "pads") or [0]
        if len(set(strides)) != 1 or len(set(pads)) != 1 or weights.ndim != 4:
            raise ParameterError(
                f"{node.name}: stride and padding must be the same in both directions, in two dimensions"
            )
        self._layer(node, weights.transpose(0, 2, 3, 1), quantiser, strides[0], pads[0])
        if len(node.input) > 2 and node.input[2]:
            self._affine(node, np.ones(1), self._constant(node, 2))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _dense(self, node: Any, tensor: str, weights: Ints, quantiser: _Quantiser) -> None:
        """A dense layer is a convolution over the whole of the map that was flattened before it."""
        if weights.ndim != 2:
            raise ParameterError(f"{node.name}: weights of shape {weights.shape} are no matrix")
        shape = self.pending.shape
        if len(shape) == 3 and self.layers:
            maps = weights.reshape(len(weights), *shape).transpose(0, 2, 3, 1)
        else:
            maps = weights.reshape(len(weights), 1, 1, -1)
        self._layer(node, maps, quantiser, 1, 0, dense=True)

    def _layer(
        self, node: Any, weights: Ints, quantiser: _Quantiser, stride: int, pad: int, *, dense: bool = False
    ) -> None:
        reads = self.pending.quantiser
        if reads is None:
            raise ParameterError(f"{node.name}: its activations are not quantised", "put a quantiser before the layer")
        if np.any(reads.scale != reads.scale.flat[0]):
            raise ParameterError(f"{reads.name}: one scale a channel is not supported for activations")
        if not self.layers:
            self.first = self.pending, reads
        else:
            self.layers[-1].after = self.pending
        if pad and reads.bipolar:
            raise ParameterError(
                f"{node.name}: it pads with 0, which bipolar activations do not have", "pad with -1 before it"
            )
        if self.pending.pad:
            filled = self.pending.pad_value / float(reads.scale.flat[0])
            if filled != (-1 if reads.bipolar else 0):
                raise ParameterError(f"{node.name}: padding with {self.pending.pad_value} is not supported")
            pad += self.pending.pad
        self.layers.append(_Met(node.name, weights, quantiser, reads, stride, pad))
        gain = np.broadcast_to(quantiser.scale.reshape(-1) * float(reads.scale.flat[0]), (len(weights),))
        self.pending = _Pending(gain.astype(np.float64), np.zeros(len(weights)), started=True)
        out = self.model.get_tensor_shape(node.output[0])
        self.pending.shape = (len(weights),) if dense or not out else tuple(out[1:])

    def _affine(self, node: Any, gain: Floats, offset: Floats) -> None:
        pending = self.pending
        if pending.quantiser is not None or pending.relu:
            raise ParameterError(f"{node.name}: {node.op_type} between a quantiser or ReLU and the next layer")
        gain, offset = gain.astype(np.float64).reshape(-1), offset.astype(np.float64).reshape(-1)
        if max(len(gain), len(offset)) not in (1, len(pending.gain)):
            raise ParameterError(f"{node.name}: its constants are not one, nor one an output")
        pending.offset = pending.offset * gain + offset
        pending.gain = pending.gain * gain

    def _quantiser(self, node: Any) -> _Quantiser:
        if node.op_type == "BipolarQuant":
            return _Quantiser(node.name, np.atleast_1d(self._constant(node, 1)), -1, 1, bipolar=True)
        scale, zero, bits = (self._constant(node, i) for i in (1, 2, 3))
        mode = get_by_name(node.attribute, "rounding_mode")
        if np.any(zero != 0):
            raise ParameterError(f"{node.name}: a zero point other than 0 is not supported")
        if mode and mode.s.decode().upper() not in ("ROUND", "HALF_EVEN"):
            raise ParameterError(f"{node.name}: rounding {mode.s.decode()} is not supported, only ROUND")
        width = float(bits.item()) if bits.size == 1 else 0.0
        if width != int(width) or not 1 <= width <= _WIDEST:
            raise ParameterError(f"{node.name}: {width:g} bits are not supported", f"whole numbers from 1 to {_WIDEST}")
        signed, narrow = bool(self._attribute(node, "signed")), bool(self._attribute(node, "narrow"))
        low, high = value_range(int(width), "signed" if signed else "unsigned")
        return _Quantiser(
            node.name, np.atleast_1d(scale), low + (signed and narrow), high - (not signed and narrow), bipolar=False
        )

    def _weights(self, node: Any) -> tuple[Ints, _Quantiser]:
        producer = self.model.find_producer(node.input[1])
        if producer is None or producer.op_type not in ("Quant", "BipolarQuant"):
            raise ParameterError(
                f"{node.name}: its weights are not quantised", "use brevitas.nn.QuantLinear or QuantConv2d"
            )
        quantiser = self._quantiser(producer)
        values = self._constant(producer, 0)
        scale = quantiser.scale
        axes = [axis for axis, size in enumerate(scale.shape) if size > 1]
        output_axis = (
            1 if node.op_type == "MatMul" or (node.op_type == "Gemm" and not self._attribute(node, "transB")) else 0
        )
        if axes not in ([], [output_axis]):
            raise ParameterError(f"{producer.name}: a scale of shape {scale.shape} is not one, nor one an output")
        return quantiser.codes(values).astype(np.int64), quantiser

    def _constant(self, node: Any, index: int) -> Floats:
        value = self.model.get_initializer(node.input[index])
        if value is None:
            raise ParameterError(f"{node.name}: input {index} of {node.op_type} is not a constant")
        return np.asarray(value, np.float64)

    def _other(self, node: Any, tensor: str) -> Floats:
        return self._constant(node, 1 if node.input[0] == tensor else 0)

    def _attribute(self, node: Any, name: str) -> int | None:
        found = get_by_name(node.attribute, name)
        return found.i if found else None

    def _float(self, node: Any, name: str) -> float:
        found = get_by_name(node.attribute, name)
        return found.f if found else 1.0

    def _ints(self, node: Any, name: str) -> list[int]:
        found = get_by_name(node.attribute, name)
        return list(found.ints) if found else []

    # --- the whole ----------------------------------------------------------------------------------------------------

    def _finished(self) -> Network:
        if not self.layers or self.first is None:
            raise ParameterError(f"{self.name} has no layer")
        last = self.pending
        if last.quantiser is not None or last.relu or last.pool != 1:
            raise ParameterError(f"{self.name}: nothing but scale and bias may follow the last layer")
        layers = self.layers
        widths = [_container(one) for one in layers]
        made: list[Layer] = []
        for index, met in enumerate(layers):
            activation, weight = _readings(met, widths[index])
            values = met.weights
            if index == len(layers) - 1:
                output = Raw(np.zeros(len(values), np.int64))
            else:
                following = layers[index + 1]
                output, flipped = _output(met, widths[index + 1], _readings(following, widths[index + 1])[0])
                values = np.where(flipped[:, None, None, None], -values, values)
                low, _ = value_range(widths[index], weight)
                if values.max() > -low - (weight != "bipolar") and weight != "bipolar":
                    raise ParameterError(
                        f"{met.name}: an output with a negative batch-norm gain has the weight {low}, whose negative "
                        f"does not fit {widths[index]} bits",
                        "train with narrow_range = True",
                    )
            made.append(
                Layer(
                    name=met.name,
                    weights=values,
                    width=widths[index],
                    activation=activation,
                    weight=weight,
                    output=output,
                    stride=met.stride,
                    padding=met.padding,
                    pool=met.after.pool if index < len(layers) - 1 else 1,
                )
            )
        before, reads = self.first
        if before.relu:
            raise ParameterError(f"{self.name}: a ReLU before the first layer is not supported")
        if len(before.gain) != 1:
            raise ParameterError(f"{self.name}: pictures are scaled by one number, not one a channel")
        scale = 1.0 if reads.bipolar else float(reads.scale.flat[0])
        shape = before.shape
        channels_last = (
            (1, 1, int(np.prod(shape)))
            if made[0].weights.shape[1:3] == (1, 1) and (made[0].weights.shape[3] == int(np.prod(shape)))
            else (shape[1], shape[2], shape[0])
        )
        return Network(
            name=self.name,
            input=Input(
                channels_last, float(before.gain[0]) / scale, float(before.offset[0]) / scale, reads.low, reads.high
            ),
            layers=tuple(made),
            gain=last.gain,
            offset=np.broadcast_to(last.offset, last.gain.shape).astype(np.float64),
        )


def _container(met: _Met) -> int:
    """Bits of the multiplier's mode: the smallest that holds a layer's weights and its activations."""
    if met.reads.bipolar and met.quantiser.bipolar:
        return 1
    needed = max(2 if one.bipolar else one.width for one in (met.reads, met.quantiser))
    return next(width for width in (1, 2, 4, 8) if width >= needed)


def _readings(met: _Met, width: int) -> tuple[Reading, Reading]:
    """How activations and weights are read; bipolar ones beside wider ones are signed numbers."""
    if met.reads.bipolar and met.quantiser.bipolar:
        return "bipolar", "bipolar"
    return ("signed" if met.reads.signed else "unsigned"), ("signed" if met.quantiser.signed else "unsigned")


def _output(met: _Met, width: int, reading: Reading) -> tuple[Thresholds | Scale, npt.NDArray[np.bool_]]:
    """What becomes of a layer's sums, and the outputs whose weights change sign because they fall as the sum rises."""
    after = met.after
    quantiser = after.quantiser
    assert quantiser
    none = np.zeros(len(met.weights), np.bool_)
    if width == _WIDEST:
        low, high = value_range(width, reading)
        if (quantiser.low, quantiser.high) != (low, high):
            raise ParameterError(
                f"{quantiser.name}: codes from {quantiser.low} to {quantiser.high} go to a layer of 8 bits, where "
                f"results are clipped to {low} … {high}",
                "use 8 bits without narrow range for its activations too",
            )
        return _scale(after), none
    low, high = value_range(width, reading)
    steps = [1] if reading == "bipolar" else list(range(low + 1, high + 1))
    flipped = after.gain < 0
    signs = np.where(flipped, -1.0, 1.0)
    thresholds = np.stack([_threshold(after, quantiser, signs, step) for step in steps], axis=1)
    return Thresholds(thresholds), flipped


def _threshold(after: _Pending, quantiser: _Quantiser, signs: Floats, step: int) -> Ints:
    """The smallest sum, times `signs`, at which the code is `step` or more, one an output."""
    if step > quantiser.high:
        return np.full(len(signs), _NEVER)
    if step <= quantiser.low:
        return np.full(len(signs), _ALWAYS)
    scale = float(quantiser.scale.flat[0])
    level = 0.0 if quantiser.bipolar else scale * (step - 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        start = np.ceil((level - after.offset) / np.abs(after.gain) * 1.0)
    start = np.where(np.isfinite(start), start, 0.0)
    start = np.clip(start, -(2.0**30), 2.0**30)
    reached = lambda sums: after.codes(sums * signs) >= step  # noqa: E731
    for _ in range(4):  # a rounding error away at most
        start = np.where(reached(start - 1), start - 1, start)
        start = np.where(reached(start), start, start + 1)
    found = np.where(reached(start), start, _NEVER)
    found = np.where(reached(np.full(len(signs), -(2.0**30))), _ALWAYS, found)
    return found.astype(np.int64)


def _scale(after: _Pending) -> Scale:
    """A gain and an offset, both over the quantiser's scale, as integers: ((s + bias) × scale + half) >> shift.

    One shift for all outputs, the largest at which every scale fits 16 bits with its sign.
    """
    assert after.quantiser
    unit = float(after.quantiser.scale.flat[0])
    gain, offset = after.gain / unit, after.offset / unit
    largest = float(np.abs(gain).max())
    shift = int(np.clip(np.floor(np.log2(32767 / largest)) if largest > 0 else 0, 0, 47))
    scale = np.rint(gain * 2.0**shift)
    if np.abs(scale).max() > 32767:
        raise ParameterError("a sum is multiplied by more than a scale of 16 bits holds")
    exact = np.where(scale != 0, scale, 1) / 2.0**shift
    bias = np.where(scale != 0, np.rint(offset / exact), 0)
    if np.any((scale == 0) & (np.rint(offset) != 0)) or np.abs(bias).max() >= 2**31:
        raise ParameterError("an output with a batch-norm gain near 0 needs a bias of more than 32 bits")
    return Scale(bias.astype(np.int64), scale.astype(np.int64), shift)
