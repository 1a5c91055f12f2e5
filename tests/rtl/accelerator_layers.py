"""An independent oracle for networks of integers, and random ones: plain loops over kernel positions, no packing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triptych.bitsys.accelerator.layers import Layer, Raw, Scale, Thresholds, value_range
from triptych.bitsys.model import Ints, Reading


def sums(layer: Layer, x: Ints) -> Ints:
    """Sums of a layer before its output function, on all positions, (images, height, width, outputs)."""
    outside = -1 if layer.activation == "bipolar" else 0
    pad = layer.padding
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=outside)
    _, kernel_h, kernel_w, _ = layer.weights.shape
    height = (x.shape[1] - kernel_h) // layer.stride + 1
    width = (x.shape[2] - kernel_w) // layer.stride + 1
    total = np.zeros((len(x), height, width, layer.outputs), np.int64)
    for ky in range(kernel_h):
        for kx in range(kernel_w):
            seen = x[:, ky : ky + layer.stride * height : layer.stride, kx : kx + layer.stride * width : layer.stride]
            total += seen[:, :height, :width] @ layer.weights[:, ky, kx].T
    return total


def forward(layer: Layer, x: Ints, following: Layer | None) -> Ints:
    """The layer's result: what the next one reads, or its raw sums."""
    total = sums(layer, x)
    out = layer.output
    if isinstance(out, Raw):
        return total + out.bias
    assert following is not None
    bits, reading = following.width, following.activation
    if isinstance(out, Thresholds):
        codes = (total[..., None] >= out.values).sum(axis=-1)
        value = {"unsigned": codes, "signed": codes - (1 << (bits - 1)), "bipolar": 2 * codes - 1}[reading]
    else:
        half = (1 << out.shift) >> 1
        value = np.clip(((total + out.bias) * out.scale + half) >> out.shift, *value_range(bits, reading))
    q = layer.pool
    height, width = value.shape[1] // q, value.shape[2] // q
    windows = value[:, : height * q, : width * q].reshape(len(value), height, q, width, q, -1)
    return windows.max(axis=(2, 4))


def execute(layers: Sequence[Layer], x: Ints) -> Ints:
    """Raw sums of a network."""
    for index, layer in enumerate(layers):
        x = forward(layer, x, layers[index + 1] if index + 1 < len(layers) else None)
    return x


NUMBERS: tuple[Reading, ...] = ("unsigned", "signed")
READINGS: dict[int, list[tuple[Reading, Reading]]] = {
    width: [(a, b) for a in NUMBERS for b in NUMBERS] for width in (1, 2, 4, 8)
}
READINGS[1].append(("bipolar", "bipolar"))


def draw(rng: np.random.Generator, shape: tuple[int, ...], width: int, reading: Reading) -> Ints:
    """Random values of a width in a reading."""
    if reading == "bipolar":
        return 2 * rng.integers(0, 2, shape) - 1
    low, high = value_range(width, reading)
    return rng.integers(low, high + 1, shape)


def random_layer(
    rng: np.random.Generator,
    name: str,
    shape: tuple[int, int, int, int],
    width: int,
    readings: tuple[Reading, Reading],
    following: tuple[int, Reading] | None,
    sample: Ints,
    *,
    stride: int = 1,
    padding: int = 0,
    pool: int = 1,
) -> Layer:
    """A layer with random weights whose output function spreads the sums of `sample`, values that it reads."""
    weights = draw(rng, shape, width, readings[1])
    bare = Layer(name, weights, width, *readings, Raw(np.zeros(shape[0], np.int64)), stride, padding)
    if following is None:
        return Layer(name, weights, width, *readings, Raw(rng.integers(-99, 100, shape[0])), stride, padding)
    seen = sums(bare, sample)
    bits, reading = following
    low, high = int(seen.min()), int(seen.max())
    if bits < 8 and (reading == "bipolar" or rng.random() < 0.7):
        output = Thresholds(np.sort(rng.integers(low, high + 2, (shape[0], (1 << bits) - 1)), axis=1))
    else:
        shift = int(rng.integers(0, 20))
        gain = ((1 << bits) << shift) / max(1, high - low)
        most = int(np.clip(2 * gain, 1, 32767))
        output = Scale(
            rng.integers(-(high - low) // 2 - 1, (high - low) // 2 + 1, shape[0]),
            rng.integers(-most // 4, most + 1, shape[0]),
            shift,
        )
    return Layer(name, weights, width, *readings, output, stride, padding, pool)


def random_network(
    rng: np.random.Generator,
    widths: Sequence[int] = (1, 2, 4, 8),
    *,
    convolutions: int | None = None,
    largest: int = 12,
) -> tuple[list[Layer], Ints]:
    """A small random network and images for it: convolutions (kernel, stride, padding, pooling), then dense layers."""
    count = int(rng.integers(1, 5))
    convolutions = int(rng.integers(0, count)) if convolutions is None else min(convolutions, count - 1)
    size = (
        (int(rng.integers(4, 9)), int(rng.integers(4, 9)))
        if convolutions
        else (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    )
    plan = [(int(w), READINGS[int(w)][rng.integers(len(READINGS[int(w)]))]) for w in rng.choice(list(widths), count)]
    channels = int(rng.integers(1, largest + 1))
    x = draw(rng, (int(rng.integers(1, 8)), *size, channels), plan[0][0], plan[0][1][0])
    images, layers = x, list[Layer]()
    for index, (width, readings) in enumerate(plan):
        following = None if index + 1 == count else (plan[index + 1][0], plan[index + 1][1][0])
        outputs = int(rng.integers(1, largest + 1))
        height, breadth = x.shape[1:3]
        if index < convolutions:
            kernel = (int(rng.integers(1, min(3, height) + 1)), int(rng.integers(1, min(3, breadth) + 1)))
            stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, 2))
            left = [(s + 2 * padding - k) // stride + 1 for s, k in zip((height, breadth), kernel, strict=True)]
            pool = 2 if following and min(left) >= 2 and rng.random() < 0.5 else 1
        else:
            kernel, stride, padding, pool = (height, breadth), 1, 0, 1
        layer = random_layer(
            rng, f"layer {index}", (outputs, *kernel, x.shape[3]), width, readings, following, x,
            stride=stride, padding=padding, pool=pool,
        )  # fmt: skip
        layers.append(layer)
        following_layer = None
        if following:
            width_after, readings_after = plan[index + 1]
            # Only width and reading of the next layer matter here.
            following_layer = Layer(
                "",
                draw(rng, (1, 1, 1, outputs), width_after, readings_after[1]),
                width_after,
                *readings_after,
                Raw(np.zeros(1, np.int64)),
            )
        x = forward(layer, x, following_layer)
    return layers, images
