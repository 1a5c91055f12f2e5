"""Rooflines, stalls and schedules of the cycle model, against what follows from their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.bitsys import model
from triptych.bitsys.accelerator.cycles import Supply
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.networks import bandwidth, integer, quantised, shapes
from triptych.errors import ParameterError

ARRAY = Machine("systolic", "bitsys", 4, 4)


def test_no_layer_is_above_its_roof():
    nets = [shapes.tfc(), shapes.tcv()]
    for throttle in (1, 3):
        points = bandwidth.roofline(nets, ["8888", "1248"], ARRAY, [1, 4], Supply(throttle))
        assert (points["rate"] <= points["roof"]).all()
        assert len(points) == 2 * 2 * 2 * 4


def test_the_ridge_is_reached_by_as_many_pictures_as_rows_at_every_precision():
    ridges = bandwidth.ridges(ARRAY, [1])
    for mix, width in (("8888", 8), ("4444", 4), ("2222", 2), ("1111", 1)):
        points = bandwidth.roofline([shapes.tfc()], [mix], ARRAY, [ARRAY.rows], Supply())
        ridge = float(ridges.loc[ridges["width"] == width, "ridge"].iloc[0])
        first = points[points["layer"] == 1].iloc[0]
        assert first["intensity"] == ridge == ARRAY.rows / width


def test_slower_weights_never_save_time_and_loading_ahead_never_costs_any():
    table = bandwidth.stalls(shapes.tfc(), ["8421", "1111"], ARRAY, [1, 2, 4, 8], 4)
    for _, group in table.groupby(["mix", "prefetch"]):
        assert group["cycles"].is_monotonic_increasing
    wide = table.pivot_table(index=["mix", "throttle"], columns="prefetch", values="cycles")
    assert (wide[True] <= wide[False]).all()


@pytest.mark.parametrize(
    "shape, mix", [*((shapes.tfc, mix) for mix in quantised.MIXES), (shapes.tcv, "1248"), (shapes.tcv, "8421")]
)
def test_random_networks_of_a_shape_run_and_say_more_than_one_thing(shape, mix):
    network = bandwidth.randomised(shape(), mix, np.random.default_rng(0))
    assert network.widths == quantised.parse(mix)
    traces = integer.run(network, bandwidth.values(network, 4, np.random.default_rng(1)))
    for one, following in zip(traces, network.layers[1:], strict=False):
        assert len(np.unique(one.wrote)) >= min(2**following.width, 16)
    assert len(np.unique(traces[-1].wrote)) > 8


def test_a_schedule_says_what_its_tiles_must_give():
    every = model.combinations(ARRAY.widths)
    plan = bandwidth.schedule(ARRAY, every, 3, np.random.default_rng(0))
    assert plan.images.shape == (4, 1, 1, 3)
    assert plan.sums.shape == (4, 1, 1, 4 * len(every))
    words = plan.program.weights.reshape(len(every), 3, 4)
    for number, request in enumerate(every):  # channel by channel, with Python's integers
        for image in range(4):
            for column in range(4):
                total = 0
                for a, b in zip(plan.images[image, 0, 0], words[number, :, column], strict=True):
                    x = model.decode(np.array(a), 8, request.width, request.a)
                    y = model.decode(np.array(b), 8, request.width, request.b)
                    total += int(np.dot(x, y))
                assert plan.sums[image, 0, 0, 4 * number + column] == total
    with pytest.raises(ParameterError, match="systolic"):
        bandwidth.schedule(Machine("single_layer"), every, 3, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="33 tiles; the machine holds 32 instructions"):
        bandwidth.schedule(ARRAY, [every[0]] * 33, 3, np.random.default_rng(0))


@pytest.mark.parametrize("mix, words", [("84x1", "no mix"), ("8431", "no mix"), ("", "no mix"), ("842", "3 widths")])
def test_what_is_no_mix_is_refused(mix, words):
    with pytest.raises(ParameterError, match=words):
        bandwidth.layers(shapes.tfc(), mix)
