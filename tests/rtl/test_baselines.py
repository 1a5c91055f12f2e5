"""The rivals in simulation, all designs under one harness: operand pairs, random traffic, resets, dot products."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych import paths
from triptych.bitsys import simulate, vectors, verify
from triptych.bitsys.design import KINDS, Design, Kind, Unit, needed
from triptych.bitsys.simulate import Sweep
from triptych.bitsys.tools import RtlError

WIDTHS = {4: (1, 2, 4), 8: (1, 2, 4, 8), 16: (1, 2, 4, 8, 16)}
RIVALS: list[Kind] = [kind for kind in KINDS if kind != "bitsys"]
UNITS: tuple[Unit, ...] = ("mul", "mac")
WAIVERS = paths.rtl() / "lint" / "verilator.vlt"
CHECKED = ("-O1", "--assert", "-CFLAGS", "-O0", "--x-assign", "unique", "--x-initial", "unique")

every_kind = pytest.mark.parametrize("kind", KINDS)
every_rival = pytest.mark.parametrize("kind", RIVALS)
every_unit = pytest.mark.parametrize("unit", UNITS)


@pytest.mark.slow
@every_kind
@every_unit
def test_every_operand_pair_of_4_bits(kind: Kind, unit: Unit) -> None:
    verdict = verify.exhaustive(Sweep.of(Design(4, WIDTHS[4], kind=kind, unit=unit)))
    assert verdict.vectors == 13 * 256
    assert verdict.mismatches == 0, verdict.examples


@pytest.mark.slow
@every_rival
def test_every_operand_pair_of_8_bits_in_every_mode_and_sign_combination(kind: Kind) -> None:
    verdict = verify.exhaustive(Sweep.of(Design(8, WIDTHS[8], kind=kind)))
    assert verdict.vectors == 17 * 65536
    assert verdict.mismatches == 0, verdict.examples


@pytest.mark.slow
@every_kind
@pytest.mark.parametrize("n", WIDTHS)
def test_mode_and_signs_may_change_on_every_token(n: int, kind: Kind) -> None:
    for gaps in (0.0, 0.5):
        verdict = verify.scattered(Sweep.of(Design(n, WIDTHS[n], kind=kind)), cycles=20_000, seed=4 + n, gaps=gaps)
        assert verdict.mismatches == 0, verdict.examples


@pytest.mark.slow
@every_kind
@pytest.mark.parametrize("n", WIDTHS)
def test_dot_products_of_any_length_mode_and_signs(n: int, kind: Kind) -> None:
    sweep = Sweep.of(Design(n, WIDTHS[n], kind=kind, unit="mac"))
    for gaps, closing in ((0.0, 0.5), (0.3, 0.02)):
        verdict = verify.scattered(sweep, cycles=20_000, seed=9 + n, gaps=gaps, closing=closing)
        assert verdict.mismatches == 0, verdict.examples


@pytest.mark.slow
@every_rival
@every_unit
def test_reset_kills_what_is_in_flight_and_nothing_else(kind: Kind, unit: Unit) -> None:
    rng = np.random.default_rng(5)
    traffic = vectors.scattered(8, WIDTHS[8], 20_000, rng)
    stimulus = replace(traffic, rst_n=rng.random(len(traffic)) >= 0.02)
    sweep = Sweep.of(Design(8, WIDTHS[8], kind=kind, unit=unit))
    response, _, wrong = verify.judge(sweep, stimulus)
    assert not wrong.any()
    killed = stimulus.valid & ~vectors.survives(stimulus, response.latency, response.entered)
    assert killed.sum() > 500, "the test must have killed tokens"


@pytest.mark.slow
def test_the_serial_multiplier_takes_as_many_cycles_as_a_token_has_bits_and_no_more() -> None:
    """Back to back, each token enters as soon as the one before lets go of the adder."""
    design = Design(8, WIDTHS[8], kind="bitserial")
    stimulus = vectors.scattered(8, WIDTHS[8], 5000, np.random.default_rng(1), gaps=0)
    response = Sweep.of(design).answer(stimulus)
    assert response.entered is not None
    done = response.entered + response.latency
    intervals = np.array([design.interval(width) for width in WIDTHS[8]])[stimulus.mode]
    assert (np.diff(done) == intervals[1:]).all()


@pytest.mark.slow
@every_rival
@every_unit
def test_assertions_hold_in_traffic(kind: Kind, unit: Unit) -> None:
    """Valid, last and latency are asserted in the RTL itself; a failed assertion ends the simulation with an error."""
    sweep = Sweep.alone(Design(4, (1, 4), kind=kind, unit=unit), CHECKED)
    verdict = verify.scattered(sweep, cycles=3000, seed=2)
    assert verdict.mismatches == 0, verdict.examples


@pytest.mark.slow
@every_rival
@pytest.mark.parametrize(
    ("unit", "parameters", "words"),
    [
        ("mul", {"N": 5}, "N = 5 is not a container width"),
        ("mul", {"N": 8, "Widths": 1 << 3 | 1 << 8}, "Widths = 32'h108 must list powers of two up to N = 8"),
        ("mul", {"N": 8, "Widths": 0}, "Widths = 32'h0 must list powers of two up to N = 8"),
        ("mac", {"N": 8, "AccWidth": 15}, "AccWidth = 15 must be from 2 N = 16 to 64"),
    ],
)
def test_an_illegal_parameter_is_an_elaboration_error_that_prints_it(
    kind: Kind, unit: Unit, parameters: dict[str, int], words: str
) -> None:
    design = Design(kind=kind, unit=unit)
    with pytest.raises(RtlError) as failure:
        simulate.build(design.top, [*design.sources, WAIVERS], parameters)
    assert words in str(failure.value)


@pytest.mark.slow
@pytest.mark.parametrize("selector", ["mul_of_kind", "mac_of_kind"])
def test_an_unknown_kind_is_an_elaboration_error_that_prints_it(selector: str) -> None:
    sources = needed(selector, [paths.rtl() / "bitsys", paths.rtl() / "baselines"])
    with pytest.raises(RtlError, match="Kind = 5 is not one of baselines_pkg::kind_e"):
        simulate.build(selector, [*sources, WAIVERS], {"Kind": 5})
