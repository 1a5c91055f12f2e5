"""The table of designs: its arithmetic, its gaps, and one real row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from triptych.bitsys import activity, asic, measure, netlist, place, published, synthesise
from triptych.bitsys.design import Design
from triptych.bitsys.synthesise import Resources
from triptych.errors import ToolMissing

SMALL = Design(4, (1, 2, 4))


def resources(lut: int, srl: int, ff: int) -> Resources:
    return Resources(lut=lut, srl=srl, ff=ff, carry=1, mux=0, other={}, flow="", yosys="")


def made_up(**parts: object) -> measure.Measurement:
    path = place.CriticalPath(start="a", end="b", through=[], logic_ns=1, routing_ns=1)
    runs = [place.Run(seed=k, mhz=mhz, combs=40, ffs=50, path=path) for k, mhz in enumerate((210, 190, 200), 1)]
    toggles = [
        activity.Activity(
            netlist="x", width=width, a_signed=True, b_signed=True, tokens=10, cycles=10, seed=0, macs=4 // width,
            nets=9, registers=300, gates=100, tools={},
        )
        for width in (2, 4)
    ]  # fmt: skip
    whole: dict[str, object] = {
        "kind": "bitserial",
        "unit": "mul",
        "n": 4,
        "widths": (2, 4),
        "acc_width": 32,
        "latency": 6,
        "macs": {2: 2, 4: 1},
        "interval": {2: 2, 4: 4},
        "rtl": "x",
        "netlist": "x",
        "xcup": resources(15, 5, 30),
        "xcup_nosrl": resources(15, 0, 60),
        "ecp5": place.Placed(netlist="x", flow="", settings=[], tools={}, cells={}, runs=runs),
        "asic": None,
        "activity": toggles,
        "missing": {},
    }
    return measure.Measurement.model_validate({**whole, **parts})


def test_area_delay_is_luts_times_the_clock_period() -> None:
    assert measure.area_delay(200, 250) == 800  # 200 LUTs × 4 ns
    assert measure.area_delay(200, 250, interval=8) == 6400  # a result every eighth cycle


def test_throughput_counts_useful_multiplications_only() -> None:
    assert measure.throughput_per_lut(macs=8, interval=1, mhz=300, luts=200) == 12
    assert measure.throughput_per_lut(macs=1, interval=8, mhz=400, luts=50) == 1


def test_a_row_holds_what_was_measured() -> None:
    row = measure.table([made_up()]).iloc[0]
    assert (row["mhz"], row["mhz_lowest"], row["mhz_highest"]) == (200, 190, 210)
    assert (row["luts_and_srls"], row["ff"], row["ff_nosrl"]) == (20, 30, 60)
    assert row["area_delay"] == 400  # 20 LUTs × 5 ns × 4 cycles
    assert (row["macs_per_cycle_2"], row["macs_per_cycle_4"]) == (1, 0.25)
    assert (row["toggles_per_mac_2"], row["toggles_per_mac_4"]) == (20, 40)
    assert (row["mmacs_per_lut_2"], row["mmacs_per_lut_4"]) == (10, 2.5)
    assert pd.isna(row["asic_mhz"])


def test_what_was_not_measured_is_a_missing_value_not_a_number() -> None:
    other = made_up(ecp5=None, activity=[], widths=(4,), macs={4: 1}, interval={4: 1})
    frame = measure.table([made_up(), other])
    gaps = ["mhz", "area_delay", "ecp5_ff", "macs_per_cycle_2", "toggles_per_mac_2", "toggles_per_mac_4"]
    assert frame.loc[1, gaps].isna().all()
    assert frame.loc[1, "macs_per_cycle_4"] == 1


def test_without_the_optional_tools_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ToolMissing("not here")

    for module, name in ((place, "fmax"), (asic, "view"), (activity, "toggles")):
        monkeypatch.setattr(module, name, absent)
    monkeypatch.setattr(netlist, "digest", lambda design: "x")
    monkeypatch.setattr(measure.synthesise, "resources", lambda design, srl=True: resources(1, 2 * srl, 3))
    one = measure.of(SMALL)
    assert (one.ecp5, one.asic, one.activity) == (None, None, [])
    assert one.missing == dict.fromkeys(("ecp5", "asic", "activity"), "not here")
    assert one.xcup.luts_and_srls == 3


def test_a_record_is_shown_for_its_own_hardware_only(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = made_up()
    again = measure.Measurement.model_validate(json.loads(kept.model_dump_json()))
    assert again == kept
    monkeypatch.setattr(netlist, "digest", lambda design: "x" if design.unit == "mul" else "y")
    assert measure.known(SMALL, [again]) is again
    assert measure.known(replace(SMALL, unit="mac"), [again]) is None
    monkeypatch.setattr(netlist, "digest", lambda design: pytest.fail("the sources are the same: no need to map them"))
    mine = made_up(rtl=measure.source(SMALL))
    assert measure.known(SMALL, [again, mine]) is mine


def test_published_numbers_agree_with_what_is_said_of_them() -> None:
    assert published.RELEASED.luts_and_srls == 298
    assert published.RELEASED.median_mhz == 218
    assert published.RELEASED_MAC.median_mhz == 199
    assert published.PAPER.luts_and_srls is None
    assert published.PAPER.median_mhz is None
    assert all(one.mark == "S" and one.lut is None for one in published.PAPER_MACS)


@pytest.mark.slow
def test_a_real_row() -> None:
    one = measure.of(SMALL, seeds=(1,), tokens=640)
    row = measure.table([one]).iloc[0]
    assert row["ff_nosrl"] == row["ecp5_ff"], "neither has shift registers"
    assert row["latency"] == 9
    assert row[["mhz", "area_delay", "toggles_per_mac_1", "mmacs_per_lut_4"]].notna().all()
    assert measure.known(SMALL, [one]) is one


def test_multiplier_blocks_are_used_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def yosys(passes: list[str], folder: Path, design: Design) -> None:
        cells = {"DSP48E2": 1} if "-nodsp" not in passes[1] else {"LUT6": 60}
        stat = {"modules": {f"\\{design.top}": {"num_cells_by_type": cells}}}
        (folder / "stat.json").write_text(json.dumps(stat), "utf-8")

    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    monkeypatch.setattr(synthesise, "run", yosys)
    plain, blocks = synthesise.resources(SMALL), synthesise.resources(SMALL, dsp=True)
    assert (plain.lut, plain.dsp) == (60, 0)
    assert (blocks.lut, blocks.dsp) == (0, 1)
