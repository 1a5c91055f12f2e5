"""The multiply-accumulate unit in simulation at full speed: the harness over every operand pair and long traffic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.bitsys import model, simulate, synthesise, vectors
from triptych.bitsys.design import Design
from triptych.bitsys.vectors import Stimulus

WIDTHS = (1, 2, 4, 8)
DESIGN = Design(8, WIDTHS, unit="mac")


@pytest.fixture(scope="session")
def mac_sweep() -> simulate.Sweep:
    return simulate.Sweep.of(DESIGN)


def wrong_sums(sweep: simulate.Sweep, stimulus: Stimulus) -> int:
    design, response = sweep.design, sweep.answer(stimulus)
    sums = vectors.expected_sums(design.n, design.widths, stimulus, design.acc_width)
    return int(vectors.sum_mismatches(stimulus, response, sums).sum())


@pytest.mark.slow
@pytest.mark.parametrize(("gaps", "closing"), [(0.0, 0.5), (0.5, 0.2), (0.0, 0.002)])
def test_dot_products_of_any_length_mode_and_signs(mac_sweep: simulate.Sweep, gaps: float, closing: float) -> None:
    rng = np.random.default_rng(21)
    traffic = vectors.scattered(8, WIDTHS, 200_000, rng, gaps)
    stimulus = replace(traffic, last=rng.random(len(traffic)) < closing)
    assert wrong_sums(mac_sweep, stimulus) == 0


@pytest.mark.slow
def test_every_operand_pair_of_8_bits_as_a_dot_product_of_one_token(mac_sweep: simulate.Sweep) -> None:
    every = [vectors.exhaustive(8, WIDTHS, combination) for combination in model.combinations(WIDTHS)]
    stimulus = vectors.join(every)
    stimulus = replace(stimulus, last=stimulus.valid)
    assert wrong_sums(mac_sweep, stimulus) == 0


@pytest.mark.slow
def test_reset_forgets_the_dot_product_begun_and_what_is_in_flight(mac_sweep: simulate.Sweep) -> None:
    rng = np.random.default_rng(6)
    traffic = vectors.scattered(8, WIDTHS, 50_000, rng)
    stimulus = replace(traffic, rst_n=rng.random(len(traffic)) >= 0.02)
    assert wrong_sums(mac_sweep, stimulus) == 0
    killed = stimulus.valid & stimulus.last & ~vectors.survives(stimulus, DESIGN.latency)
    assert killed.sum() > 1000, "the test must have killed dot products"


@pytest.mark.slow
def test_the_accumulator_of_32_bits_wraps_at_both_ends(mac_sweep: simulate.Sweep) -> None:
    """255 × 255 and 255 × -128, often enough to pass 2^32 and -2^32, closed just before and after each end."""
    parts: list[Stimulus] = []
    for b, b_signed in ((0xFF, False), (0x80, True)):
        step = 255 * 255 if not b_signed else 255 * 128
        for bits in (31, 32):
            fits = ((1 << bits) - 1) // step
            for length in (fits, fits + 1):
                yes = np.ones(length, np.bool_)
                parts.append(
                    Stimulus(
                        rst_n=yes,
                        valid=yes,
                        last=np.arange(length) == length - 1,
                        a_signed=~yes,
                        b_signed=yes & b_signed,
                        mode=np.full(length, 3),
                        a=np.full(length, 0xFF),
                        b=np.full(length, b),
                    )
                )
    stimulus = vectors.join(parts)
    assert wrong_sums(mac_sweep, stimulus) == 0
    sums = vectors.expected_sums(8, WIDTHS, stimulus, 32)[stimulus.last]
    assert sums[3] < 255 * 255, "past 2^32 it begins again at zero"
    assert sums[7] > (1 << 32) - 255 * 128, "past -2^32 it begins again at the top"


@pytest.mark.slow
def test_the_mac_costs_no_more_than_it_should() -> None:
    """A bound with some reserve, so that a slip in the RTL that synthesis must pay for shows."""
    counted = synthesise.resources(DESIGN)
    assert counted.other == {}
    assert counted.luts_and_srls <= 350
    assert counted.ff <= 460
