"""The multiplier in simulation at full speed: the harness over every operand pair and long traffic."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.bitsys import simulate, vectors, verify
from triptych.bitsys.design import Design

WIDTHS = (1, 2, 4, 8)


@pytest.fixture(scope="session")
def sweep() -> simulate.Sweep:
    return simulate.Sweep.of(Design(8, WIDTHS))


@pytest.mark.slow
def test_every_operand_pair_in_every_mode_and_sign_combination_at_8_bits(sweep: simulate.Sweep) -> None:
    verdict = verify.exhaustive(sweep)
    assert verdict.vectors == 17 * 65536
    assert verdict.mismatches == 0, verdict.examples


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [0.0, 0.5])
def test_mode_and_signs_may_change_on_every_cycle(sweep: simulate.Sweep, gaps: float) -> None:
    verdict = verify.scattered(sweep, cycles=200_000, seed=11, gaps=gaps)
    assert verdict.mismatches == 0, verdict.examples


@pytest.mark.slow
def test_reset_kills_what_is_in_flight_and_nothing_else(sweep: simulate.Sweep) -> None:
    rng = np.random.default_rng(5)
    traffic = vectors.scattered(8, WIDTHS, 50_000, rng)
    resets = rng.random(len(traffic)) < 0.02
    stimulus = vectors.Stimulus(**{**vars(traffic), "rst_n": ~resets})
    response = sweep.answer(stimulus)
    products = vectors.expected(8, WIDTHS, stimulus)
    assert not vectors.mismatches(stimulus, response, products).any()
    killed = stimulus.valid & ~vectors.survives(stimulus, response.latency)
    assert killed.sum() > 1000, "the test must have killed tokens"
