"""The comparison that the accelerators pass can fail: faults planted in their RTL, one at a time, are all found.

These are a few written by hand, quick enough for every run; mutate.py makes hundreds by rule.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import accelerator_mutants
import mutation
import pytest
from mutants import Copy

FAULTS = tomllib.loads(Path(__file__).with_name("accelerator_faults.toml").read_text("utf-8"))["fault"]


def planted(fault: dict[str, str]) -> Copy:
    text = (accelerator_mutants.RTL / f"{fault['file']}.sv").read_text("utf-8")
    assert text.count(fault["old"]) == 1, fault["name"]
    return Copy(fault["file"], text.replace(fault["old"], fault["new"]))


@pytest.mark.slow
def test_every_fault_is_found_and_the_sound_copy_is_right() -> None:
    machine = accelerator_mutants.MACHINES[0]
    fates = accelerator_mutants.found_by(
        machine, [planted(fault) for fault in FAULTS], accelerator_mutants.work(machine, 6)
    )
    found = dict(zip([fault["name"] for fault in FAULTS], fates, strict=True))
    assert set(found.values()) <= {"sums", "counters", "cycles"}, found


def test_generated_mutants_of_the_accelerators_are_many_distinct_and_the_same_every_time() -> None:
    once, again = mutation.generate(accelerator_mutants.RTL), mutation.generate(accelerator_mutants.RTL)
    assert once == again
    assert len({mutant.id for mutant in once}) == len(once) > 1000
    assert {mutant.module for mutant in once} == {path.stem for path in accelerator_mutants.RTL.glob("*.sv")}
