"""What another project uses: the file list, the FuseSoC core, and the waveform that the README shows."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from triptych import paths
from triptych.bitsys import model, simulate, tools
from triptych.bitsys.design import Design, needed
from triptych.bitsys.vectors import Stimulus

RTL = paths.rtl()
FILES = {path.relative_to(RTL).as_posix() for path in (RTL / "bitsys").glob("*.sv")}


def listed() -> list[str]:
    lines = (RTL / "bitsys.f").read_text("utf-8").splitlines()
    return [line.removeprefix("rtl/") for line in lines if not line.startswith("//")]


def core() -> dict[str, Any]:
    text = (RTL / "bitsys.core").read_text("utf-8")
    assert text.splitlines()[0] == "CAPI=2:"
    return yaml.safe_load(text.split("\n", 1)[1])


def test_both_lists_name_every_file_once_and_the_package_first() -> None:
    files = core()["filesets"]["rtl"]["files"]
    assert listed() == files
    assert set(files) == FILES and len(files) == len(FILES)
    assert files[0] == "bitsys/bitsys_pkg.sv"


def test_the_core_names_what_exists() -> None:
    described = core()
    named = [file for fileset in described["filesets"].values() for file in fileset["files"]]
    assert all((RTL / file).is_file() for file in named)
    for target in described["targets"].values():
        assert set(target["filesets"]) <= described["filesets"].keys()
        assert f"bitsys/{target['toplevel']}.sv" in FILES
        assert set(target["parameters"]) == described["parameters"].keys() == Design(unit="mac").parameters.keys()
    defaults = {name: parameter["default"] for name, parameter in described["parameters"].items()}
    assert defaults == Design(unit="mac").parameters


@pytest.mark.parametrize("primitive", [0, 1])
@pytest.mark.parametrize("top", ["bitsys_mul", "bitsys_mac"])
def test_verilator_lints_the_file_list(top: str, primitive: int) -> None:
    found = tools.verilator()
    command = [found.folder / "verilator", "--lint-only", "-Wall", "--top-module", top, f"-GPrimitiveCells={primitive}"]
    done = subprocess.run(
        [*command, "rtl/lint/verilator.vlt", "rtl/sim/LUT6_2.sv", "-f", "rtl/bitsys.f"],
        env=found.settings(),
        cwd=RTL.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "%Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("path", sorted((RTL / "formal").glob("*_proof.sv")), ids=lambda path: path.stem)
def test_verilator_lints_the_claims(path: Path) -> None:
    found = tools.verilator()
    command = [found.folder / "verilator", "--lint-only", "-Wall", "--top-module", path.stem]
    sources = needed(path.stem, [RTL / "bitsys", RTL / "formal", RTL / "sim"])
    done = subprocess.run(
        [*command, RTL / "lint" / "verilator.vlt", *sources],
        env=found.settings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "%Warning" not in done.stderr, done.stderr


TOKENS = [  # width, a is signed, b is signed, a, b
    (8, True, True, 0x80, 0x7F),
    (1, True, True, 0xC5, 0x99),
    (4, False, True, 0xF3, 0x8F),
    (2, False, False, 0xE4, 0xFF),
    (8, False, False, 0xFF, 0xFF),
]


def waveform() -> str:
    """Tokens of five widths and signs on consecutive cycles, and what the hardware answered, cycle by cycle."""
    design = Design()
    rows = [*TOKENS, (8, False, False, 0, 0)]
    valid = np.arange(len(rows)) < len(TOKENS)
    width, a_signed, b_signed, a, b = (np.array(column) for column in zip(*rows, strict=True))
    mode = np.searchsorted(design.widths, width)
    yes = np.ones(len(rows), np.bool_)
    response = simulate.Sweep.of(design).answer(Stimulus(yes, valid, ~yes, a_signed, b_signed, mode, a, b))
    assert (response.valid == valid).all()
    span = range(len(rows))

    def line(name: str, values: list[str]) -> str:
        return f"{name:<10}" + " ".join(f"{value:>6}" for value in values)

    def show(values: Any, digits: int) -> list[str]:
        return [f"{int(values[t]):0{digits}x}" if valid[t] else "-" for t in span]

    signs = ["us"[int(a_signed[t])] + "us"[int(b_signed[t])] if valid[t] else "-" for t in span]
    lines = [
        line("cycle", [str(t) for t in span]),
        line("valid_i", [str(int(valid[t])) for t in span]),
        line("width", [str(width[t]) if valid[t] else "-" for t in span]),
        line("signs a b", signs),
        line("a_i", show(a, 2)),
        line("b_i", show(b, 2)),
        "",
        line("cycle", [str(t + design.latency) for t in span]),
        line("valid_o", [str(int(response.valid[t])) for t in span]),
        line("mode_o", show(response.mode, 1)),
        line("product_o", show(response.product, 4)),
    ]
    return "\n".join(lines)


@pytest.mark.slow
def test_the_waveform_in_the_readme_is_what_the_hardware_does() -> None:
    drawn = waveform()
    assert f"```\n{drawn}\n```" in (RTL / "README.md").read_text("utf-8"), drawn
    by_request = {(c.width, c.a_signed, c.b_signed): c for c in reversed(model.combinations(Design().widths))}
    products = [
        f"{int(model.products(np.array(a), np.array(b), 8, by_request[width, a_signed, b_signed])):04x}"
        for width, a_signed, b_signed, a, b in TOKENS
    ]
    assert drawn.splitlines()[-1].split()[1:-1] == products
