"""The dynamic programme against trying everything."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.bitsys.accelerator.cycles import predict
from triptych.bitsys.accelerator.instruction import Instruction
from triptych.bitsys.accelerator.layers import Layer, Raw, Thresholds
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.networks import listing, precision
from triptych.bitsys.networks.integer import Input, Network
from triptych.errors import ParameterError

table = st.lists(
    st.fixed_dictionaries({w: st.tuples(st.integers(1, 50), st.integers(-8, 64)) for w in precision.WIDTHS}),
    min_size=1,
    max_size=4,
)


@given(table, st.integers(0, 220))
@settings(max_examples=60, deadline=None)
def test_dynamic_programme_is_brute_force(rows, budget):
    times = [{w: cell[0] for w, cell in row.items()} for row in rows]
    harms = [{w: cell[1] / 16 for w, cell in row.items()} for row in rows]  # sums are exact
    assert precision.best(times, harms, budget) == precision.brute_force(times, harms, budget)


def tfc():
    sizes = [(64, 784), (64, 64), (64, 64), (10, 64)]
    layers = [
        Layer(
            f"dense {i}",
            np.ones((m, 1, 1, k), np.int64),
            2,
            "unsigned",
            "signed",
            Thresholds(np.zeros((m, 3), np.int64)) if i < 3 else Raw(np.zeros(m, np.int64)),
        )
        for i, (m, k) in enumerate(sizes)
    ]
    return Network("tfc", Input((1, 1, 784), 3, 0, 0, 3), tuple(layers), np.ones(10), np.zeros(10))


@pytest.mark.parametrize("dataflow", ["systolic", "single_layer"])
def test_cycles_of_layers_add_up_whatever_the_mix(dataflow):
    machine = Machine(dataflow)
    times = precision.cycles(tfc(), machine)
    for widths in [(8, 4, 2, 1), (1, 2, 4, 8), (1, 1, 1, 8)]:
        program = precision.assemble(machine, precision.blank(tfc(), widths), (1, 1), 1)
        each = [one.total for one in predict(machine, program.instructions)]
        assert each == [time[width] for time, width in zip(times, widths, strict=True)]


def test_a_listing_tells_every_layer():
    program = tfc().assemble(Machine(), images=2)
    text = listing.listing(program)
    assert text.count("2 bits, unsigned × signed") == 4
    assert "784" not in text.splitlines()[0]
    assert "196 = 1 × 1 × 196" in text  # four 2-bit values to a container
    assert Instruction.decode(int(text.split()[1], 16)) == program.instructions[0]


def test_another_number_of_widths():
    with pytest.raises(ParameterError, match="3 widths for 4 layers"):
        precision.blank(tfc(), (1, 1, 1))


def test_what_no_other_beats():
    costs = np.array([[1, 5], [2, 3], [2, 3], [3, 3], [4, 1], [5, 5]], float)
    assert precision.unbeaten(costs).tolist() == [True, True, True, False, True, False]


def test_a_third_objective_can_only_let_more_points_stand():
    rng = np.random.default_rng(0)
    mixes = ["8888", "4444", "2222", "1111", "8421", "1248"]
    summary = pd.DataFrame({"mix": ["float", *mixes], "accuracy": rng.integers(90, 99, 7).astype(float)})
    times = precision.cycles(tfc(), Machine(), images=4)
    table = precision.trade(summary, tfc(), times, 4, {1: 1.0, 2: 3.0, 4: 20.0, 8: 10.0}, ["1248"])
    assert list(table["mix"]) == mixes
    assert (table["pareto"] | ~table["front"]).all()
    assert table["front"].any()
    one = table.set_index("mix").loc["1248"]
    assert one["chosen"]
    products = [784 * 64, 64 * 64, 64 * 64, 64 * 10]
    assert one["toggles"] == pytest.approx(np.dot(products, [1.0, 3.0, 20.0, 10.0]) / 1e6)
    assert one["cycles"] == sum(time[width] for time, width in zip(times, (1, 2, 4, 8), strict=True)) / 4


def test_harm_is_against_the_same_seed_and_what_is_missing_is_named():
    rows = [("tfc", "8888", seed, 0.1 * seed) for seed in (0, 1, 2)]
    rows += [("tfc", f"{'8' * i}{p}{'8' * (3 - i)}", 2, 0.2 + i + p) for i in range(4) for p in (1, 2, 4)]
    rows += [("tfc", "1888", 1, 0.1 + 3), ("tcv", "1888", 1, 99.0)]
    frame = pd.DataFrame(rows, columns=["kind", "mix", "seed", "validation_loss"])
    harms = precision.sensitivity(frame, "tfc")
    assert harms[1] == {1: pytest.approx(2), 2: pytest.approx(3), 4: pytest.approx(5), 8: 0}
    assert harms[0][1] == pytest.approx((1 + 3) / 2)
    with pytest.raises(ParameterError, match="tfc-8828 has not been trained"):
        precision.sensitivity(frame[frame["mix"] != "8828"], "tfc")


def test_four_mixes_are_picked_from_the_ends_of_the_front_inwards():
    rows = [("8888", 0.0)]
    for index in range(4):
        rows += [("8" * index + str(width) + "8" * (3 - index), 1.0 / width + index) for width in (1, 2, 4)]
    frame = pd.DataFrame([{"kind": "tfc", "mix": mix, "seed": 0, "validation_loss": loss} for mix, loss in rows])
    made = precision.pick(frame, "tfc", tfc(), Machine(), 4)
    assert made.harms == precision.sensitivity(frame, "tfc")
    assert made.times == precision.cycles(tfc(), Machine(), images=4)
    assert made.mixes[0] == made.front[0].mix == "1111"
    assert made.mixes[-1] == made.front[-1].mix == "8888"
    assert len(made.mixes) == 4 and set(made.mixes) <= {one.mix for one in made.front}
