"""The gates of a unit as C++: every gate's meaning, the order of statements, and what is refused."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from triptych.bitsys.accelerator import lanes
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.netlist import Bit, Cell, Module
from triptych.bitsys.tools import RtlError

INPUTS = ("rst_ni", "valid_i", "last_i", "mode_i", "a_signed_i", "b_signed_i", "a_i", "b_i")
OUTPUTS = ("valid_o", "mode_o", "a_signed_o", "b_signed_o", "sum_o")


def cell(kind: str, **pins: Bit) -> Cell:
    ends = {pin: "output" if pin in "YQ" else "input" for pin in pins}
    return Cell(type=kind, parameters={}, port_directions=ends, connections={pin: [bit] for pin, bit in pins.items()})


def unit(cells: list[Cell], outputs: dict[str, Bit]) -> Module:
    """Inputs are nets 1 to 8 in the order of INPUTS; outputs not given are constant."""
    ports: dict[str, Any] = {name: {"direction": "input", "bits": [1 + i]} for i, name in enumerate(INPUTS)}
    ports |= {name: {"direction": "output", "bits": [outputs.get(name, "0")]} for name in OUTPUTS}
    return Module.model_validate({"ports": ports, "cells": {str(i): one.model_dump() for i, one in enumerate(cells)}})


def function(text: str, name: str) -> str:
    return re.search(rf"void {name}\(.*?\n}}", text, re.S)[0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "truth"),
    [
        ("AND", lambda a, b, s: a & b),
        ("NAND", lambda a, b, s: 1 - (a & b)),
        ("OR", lambda a, b, s: a | b),
        ("NOR", lambda a, b, s: 1 - (a | b)),
        ("XOR", lambda a, b, s: a ^ b),
        ("XNOR", lambda a, b, s: 1 - (a ^ b)),
        ("ANDNOT", lambda a, b, s: a & (1 - b)),
        ("ORNOT", lambda a, b, s: a | (1 - b)),
        ("MUX", lambda a, b, s: b if s else a),
        ("NOT", lambda a, b, s: 1 - a),
        ("BUF", lambda a, b, s: a),
    ],
)
def test_a_gate_means_what_yosys_says(kind: str, truth: Any) -> None:
    formula = lanes._GATES[f"$_{kind}_"]  # pyright: ignore[reportPrivateUsage]
    for a, b, s in itertools.product((0, 1), repeat=3):
        assert eval(formula.format(A="a", B="b", S="s"), {"a": a, "b": b, "s": s}) & 1 == truth(a, b, s)


def test_a_gate_stands_after_what_it_needs_and_once() -> None:
    cells = [
        cell("$_DFF_P_", C=99, D=12, Q=20),
        cell("$_DFF_P_", C=99, D=20, Q=21),
        cell("$_DFF_P_", C=99, D=12, Q=22),
        cell("$_AND_", A=11, B=1, Y=12),
        cell("$_XOR_", A=7, B=8, Y=11),
    ]
    text = lanes.translate(unit(cells, {"valid_o": 21}), "it")
    lines = [line.strip() for line in function(text, "step").splitlines()]
    gates = [line for line in lines if line.startswith("const Word w")]
    assert [line.split()[2] for line in gates] == ["w11", "w12"]
    assert "n[0] = w12;" in lines and "n[1] = s[0];" in lines and "n[2] = w12;" in lines
    assert "out[0] = s[0];" in function(text, "answer")


def test_reset_may_act_in_the_very_cycle() -> None:
    cells = [
        cell("$_DFF_P_", C=99, D=2, Q=20),
        cell("$_AND_", A=20, B=1, Y=12),
        cell("$_DFF_P_", C=99, D=12, Q=21),
    ]
    assert "s[0] & reset" in function(lanes.translate(unit(cells, {"valid_o": 21}), "it"), "answer")


def test_an_output_that_takes_an_input_in_the_very_cycle_is_refused() -> None:
    cells = [cell("$_AND_", A=2, B=1, Y=12), cell("$_DFF_P_", C=99, D=12, Q=21)]
    with pytest.raises(RtlError, match="it: an output follows from an input of the very cycle"):
        lanes.translate(unit(cells, {"valid_o": 21}), "it")


def test_an_output_that_is_no_register_is_refused() -> None:
    with pytest.raises(RtlError, match="it: sum_o does not come straight from a register"):
        lanes.translate(unit([cell("$_AND_", A=2, B=1, Y=12)], {"sum_o": 12}), "it")


def test_a_cell_without_cpp_is_refused() -> None:
    with pytest.raises(RtlError, match=r"it has a cell \$_DLATCH_P_"):
        lanes.translate(unit([cell("$_DLATCH_P_", E=1, D=2, Q=20)], {}), "it")


@pytest.mark.slow
def test_the_registers_of_a_unit_are_those_of_its_rtl() -> None:
    """A multiplier of one width has fewer, and the header says how many of everything there are."""
    text = lanes.header(Machine("systolic", "fixed", rows=1, columns=2, port_bits=16))
    numbers = {key: int(value) for key, value in re.findall(r"constexpr unsigned (\w+) = (\d+);", text)}
    assert (numbers["kInputs"], numbers["kOutputs"], numbers["kModeBits"]) == (1 + 8 + 8 + 4 + 2, 1 + 2 + 2 + 32, 2)
    assert len(re.findall(r"^  n\[\d+\] = ", text, re.M)) == numbers["kRegisters"]
    assert len(re.findall(r"^  out\[\d+\] = ", text, re.M)) == numbers["kOutputs"]
