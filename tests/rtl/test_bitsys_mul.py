"""The multiplier in simulation: a cocotb test bench at N = 4 and 8, and the harness over every operand pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triptych import paths
from triptych.bitsys import simulate, vectors, verify
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError

WIDTHS = {4: (1, 2, 4), 8: (1, 2, 4, 8)}
WAIVERS = paths.rtl() / "lint" / "verilator.vlt"


@pytest.fixture(scope="session")
def sweep() -> simulate.Sweep:
    return simulate.Sweep.of(Design(8, WIDTHS[8]))


@pytest.mark.slow
@pytest.mark.parametrize("n", WIDTHS)
def test_the_cocotb_test_bench_passes_with_assertions_on(n: int, tmp_path: Path) -> None:
    design = Design(n, WIDTHS[n])
    sources = [*design.sources, WAIVERS, paths.rtl() / "sim" / "ports.vlt"]
    folder = simulate.build(design.top, sources, design.parameters, *simulate.CHECKED)
    env = {"TRIPTYCH_TB_N": str(n), "TRIPTYCH_TB_WIDTHS": ",".join(map(str, design.widths))}
    simulate.run(folder, design.top, "tb_bitsys_mul", tmp_path, env=env)


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
    traffic = vectors.scattered(8, WIDTHS[8], 50_000, rng)
    resets = rng.random(len(traffic)) < 0.02
    stimulus = vectors.Stimulus(**{**vars(traffic), "rst_n": ~resets})
    response = sweep.answer(stimulus)
    products = vectors.expected(8, WIDTHS[8], stimulus)
    assert not vectors.mismatches(stimulus, response, products).any()
    killed = stimulus.valid & ~vectors.survives(stimulus, response.latency)
    assert killed.sum() > 1000, "the test must have killed tokens"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"N": 5}, "N = 5 is not a container width"),
        ({"N": 8, "Widths": 1 << 3 | 1 << 8}, "Widths = 32'h108 must list powers of two up to N = 8"),
        ({"N": 4, "Widths": 1 << 8}, "Widths = 32'h100 must list powers of two up to N = 4"),
        ({"N": 8, "Widths": 0}, "Widths = 32'h0 must list powers of two up to N = 8"),
    ],
)
def test_an_illegal_parameter_is_an_elaboration_error_that_prints_it(parameters: dict[str, int], words: str) -> None:
    design = Design()
    with pytest.raises(RtlError) as failure:
        simulate.build(design.top, [*design.sources, WAIVERS], parameters)
    assert words in str(failure.value)
