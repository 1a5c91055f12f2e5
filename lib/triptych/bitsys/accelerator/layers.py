"""A network of integers: what a compiler hands over, an executor computes and a machine runs. No packing, no tiles.

Tensors are (images, height, width, channels). A dense layer is a convolution whose kernel covers its whole input map
(weights of shape (outputs, height, width, channels), no padding), so nothing has to be flattened.

The sum of an output is exact: sum over kernel positions and input channels of activation × weight. Outside the map an
activation is the value of code 0 in its reading: 0, but -1 where activations are bipolar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.bitsys.model import Combination, Ints, Reading, combinations
from triptych.errors import ParameterError


@dataclass(frozen=True)
class Thresholds:
    """A sum becomes how many thresholds it reaches (sum >= threshold): a code from 0 to the number of thresholds.

    `values`: (outputs, 2^p - 1), ascending along the last axis (equal ones allowed), p ≤ 4 the width of the result. The
    code as a value: itself where the next layer reads unsigned; code - 2^(p-1) where signed; 2 code - 1 where bipolar.
    """

    values: Ints


@dataclass(frozen=True)
class Scale:
    """A sum s becomes clip(((s + bias) × scale + half) >> shift), half = 2^(shift-1), 0 for shift 0: rounds half up.

    `bias` (outputs,) of 32 bits; `scale` (outputs,) from -32768 to 32767; `shift` from 0 to 47. The clip is to the p
    bits of the result: 0 to 2^p - 1 where the next layer reads unsigned, -2^(p-1) to 2^(p-1) - 1 where signed. Not
    bipolar.
    """

    bias: Ints
    scale: Ints
    shift: int


@dataclass(frozen=True)
class Raw:
    """A sum becomes s + bias, in 32 bits, and leaves the machine: the last layer. `bias`: (outputs,)."""

    bias: Ints


Output = Thresholds | Scale | Raw


@dataclass(frozen=True)
class Layer:
    """One layer. Its result is read by the next one, whose `width` and `activation` say how; the last one is `Raw`.

    `weights`: (outputs, kernel height, kernel width, inputs), values in the reading `weight` of `width` bits. `width`,
    `activation`: of what it reads. `stride`, `padding`: the same in both directions. `pool`: max-pool of pool × pool,
    without overlap, what does not fill a window is dropped; on the finished codes, so after the output function. Raises
    ParameterError that names the layer.
    """

    name: str
    weights: Ints
    width: int
    activation: Reading
    weight: Reading
    output: Output
    stride: int = 1
    padding: int = 0
    pool: int = 1

    def __post_init__(self) -> None:
        if self.weights.ndim != 4 or not self.weights.size:
            raise self._error(f"weights of shape {self.weights.shape} are not (outputs, height, width, inputs)")
        low, high = value_range(self.width, self.weight)
        if self.weights.min() < low or self.weights.max() > high:
            raise self._error(f"weights from {self.weights.min()} to {self.weights.max()} are not {low} to {high}")
        if self.weight == "bipolar" and np.any(self.weights == 0):
            raise self._error("a bipolar weight is 0")
        _ = self.combination
        for name, value, low, high in (
            ("stride", self.stride, 1, 15),
            ("padding", self.padding, 0, 15),
            ("pool", self.pool, 1, 4),
        ):
            if not low <= value <= high:
                raise self._error(f"{name} = {value} is not from {low} to {high}")
        if isinstance(self.output, Thresholds):
            values = self.output.values
            if values.ndim != 2 or values.shape[0] != self.outputs or values.shape[1] not in (1, 3, 15):
                raise self._error(f"thresholds of shape {values.shape} are not ({self.outputs}, 1, 3 or 15)")
            if np.any(np.diff(values, axis=1) < 0):
                channel = int(np.flatnonzero(np.any(np.diff(values, axis=1) < 0, axis=1))[0])
                raise self._error(f"thresholds of output {channel} are not in ascending order")
        elif self.output.bias.shape != (self.outputs,):
            raise self._error(f"biases of shape {self.output.bias.shape} are not ({self.outputs},)")
        if isinstance(self.output, Scale):
            if self.output.scale.shape != (self.outputs,) or np.any(np.abs(self.output.scale + 0.5) > 32768):
                raise self._error("scales are one an output, from -32768 to 32767")
            if not 0 <= self.output.shift <= 47:
                raise self._error(f"shift = {self.output.shift} is not from 0 to 47")
        if isinstance(self.output, Raw) and self.pool != 1:
            raise self._error("raw sums are not pooled")

    def _error(self, what: str) -> ParameterError:
        return ParameterError(f"layer {self.name}: {what}")

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.weights.shape[0]

    @property
    def combination(self) -> Combination:
        """How the multiplier is asked to read the operands; a is the activation, b the weight."""
        for one in combinations((self.width,)):
            if (one.a, one.b) == (self.activation, self.weight):
                return one
        raise self._error(
            f"{self.width}-bit {self.activation} activations times {self.weight} weights is no mode of the multiplier "
            "(bipolar is for 1 bit, both operands)"
        )

    def map_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result, pooled, for an input of this size.

        Raises ParameterError when nothing is left.
        """
        found: list[int] = []
        for size, kernel in zip((height, width), self.weights.shape[1:3], strict=True):
            steps = (size + 2 * self.padding - kernel) // self.stride + 1 if size + 2 * self.padding >= kernel else 0
            found.append(steps // self.pool)
        if min(found) < 1:
            raise self._error(f"nothing is left of a map of {height} × {width}")
        return found[0], found[1]


def value_range(width: int, reading: Reading) -> tuple[int, int]:
    """Smallest and largest value of `width` bits in a reading (bipolar is -1 and 1)."""
    if reading == "bipolar":
        return -1, 1
    return (0, (1 << width) - 1) if reading == "unsigned" else (-(1 << (width - 1)), (1 << (width - 1)) - 1)


def codes(values: Ints, width: int, reading: Reading) -> Ints:
    """The bits of values: two's complement, or 1 for +1 and 0 for -1 where bipolar."""
    return (values + 1) >> 1 if reading == "bipolar" else values & ((1 << width) - 1)
