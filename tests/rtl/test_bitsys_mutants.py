"""The check can fail: faults planted in the RTL, one at a time, are all found by the comparison that the RTL passes.

These are the faults written by hand, quick enough for every run; mutate.py makes hundreds by rule.
"""

from __future__ import annotations

from pathlib import Path

import mutation
import pytest
from mutants import FAULTS, MAC_ONLY, RTL, Comparison, compare, traffic, wrong

from triptych.bitsys.design import Design
from triptych.bitsys.vectors import Stimulus

DESIGNS = {"mul": Design(4, (1, 2, 4)), "mac": Design(4, (1, 2, 4), unit="mac", acc_width=12)}
CHOSEN = {
    "mul": [fault for fault in FAULTS if fault.file not in MAC_ONLY],
    "mac": [fault for fault in FAULTS if fault.file in MAC_ONLY],
}
SEED = 20260


@pytest.fixture(scope="session")
def stimulus() -> Stimulus:
    return traffic(4, 4000, SEED)


@pytest.fixture(scope="session")
def compared(stimulus: Stimulus) -> dict[str, Comparison]:
    """For the multiplier and for the multiply-accumulate unit, all its faults in one simulator."""
    return {
        unit: compare([design], [fault.copy() for fault in CHOSEN[unit]], stimulus) for unit, design in DESIGNS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("unit", DESIGNS)
def test_the_sound_copy_is_right(compared: dict[str, Comparison], stimulus: Stimulus, unit: str) -> None:
    assert wrong(DESIGNS[unit], stimulus, compared[unit].sound[0]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("unit", DESIGNS)
def test_every_fault_is_found(compared: dict[str, Comparison], unit: str) -> None:
    found = compared[unit].differs[0] > 0
    assert found.all(), [fault.name for fault, one in zip(CHOSEN[unit], found, strict=True) if not one]


def test_generated_mutants_are_many_distinct_and_the_same_every_time() -> None:
    once, again = mutation.generate(RTL), mutation.generate(RTL)
    assert once == again
    assert len({mutant.id for mutant in once}) == len(once) > 500
    assert {mutant.operator for mutant in once} == set(mutation.OPERATORS)
    assert {mutant.module for mutant in once} >= {path.stem.removeprefix("bitsys_") for path in RTL.glob("*.sv")} - {
        "lut"
    }
    texts = {path.stem: path.read_text("utf-8") for path in RTL.glob("*.sv")}
    for mutant in once:
        text = texts[f"bitsys_{mutant.module}"]
        assert mutant.apply(text) != text, mutant


def test_a_mutant_keeps_its_name_when_another_line_changes(tmp_path: Path) -> None:
    for path in RTL.glob("*.sv"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    before = {mutant.id for mutant in mutation.generate(tmp_path) if mutant.module == "adder"}
    adder = tmp_path / "bitsys_adder.sv"
    adder.write_text(
        adder.read_text("utf-8").replace("  logic [Width:0] carry;", "  // Carries.\n  logic [Width:0] carry;")
    )
    assert {mutant.id for mutant in mutation.generate(tmp_path) if mutant.module == "adder"} == before


def test_assertions_are_no_hardware_to_be_wrong() -> None:
    assert not [mutant for mutant in mutation.generate(RTL) if "$past" in mutant.old]
