"""What the explorer shows, against the executor and the program; sliders moved as by hand."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from triptych.bitsys.networks import bandwidth, explorer, integer, journey, shapes
from triptych.errors import ParameterError

PICTURES = np.random.default_rng(0).random((3, 28, 28, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def networks():
    rng = np.random.default_rng(0)
    return {
        ("tfc", "8421"): bandwidth.randomised(shapes.tfc(), "8421", rng),
        ("tcv", "1248"): bandwidth.randomised(shapes.tcv(), "1248", rng),
    }


VIEWS = [
    explorer.View("tfc", "8421", moment=0.3),
    explorer.View("tfc", "8421", "single_layer", "fixed", 2, 8, throttle=3, moment=0.7),
    explorer.View("tcv", "1248", rows=8, moment=0.5),
    explorer.View("tcv", "1248", "single_layer", moment=0.9),
]


@pytest.mark.parametrize("view", VIEWS)
def test_all_is_read_and_all_is_given_by_the_end_of_a_layer(view, networks):
    one = explorer.Journey.of(view, networks[view.name, view.mix], PICTURES)
    for layer in range(4):
        last = (one.starts[layer + 1] - 1) / (one.starts[-1] - 1)
        ended = replace(one, view=replace(view, moment=last))
        assert ended.layer == layer
        assert ended.done().all()
        begun = replace(one, view=replace(view, moment=one.starts[layer] / (one.starts[-1] - 1)))
        assert begun.layer == layer
        assert not begun.done().any()
    table = explorer.layers(one)
    assert table["cycles"].sum() == one.starts[-1]


@pytest.mark.parametrize("view", VIEWS[:2])
def test_a_value_is_multiplied_once_by_every_unit_that_its_token_passes(view, networks):
    """In the second layer, from its first token at the first unit to its last one there."""
    one = explorer.Journey.of(view, networks[view.name, view.mix], PICTURES)
    machine, tokens = view.machine, one.program.instructions[1].tokens
    first = int(np.searchsorted(one.issues.layer, 1))
    begin, end = (int(one.issues.cycle[index]) + journey.WORD_LATENCY for index in (first, first + tokens - 1))
    seen = np.zeros(64, int)
    for cycle in range(begin, end + 1):
        seen += replace(one, view=replace(view, moment=cycle / (one.starts[-1] - 1))).read()[0, 0]
    token = np.arange(64) // machine.channels(4)
    passed = np.minimum(machine.columns, tokens - token) if view.dataflow == "systolic" else np.ones(64, int)
    assert np.array_equal(seen, passed)


def test_pictures_and_sliders(networks):
    view = VIEWS[0]
    panel = explorer.Explorer(view, networks, PICTURES)
    drawn = panel.picture.value
    panel.move("moment", 0.99)
    assert panel.picture.value != drawn
    assert panel.view.moment == 0.99
    panel.move("mix", "1248")
    assert "tfc-1248 is not at hand" in panel.words.value
    panel.show(VIEWS[3])
    assert panel.view == VIEWS[3]
    assert f"{explorer.Journey.of(VIEWS[3], networks['tcv', '1248'], PICTURES).starts[-1]} cycles" in panel.words.value
    figure, table = explorer.picture(explorer.Journey.of(view, networks["tfc", "8421"], PICTURES))
    plt.close(figure)
    assert list(table["bits"]) == [8, 4, 2, 1]


def test_what_does_not_exist_is_refused(networks):
    with pytest.raises(ParameterError, match="moment"):
        explorer.View(moment=2)
    with pytest.raises(ParameterError, match="throttle"):
        explorer.View(throttle=0)
    with pytest.raises(ParameterError, match="no picture 7"):
        explorer.Journey.of(explorer.View(picture=7), networks["tfc", "8421"], PICTURES)


def test_values_shown_are_the_executors(networks):
    network = networks["tcv", "1248"]
    one = explorer.Journey.of(VIEWS[2], network, PICTURES)
    values = integer.run(network, network.quantise(PICTURES[:1]))
    for mine, theirs in zip(one.traces, values, strict=True):
        assert np.array_equal(mine.wrote, theirs.wrote)
    assert explorer.flat(one.traces[0].read[0], np.mean).shape == (28, 28)
    assert explorer.flat(one.traces[3].read[0], np.mean).shape == (8, 8)
