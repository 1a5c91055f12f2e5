"""The executor and the file format, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.bitsys.accelerator.layers import Layer, Raw, Scale, Thresholds, value_range
from triptych.bitsys.networks import integer
from triptych.bitsys.networks.integer import Input, Network
from triptych.errors import DataError, ParameterError


def values(rng, shape, width, reading):
    if reading == "bipolar":
        return 2 * rng.integers(0, 2, shape) - 1
    low, high = value_range(width, reading)
    return rng.integers(low, high + 1, shape)


def network(rng, width=2, following=4, pool=2, kind="thresholds"):
    """Two layers: a convolution with pooling, then a dense one over what is left."""
    reading = ("bipolar", "bipolar") if width == 1 else ("unsigned", "signed")
    after = ("bipolar", "bipolar") if following == 1 else ("unsigned", "signed")
    if kind == "thresholds":
        output = Thresholds(np.sort(rng.integers(-40, 40, (3, 2**following - 1)), axis=1))
    else:
        output = Scale(rng.integers(-9, 9, 3), rng.integers(-9, 9, 3), 2)
    first = Layer("conv", values(rng, (3, 3, 3, 2), width, reading[1]), width, *reading, output, padding=1, pool=pool)
    size = first.map_size(6, 5)
    second = Layer(
        "dense", values(rng, (4, *size, 3), following, after[1]), following, *after, Raw(rng.integers(-9, 9, 4))
    )
    low, high = value_range(width, reading[0])
    return Network("tiny", Input((6, 5, 2), 3.0, 0.5, low, high), (first, second), np.ones(4), np.zeros(4))


def by_loops(one, image):
    """What a network says of one image, with Python integers."""
    for index, layer in enumerate(one.layers):
        outputs, kernel_h, kernel_w, inputs = layer.weights.shape
        height, width = image.shape[:2]
        outside = -1 if layer.activation == "bipolar" else 0
        rows = range((height + 2 * layer.padding - kernel_h) // layer.stride + 1)
        columns = range((width + 2 * layer.padding - kernel_w) // layer.stride + 1)
        table = {}
        for y in rows:
            for x in columns:
                for m in range(outputs):
                    total = 0
                    for dy in range(kernel_h):
                        for dx in range(kernel_w):
                            for k in range(inputs):
                                at = y * layer.stride + dy - layer.padding, x * layer.stride + dx - layer.padding
                                inside = 0 <= at[0] < height and 0 <= at[1] < width
                                value = int(image[at][k]) if inside else outside
                                total += value * int(layer.weights[m, dy, dx, k])
                    if isinstance(layer.output, Raw):
                        total += int(layer.output.bias[m])
                    elif isinstance(layer.output, Thresholds):
                        total = sum(total >= int(t) for t in layer.output.values[m])
                        total = 2 * total - 1 if one.layers[index + 1].activation == "bipolar" else total
                    else:
                        o = layer.output
                        total = (total + int(o.bias[m])) * int(o.scale[m])
                        total = (total + ((1 << o.shift) >> 1)) >> o.shift
                        total = min(max(total, 0), 2 ** one.layers[index + 1].width - 1)
                    table[y, x, m] = total
        q = layer.pool
        image = np.array(
            [
                [
                    [max(table[y * q + i, x * q + j, m] for i in range(q) for j in range(q)) for m in range(outputs)]
                    for x in range(len(columns) // q)
                ]
                for y in range(len(rows) // q)
            ]
        )
    return image


@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.sampled_from([1, 2, 4, 8]),
    following=st.sampled_from([1, 2, 4]),
    pool=st.sampled_from([1, 2]),
)
@settings(max_examples=15, deadline=None)
def test_executor_says_what_loops_say(seed, width, following, pool):
    rng = np.random.default_rng(seed)
    one = network(rng, width, following, pool)
    images = values(rng, (2, 6, 5, 2), width, one.layers[0].activation)
    got = integer.run(one, images)[-1].wrote
    assert np.array_equal(got, [by_loops(one, image) for image in images])


def test_scale_rounds_half_up_and_clips():
    rng = np.random.default_rng(0)
    one = network(rng, 4, 8, kind="scale")
    images = rng.integers(0, 16, (2, 6, 5, 2))
    assert np.array_equal(integer.run(one, images)[-1].wrote, [by_loops(one, image) for image in images])


@pytest.mark.parametrize("name", ["network.json", "network.json.xz"])
@pytest.mark.parametrize("kind", ["thresholds", "scale"])
def test_a_file_brings_back_the_network(tmp_path, name, kind):
    one = network(np.random.default_rng(1), 2, 8 if kind == "scale" else 4, kind=kind)
    integer.save(one, tmp_path / name)
    again = integer.load(tmp_path / name)
    images = np.random.default_rng(2).integers(0, 4, (3, 6, 5, 2))
    assert again.input == one.input
    assert np.array_equal(integer.run(again, images)[-1].wrote, integer.run(one, images)[-1].wrote)


@pytest.mark.parametrize("name", ["network.json", "network.json.xz"])
@given(share=st.floats(0, 0.999))
@settings(max_examples=20, deadline=None)
def test_a_file_cut_short_is_an_error_that_names_it(tmp_path_factory, name, share):
    path = tmp_path_factory.mktemp("cut") / name
    integer.save(network(np.random.default_rng(1)), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=name):
        integer.load(path)


def test_a_file_with_thresholds_out_of_order_is_refused(tmp_path):
    path = tmp_path / "network.json"
    integer.save(network(np.random.default_rng(1)), path)
    one = network(np.random.default_rng(1))
    row = one.layers[0].output.values[1].tolist()
    swapped = [row[-1], *row[1:-1], row[0]]
    text = path.read_text().replace(str(row).replace(" ", ""), str(swapped).replace(" ", ""))
    path.write_text(text)
    with pytest.raises(ParameterError, match="thresholds of output 1"):
        integer.load(path)


def test_a_file_that_is_not_there():
    from pathlib import Path

    with pytest.raises(DataError, match="cannot be read"):
        integer.load(Path("/nowhere/network.json"))


def test_pictures_of_the_wrong_size_are_refused():
    one = network(np.random.default_rng(1))
    with pytest.raises(ParameterError, match="pictures of shape"):
        one.quantise(np.zeros((1, 6, 6, 2)))
    with pytest.raises(ParameterError, match="images hold values"):
        integer.run(one, np.full((1, 6, 5, 2), 4))


def test_layers_that_do_not_fit_are_refused():
    one = network(np.random.default_rng(1))
    with pytest.raises(ParameterError, match="gives raw sums"):
        Network("x", one.input, one.layers[:1], np.ones(3), np.zeros(3))
    with pytest.raises(ParameterError, match="channels"):
        Network("x", Input((6, 5, 3), 1, 0, 0, 3), one.layers, np.ones(4), np.zeros(4))
