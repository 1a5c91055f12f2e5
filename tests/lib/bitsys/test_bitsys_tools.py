"""Finding tools, keeping builds, counting cells, and the errors a user can run into."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from triptych import paths
from triptych.bitsys import builds, simulate, synthesise, tools, vectors
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError
from triptych.errors import ParameterError, ToolMissing


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _count_makes(tally: str) -> str:
    def make(folder: Path) -> None:
        with Path(tally).open("a", encoding="utf-8") as file:
            file.write("made\n")
        time.sleep(0.5)
        (folder / "thing").write_text("whole", "utf-8")

    return (builds.once("kind", "name", make) / "thing").read_text("utf-8")


def test_two_processes_that_want_one_build_make_it_once(cache: Path, tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_count_makes, [str(tally)] * 2, chunksize=1) == ["whole", "whole"]
    assert tally.read_text("utf-8") == "made\n"


def test_a_build_that_fails_leaves_nothing_and_can_be_tried_again(cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half", "utf-8")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        builds.once("kind", "name", fail)
    assert not list((cache / "bitsys" / "kind").glob("name.[!l]*"))
    assert builds.once("kind", "name", lambda folder: None).is_dir()


def test_the_key_follows_bytes_names_and_facts(tmp_path: Path) -> None:
    one, two = tmp_path / "one.sv", tmp_path / "two.sv"
    one.write_text("module one; endmodule\n", "utf-8")
    shutil.copy(one, two)
    keys = {builds.key([one], {"N": 8}), builds.key([two], {"N": 8}), builds.key([one], {"N": 4})}
    before = builds.key([one], {"N": 8})
    os.utime(one, (0, 0))
    assert builds.key([one], {"N": 8}) == before, "time does not matter"
    one.write_text("module one;  endmodule\n", "utf-8")
    assert len(keys | {builds.key([one], {"N": 8})}) == 4


def test_no_compiler_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tools.verilator.cache_clear()
    with pytest.raises(ToolMissing, match="needs g\\+\\+") as failure:
        tools.verilator()
    assert failure.value.hint and "make setup" in failure.value.hint
    monkeypatch.undo()
    tools.verilator.cache_clear()


def test_an_old_verilator_alone_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    old = tools.Verilator(Path("somewhere"), (5, 6))
    monkeypatch.setattr(tools, "_packaged", lambda: None)
    monkeypatch.setattr(tools, "_on_path", lambda: old)
    tools.verilator.cache_clear()
    with pytest.raises(ToolMissing, match=r"5\.036 or newer; found: 5\.006"):
        tools.verilator()
    monkeypatch.undo()
    tools.verilator.cache_clear()


def test_a_newer_verilator_of_the_user_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = tools.Verilator(Path("mine"), (99, 1))
    monkeypatch.setattr(tools, "_on_path", lambda: newer)
    tools.verilator.cache_clear()
    assert tools.verilator() is newer
    monkeypatch.undo()
    tools.verilator.cache_clear()


def test_no_pyosys_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesise.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match="pyosys"):
        synthesise.version()


def test_hexadecimal_lines_survive_the_round_trip() -> None:
    words = np.random.default_rng(0).integers(0, 1 << 40, 1000).astype(np.uint64)
    text = simulate._lines(words)
    assert text.splitlines()[0].decode() == f"{int(words[0]):010x}"
    assert (simulate._words(text) == words).all()
    with pytest.raises(RtlError):
        simulate._words(text[:-1])


def test_a_stimulus_that_does_not_fit_is_refused() -> None:
    sweep = simulate.Sweep(Design(), Path("never run"))
    with pytest.raises(ValueError, match="one run has room for"):
        sweep.answer(vectors.idle(simulate.MOST_CYCLES))


def test_every_cell_is_counted_once() -> None:
    counted = synthesise.count(
        {"LUT6": 5, "INV": 1, "FDRE": 3, "FDSE": 1, "SRL16E": 2, "CARRY4": 4, "DSP48E2": 1, "URAM288": 1}, "f", "0"
    )
    kinds = (counted.lut, counted.ff, counted.srl, counted.carry, counted.dsp)
    assert (*kinds, counted.other) == (6, 4, 2, 4, 1, {"URAM288": 1})


def test_an_illegal_design_is_refused_before_any_tool_runs() -> None:
    with pytest.raises(ParameterError):
        Design(8, (3, 8))
    with pytest.raises(ParameterError, match="15 bits does not fit N = 8") as failure:
        Design(unit="mac", acc_width=15)
    assert failure.value.hint == "choose from 16 to 64"


def test_sums_that_the_harness_cannot_write_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bits of a sum, not 40"):
        simulate.Sweep.of(Design(unit="mac", acc_width=40))


@pytest.mark.slow
def test_synthesis_counts_cells_and_shift_registers_save_flip_flops() -> None:
    design = Design(4, (1, 2, 4))
    with_srl, without = synthesise.resources(design), synthesise.resources(design, srl=False)
    assert with_srl.srl > 0 == without.srl
    assert with_srl.ff < without.ff
    assert with_srl.other == without.other == {}


@pytest.mark.slow
def test_yosys_errors_are_shown_and_do_not_end_this_process(tmp_path: Path, cache: Path) -> None:
    for path in (paths.rtl() / "bitsys").glob("*.sv"):
        shutil.copy(path, tmp_path)
    broken = tmp_path / "bitsys_adder.sv"
    broken.write_text(broken.read_text("utf-8").replace("endmodule", "nonsense endmodule"), "utf-8")
    with pytest.raises(RtlError, match="yosys refused bitsys_mul") as failure:
        synthesise.resources(Design(rtl=tmp_path))
    assert "bitsys_adder.sv" in str(failure.value)
