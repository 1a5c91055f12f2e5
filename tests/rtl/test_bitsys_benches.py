"""The cocotb test benches of both units: they pass, and what they showed the design is all that the plan asks for.

The coverage plan is rtl/COVERAGE.md; the explanations of holes in code coverage stand in coverage_holes.toml.
"""

from __future__ import annotations

import json
from pathlib import Path

import coverage_code
import coverage_model
import mutate
import numpy as np
import pytest
from benches import WIDTHS, Bench, code, functional
from coverage_code import Hole, Point
from mutants import compare, label, traffic, wrong
from tb_bitsys import Device

from triptych import paths
from triptych.bitsys.design import KINDS, Design, Kind, Unit
from triptych.bitsys.vectors import Stimulus

# Two bits more than a product: few tokens reach both ends of the accumulator.
UNITS: tuple[Unit, ...] = ("mul", "mac")
COUNTED = [Bench(Design(n, WIDTHS[n], unit=unit, acc_width=2 * n + 2), counters=True) for n in (4, 8) for unit in UNITS]


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each test bench leaves its traces and counts."""
    return tmp_path_factory.mktemp("benches")


def ran(bench: Bench, scratch: Path) -> Path:
    """The folder of a test bench that has run."""
    folder = scratch / bench.design.top / str(bench.design.n)
    if not folder.exists():
        bench.run_all(folder)
    return folder


def name(bench: Bench) -> str:
    return f"{bench.design.top} N = {bench.design.n}"


@pytest.mark.slow
@pytest.mark.parametrize("bench", COUNTED, ids=name)
def test_the_bench_passes_and_covers_every_bin_and_all_code_but_explained_holes(bench: Bench, scratch: Path) -> None:
    folder = ran(bench, scratch)
    covered = functional(bench.device, folder)
    counted = coverage_code.judge(code(folder), coverage_code.plan())
    report = {
        "design": name(bench),
        "functional": coverage_model.report(covered),
        "code": {"points": counted.points, "hit": counted.hit, "explained": counted.points - counted.hit},
    }
    out = paths.build() / "coverage" / f"{bench.design.top}-{bench.design.n}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1), "utf-8")
    assert {point: one.missing for point, one in covered.items() if one.missing} == {}
    assert not counted.unexplained, [str(point) for point in counted.unexplained]


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bitsys"])
def test_the_rivals_pass_the_same_bench_and_see_every_bin(kind: Kind, unit: Unit, scratch: Path) -> None:
    bench = Bench(Design(4, WIDTHS[4], unit=unit, acc_width=10, kind=kind))
    covered = functional(bench.device, ran(bench, scratch))
    assert {point: one.missing for point, one in covered.items() if one.missing} == {}


@pytest.mark.slow
def test_no_explanation_of_a_hole_is_idle(scratch: Path) -> None:
    points = [code(ran(bench, scratch)) for bench in COUNTED if bench.design.n == 4]
    judged = [coverage_code.judge(one, coverage_code.plan()) for one in points]
    idle = set(judged[0].idle).intersection(*(one.idle for one in judged[1:]))
    assert not idle, [hole.because for hole in idle]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dropped", "point"),
    [
        ("transitions", "transition"),
        ("reset_in_traffic", "reset"),
        ("codes_beyond_the_list", "code"),
        ("accumulator_at_its_extremes", "extreme"),
    ],
)
def test_without_one_class_of_stimuli_coverage_falls_short(scratch: Path, dropped: str, point: str) -> None:
    bench = next(bench for bench in COUNTED if bench.design.unit == "mac")
    assert functional(bench.device, ran(bench, scratch), without=dropped)[point].missing


@pytest.mark.slow
@pytest.mark.parametrize("designs", [mutate.OTHER_LISTS, mutate.OTHER_SIZES], ids=["N = 4", "N = 8"])
def test_the_other_lists_of_widths_and_cells_of_primitives_are_right_too(designs: list[Design]) -> None:
    """Trees of other depths, with levels that always add; one width alone; every mode code, listed or not."""
    stimulus = traffic(designs[0].n, 4000, mutate.SEED)
    answers = compare(designs, [], stimulus).sound
    assert {label(one): wrong(one, stimulus, answer) for one, answer in zip(designs, answers, strict=True)} == {
        label(one): 0 for one in designs
    }


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_random_traffic_with_gaps_and_resets_at_16_bits(unit: Unit) -> None:
    design = Design(16, WIDTHS[16], unit=unit, acc_width=40)
    stimulus = traffic(16, 20000, mutate.SEED)
    assert wrong(design, stimulus, compare([design], [], stimulus).sound[0]) == 0


DEVICE = Device("bitsys", "mul", 4, (1, 2, 4), (9, 9, 9), (1, 1, 1))


def trace(*tokens: tuple[int, int, int, int]) -> Stimulus:
    """Tokens (valid, mode, a, b) without signs, one a cycle."""
    valid, mode, a, b = np.array(tokens).T
    no = np.zeros(len(tokens), np.bool_)
    return Stimulus(~no, valid > 0, no, no, no, mode, a, b)


def test_a_bin_is_what_was_seen_at_the_ports() -> None:
    seen = coverage_model.measure(DEVICE, [trace((1, 2, 0, 15), (0, 1, 3, 3), (1, 1, 15, 10), (1, 0, 15, 0))])
    assert set(seen["transition"].hits) == {
        (4, 0, 0, "gap", 2, 0, 0, "all ones", "most negative"),
        (2, 0, 0, "no gap", 1, 0, 0, "all ones", "zero"),
    }
    assert (4, 0, 0, 0, "zero", "all ones") in seen["channel"].hits
    assert seen["reset"].percent == 0


def test_a_reset_hits_tokens_by_age_and_ends_the_transition() -> None:
    tokens = trace((1, 2, 0, 0), (1, 2, 0, 0), (0, 0, 0, 0), (1, 1, 0, 0))
    resets = np.array([False, False, True, False])
    seen = coverage_model.measure(DEVICE, [Stimulus(**{**vars(tokens), "rst_n": ~resets})])
    assert set(seen["reset"].hits) == {(1, False), (2, False)}
    assert len(seen["transition"].hits) == 1, "only the one before the reset"


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
def test_corners_are_distinct_and_fit(width: int) -> None:
    values = coverage_model.corners(width).values()
    assert len(set(values)) == len(values) == {1: 2, 2: 4}.get(width, 7)
    assert all(0 <= value < 1 << width for value in values)


LINE = (
    "C '\x01f\x02x.sv\x01l\x0210\x01t\x02toggle\x01page\x02v_toggle/adder__W2\x01o\x02x_i[0]:0->1\x01h\x02top.u' {}\n"
)
HEAD = "# SystemC::Coverage-3\n"


def test_points_of_equal_modules_are_added() -> None:
    assert coverage_code.parse(HEAD + LINE.format(3) + LINE.format(4)) == {
        Point("toggle", "adder__W2", 10, "x_i[0]:0->1"): 7
    }


@pytest.mark.parametrize("text", ["", "C 'x' 1\n", HEAD + "rubbish\n", HEAD + "C '\x01l\x0210' 1\n"])
def test_what_is_no_coverage_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="coverage"):
        coverage_code.parse(text)


def test_an_unexplained_hole_and_an_idle_explanation_are_told() -> None:
    hit, hole = Point("line", "a", 1, "block"), Point("toggle", "a", 2, "x:0->1")
    right, idle = (
        coverage_code.plan([{"kinds": ["toggle"], "module": "a", "what": what, "because": "it is so"}])[0]
        for what in ("x:.*", "y:.*")
    )
    assert coverage_code.judge({hit: 1, hole: 0}, [right]).unexplained == []
    judged = coverage_code.judge({hit: 1, hole: 0}, [idle])
    assert (judged.unexplained, judged.idle, judged.hit) == ([hole], [idle], 1)
    assert isinstance(idle, Hole)
