"""Both accelerators, whole programs in simulation: sums against a plain oracle, counters against the closed form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from accelerator_layers import READINGS, draw, execute, random_layer, random_network
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.bitsys import model
from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.layers import Layer, Raw
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import Program, assemble
from triptych.bitsys.model import Ints
from triptych.bitsys.tools import RtlError

SYSTOLIC = Machine("systolic", "bitsys", rows=2, columns=2, port_bits=8)
SINGLE = Machine("single_layer", "fixed", rows=3, columns=4, port_bits=32)
BANDS = Machine("systolic", "mtree", rows=2, columns=2, port_bits=16, bands=2)
MACHINES = pytest.mark.parametrize("machine", [SYSTOLIC, SINGLE], ids=lambda machine: machine.label)

BATCH_ENDS = 1
"""Cycles from start to end of a batch, as the harness sees it, beyond those of its layers."""


def agrees(machine: Machine, layers: list[Layer], images: Ints, batch: int, supply: Supply) -> None:
    """Run a network; its sums are the oracle's and every layer's counters the model's."""
    program = assemble(machine, layers, images.shape[1:3], batch)
    outcome = simulate.run(program, images, supply)
    assert np.array_equal(outcome.sums, execute(layers, images))
    judge(program, outcome, -(-len(images) // batch), supply)


def judge(program: Program, outcome: simulate.Outcome, batches: int, supply: Supply) -> None:
    """Every layer's counters are the model's, and together they are the time that the harness saw pass."""
    assert outcome.counters == [predict(program.machine, program.instructions, supply)] * batches
    assert outcome.elapsed == [sum(one.total for one in batch) + BATCH_ENDS for batch in outcome.counters]


@pytest.mark.slow
@MACHINES
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    batch=st.integers(1, 5),
    throttle=st.sampled_from([1, 1, 2, 3, 7]),
    prefetch=st.booleans(),
)
def test_random_networks(machine: Machine, seed: int, batch: int, throttle: int, prefetch: bool) -> None:
    layers, images = random_network(np.random.default_rng(seed))
    agrees(machine, layers, images, batch, Supply(throttle, prefetch))


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1 << 32), count=st.integers(1, 3), throttle=st.sampled_from([1, 2, 5]), prefetch=st.booleans()
)
def test_every_band_runs_a_network_of_its_own(seed: int, count: int, throttle: int, prefetch: bool) -> None:
    """Other layers, other precision, other batch size in each band at the same time, and none disturbs the other."""
    rng = np.random.default_rng(seed)
    networks, images, programs = list[list[Layer]](), list[Ints](), list[Program]()
    for _ in range(BANDS.bands):
        layers, some = random_network(rng)
        batch = int(rng.integers(1, 4))
        networks.append(layers)
        images.append(draw(rng, (batch * count, *some.shape[1:]), layers[0].width, layers[0].activation))
        programs.append(assemble(BANDS, layers, some.shape[1:3], batch))
    supply = Supply(throttle, prefetch)
    outcomes = simulate.run_bands(BANDS, programs, images, supply)
    for layers, values, program, outcome in zip(networks, images, programs, outcomes, strict=True):
        assert np.array_equal(outcome.sums, execute(layers, values))
        judge(program, outcome, count, supply)


@pytest.mark.slow
def test_a_band_whose_stream_ends_is_named_and_the_other_one_finishes() -> None:
    x = np.ones((1, 1, 1, 6), np.int64)
    layer = Layer("dense", np.ones((2, 1, 1, 6), np.int64), 8, "unsigned", "signed", Raw(np.zeros(2, np.int64)))
    program = assemble(BANDS, [layer], (1, 1))
    short = [program.beats, program.beats - 1]
    with pytest.raises(
        RtlError, match=f"watchdog: batch 0 of band 1 .* {program.beats - 1} of {program.beats - 1} words"
    ):
        simulate.run_bands(BANDS, [program] * 2, [x] * 2, beats=short)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    throttle=st.sampled_from([1, 2, 5]),
    idle=st.sampled_from([0, 40]),
    batch=st.integers(1, 3),
)
def test_units_as_gates_are_the_units_as_rtl(seed: int, throttle: int, idle: int, batch: int) -> None:
    """What the fast simulation gives is what Verilator gives for the whole RTL, cycle by cycle."""
    layers, images = random_network(np.random.default_rng(seed))
    program = assemble(SYSTOLIC, layers, images.shape[1:3], batch)
    plain, fast = (
        simulate.run(program, images, Supply(throttle, True), idle_percent=idle, seed=seed % 100, units=units)
        for units in ("rtl", "gates")
    )
    assert np.array_equal(fast.sums, plain.sums)
    assert np.array_equal(fast.sums, execute(layers, images))
    assert (fast.counters, fast.elapsed) == (plain.counters, plain.elapsed)


@pytest.mark.slow
@MACHINES
def test_every_mode_and_every_pair_of_signs(machine: Machine) -> None:
    rng = np.random.default_rng(3)
    for width, pairs in READINGS.items():
        for readings in pairs:
            x = draw(rng, (3, 1, 1, 11), width, readings[0])
            agrees(machine, [random_layer(rng, "dense", (5, 1, 1, 11), width, readings, None, x)], x, 3, Supply())


@pytest.mark.slow
@MACHINES
def test_weights_that_come_at_random_times_stall_the_machine_and_change_nothing(machine: Machine) -> None:
    rng = np.random.default_rng(8)
    layers, images = random_network(rng, convolutions=1)
    program = assemble(machine, layers, images.shape[1:3], 2)
    steady = simulate.run(program, images)
    for seed in range(3):
        halting = simulate.run(program, images, idle_percent=70, seed=seed)
        assert np.array_equal(halting.sums, steady.sums)
        stalled = [sum(one.stalled for batch in run.counters for one in batch) for run in (steady, halting)]
        assert halting.cycles - steady.cycles == stalled[1] - stalled[0] > 0, "what it took longer is counted as stall"


@pytest.mark.slow
@MACHINES
def test_a_stream_that_ends_early_ends_the_simulation(machine: Machine) -> None:
    layers, images = random_network(np.random.default_rng(8))
    program = assemble(machine, layers, images.shape[1:3], 2)
    with pytest.raises(RtlError, match=f"watchdog: batch 0 .* of {program.beats - 1} words"):
        simulate.run(program, images, beats=program.beats - 1)


def schedule(
    rng: np.random.Generator, requests: list[model.Combination], tokens: int
) -> tuple[Program, Ints, list[Ints]]:
    """One layer after another over the same containers, none waiting, each read as its request says; their weights."""
    machine, images = SYSTOLIC, 2
    zeros = np.zeros((2, 1, 1, tokens), np.int64)
    layer = Layer("", zeros, 8, "unsigned", "signed", Raw(np.zeros(2, np.int64)))
    program = assemble(machine, [layer], (1, 1), images)
    (one,) = program.instructions
    count = len(requests)
    instructions = tuple(
        dataclasses.replace(
            one,
            wait=int(number == 0),
            mode=machine.mode(request.width),
            a_signed=int(request.a_signed),
            b_signed=int(request.b_signed),
            out_lines=count,
            tile_top=count + number,  # the last row's line, and each layer's sums after those of the one before
            groups=count,
        )
        for number, request in enumerate(requests)
    )
    weights = [rng.integers(0, 256, (tokens, 2)) for _ in requests]
    whole = dataclasses.replace(
        program,
        instructions=instructions,
        weights=np.concatenate(weights),
        names=("",) * count,
        output=(1, 1, 2 * count),
    )
    return whole, rng.integers(0, 256, (images, 1, 1, tokens)), weights


@pytest.mark.slow
@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_a_change_of_mode_costs_no_cycle(tokens: int) -> None:
    """Every mode after every other, in neighbouring tiles: the cycles are those of the schedule in one mode."""
    rng = np.random.default_rng(tokens)
    every = model.combinations(SYSTOLIC.widths)
    mixed = [every[i] for i in rng.integers(0, len(every), 30)]
    taken = list[list[int]]()
    for requests in (mixed, [every[-1]] * len(mixed)):
        program, images, weights = schedule(rng, requests, tokens)
        outcome = simulate.run(program, images)
        for number, (request, b) in enumerate(zip(requests, weights, strict=True)):
            a = images[:, 0, 0, :, None]
            want = model.values(a, b[None], 8, request).sum(axis=1)
            assert np.array_equal(outcome.sums[:, 0, 0, 2 * number : 2 * number + 2], want), request
        assert outcome.counters[0] == predict(SYSTOLIC, program.instructions)
        taken.append([one.total for one in outcome.counters[0]])
    assert taken[0] == taken[1]
