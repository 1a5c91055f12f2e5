"""What must be refused is refused with its value, and what cannot be refused (a mode code) is reported and defined."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from triptych import paths
from triptych.bitsys import simulate, synthesise, tools
from triptych.bitsys.design import Design, needed
from triptych.bitsys.tools import RtlError

WAIVERS = paths.rtl() / "lint" / "verilator.vlt"
BITSYS = paths.rtl() / "bitsys"

UNITS = ("bitsys_mul", "bitsys_mac", "bitsys_reduce")

CONTAINERS = [({"N": n}, f"N = {n} is not a container width; choose 4, 8 or 16") for n in (3, 5, 12, 32, 64)]
WIDTHS = [
    ({"N": 8, "Widths": 1 << 3 | 1 << 8}, "Widths = 32'h108 must list powers of two up to N = 8"),
    ({"N": 8, "Widths": 1 << 0 | 1 << 8}, "Widths = 32'h101 must list powers of two up to N = 8"),
    ({"N": 4, "Widths": 1 << 8}, "Widths = 32'h100 must list powers of two up to N = 4"),
    ({"N": 8, "Widths": 1 << 16 | 1 << 8}, "Widths = 32'h10100 must list powers of two up to N = 8"),
    ({"N": 8, "Widths": 0}, "Widths = 32'h0 must list powers of two up to N = 8"),
]
ACCUMULATORS = [
    ("bitsys_mac", {"N": 8, "AccWidth": 15}, "AccWidth = 15 must be from 2 N = 16 to 64"),
    ("bitsys_mac", {"N": 4, "Widths": 0x16, "AccWidth": 65}, "AccWidth = 65 must be from 2 N = 8 to 64"),
    ("bitsys_acc", {"ValueWidth": 16, "AccWidth": 15}, "AccWidth = 15 must be from ValueWidth = 16 to 64"),
    ("bitsys_acc", {"ValueWidth": 16, "AccWidth": 65}, "AccWidth = 65 must be from ValueWidth = 16 to 64"),
]
ILLEGAL = [(top, *case) for top in UNITS for case in [*CONTAINERS, *WIDTHS]] + ACCUMULATORS
ILLEGAL += [("bitsys_mul", {"N": 0}, "N = 0 is not a container width; choose 4, 8 or 16")]


@pytest.mark.parametrize(("top", "parameters", "words"), ILLEGAL, ids=lambda value: str(value))
def test_an_illegal_parameter_is_an_elaboration_error_that_prints_it(
    top: str, parameters: dict[str, int], words: str
) -> None:
    found = tools.verilator()
    settings = [f"-G{name}={value}" for name, value in parameters.items()]
    done = subprocess.run(
        [found.folder / "verilator", "--lint-only", "--top-module", top, *settings, WAIVERS, *needed(top, [BITSYS])],
        env=found.settings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize("parameters", [{"N": 5}, {"N": 8, "Widths": 0}], ids=str)
def test_synthesis_refuses_it_too(parameters: dict[str, int], tmp_path: Path) -> None:
    command = synthesise.read("bitsys_mul", parameters, needed("bitsys_mul", [BITSYS]))
    with pytest.raises(RtlError) as failure:
        synthesise.yosys([command], tmp_path, "bitsys_mul")
    assert "bitsys_mul: " in str(failure.value) and str(next(iter(parameters.values()))) in str(failure.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "design",
    [Design(4, (1, 2, 4)), Design(4, (1, 2, 4), unit="mac", acc_width=11)],
    ids=lambda design: design.unit,
)
def test_a_mode_code_beyond_the_list_is_reported_and_acts_as_the_widest(design: Design, tmp_path: Path) -> None:
    ports = paths.rtl() / "sim" / ("ports.vlt" if design.unit == "mul" else "mac_ports.vlt")
    folder = simulate.build(design.top, [*design.sources, WAIVERS, ports], design.parameters, *simulate.CHECKED)
    env = {
        "TRIPTYCH_TB_N": str(design.n),
        "TRIPTYCH_TB_WIDTHS": ",".join(map(str, design.widths)),
        "TRIPTYCH_TB_LATENCY": str(design.latency),
        "TRIPTYCH_TB_UNIT": design.unit,
    }
    go_on = ["+verilator+error+limit+1000"]  # else the first failed assertion ends the simulation
    with pytest.raises(RtlError):  # an assertion that failed is an error even when the test bench found nothing
        simulate.run(folder, design.top, "tb_bitsys_illegal_mode", tmp_path, plusargs=go_on, env=env)
    said = (tmp_path / "simulation.log").read_text("utf-8")
    assert "TESTS=1 PASS=1 FAIL=0" in said, "the test bench saw it act as the widest"
    assert said.count("bitsys_mul: mode 3 of 3 listed widths; treated as the widest") == 50, "one for each such token"
    assert said.count("Assertion failed") == 50, "and no other assertion"


@pytest.mark.slow
def test_the_first_such_code_ends_a_simulation_that_does_not_ask_for_more(tmp_path: Path) -> None:
    design = Design(4, (1, 2, 4))
    sources = [*design.sources, WAIVERS, paths.rtl() / "sim" / "ports.vlt"]
    folder = simulate.build(design.top, sources, design.parameters, *simulate.CHECKED)
    env = {"TRIPTYCH_TB_N": "4", "TRIPTYCH_TB_WIDTHS": "1,2,4", "TRIPTYCH_TB_LATENCY": "9", "TRIPTYCH_TB_UNIT": "mul"}
    with pytest.raises(RtlError, match="mode 3 of 3 listed widths"):
        simulate.run(folder, design.top, "tb_bitsys_illegal_mode", tmp_path, env=env)
