"""Speed-ups taken apart: factors multiply, and a table says which one is missing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from triptych.bitsys.accelerator import speed
from triptych.bitsys.accelerator.cycles import predict
from triptych.bitsys.accelerator.machine import DATAFLOWS, MULTIPLIERS, Machine
from triptych.bitsys.accelerator.program import assemble
from triptych.bitsys.networks import bandwidth, shapes, speedup
from triptych.errors import DataError

MIXES = ["8888", "1111", "8421", "1248"]
UNITS = {
    (dataflow, kind): speedup.Units(200.0 + 10 * i + 5 * j, (1.0,), 500 - 50 * i, "2 × 2")
    for i, kind in enumerate(MULTIPLIERS)
    for j, dataflow in enumerate(DATAFLOWS)
}
MHZ = {key: one.mhz for key, one in UNITS.items()}


@pytest.fixture(scope="module")
def table():
    return speedup.cycles_table(shapes.tfc(), MIXES, 4, 4, 3)


def test_cycles_are_those_of_programs(table):
    for row in table.itertuples():
        machine = Machine(row.dataflow, row.kind, 4, 4, port_bits=32 if row.dataflow == "systolic" else 128)
        program = assemble(machine, bandwidth.layers(shapes.tfc(), row.mix), (1, 1), 3)
        each = predict(machine, program.instructions)
        assert row.cycles == sum(one.total for one in each) / 3
        assert 0 < row.utilisation <= 1


def test_factors_multiply_in_either_order(table):
    for row in speedup.factors(table, MHZ).itertuples():
        assert math.isclose(row.multiplier * row.dataflow, row.cycles)
        assert math.isclose(row.multiplier_systolic * row.dataflow_fixed, row.cycles)
        assert math.isclose(row.speedup, row.cycles * MHZ["systolic", "bitsys"] / MHZ["single_layer", "fixed"])
    assert speedup.factors(table)["speedup"].isna().all(), "no clock, no speed-up"


def test_the_two_way_table_is_made_of_the_factors(table):
    wide = speedup.two_way(table, UNITS).set_index(["dataflow", "kind"])
    assert len(wide) == 8
    own = speedup.factors(table, MHZ).set_index("mix")
    mixed = own.loc[["8421", "1248"]]
    row = wide.loc[("systolic", "bitsys")]
    assert row["smallest"] == pytest.approx(mixed["speedup"].min())
    assert row["largest"] == pytest.approx(mixed["speedup"].max())
    assert row["ones"] == pytest.approx(own.loc["1111", "speedup"])
    assert wide.loc[("single_layer", "fixed"), ["smallest", "largest", "ones", "largest_area"]].eq(1).all()
    area = UNITS["systolic", "bitsys"].luts / UNITS["single_layer", "fixed"].luts
    assert row["largest_area"] == pytest.approx(row["largest"] / area)
    blank = speedup.two_way(table, {}).set_index(["dataflow", "kind"])
    assert blank["smallest"].isna().all()
    assert blank["cycles_smallest"].notna().all()


def test_missing_names_the_smallest_factor():
    rows = [
        {"mix": "a", "cycles": 1.0, "speedup": 0.9, "multiplier": 1.1, "dataflow": 1.0, "clock": 0.8},
        {"mix": "b", "cycles": 9.0, "speedup": 8.0, "multiplier": 1.1, "dataflow": 1.0, "clock": 0.8},
        {"mix": "c", "cycles": 0.3, "speedup": None, "multiplier": 1.2, "dataflow": 0.25, "clock": None},
    ]
    found = speedup.missing(pd.DataFrame(rows)).set_index("mix")
    assert list(found.index) == ["a", "c"]
    assert list(found["missing"]) == ["clock", "dataflow"]
    assert found.loc["c", "speedup"] == 0.3
    assert np.isnan(found.loc["c", "clock"])


def test_without_a_recorded_clock_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(speed, "recorded", list)
    assert speedup.recorded_units() == {}
    with pytest.raises(DataError, match="systolic bitsys, single_layer fixed"):
        speedup.against_paper(4)


def test_against_the_paper_is_the_worse_of_both_ends(monkeypatch):
    monkeypatch.setattr(speedup, "recorded_units", lambda: UNITS)
    table = speedup.cycles_table(shapes.tfc(), speedup.NAMED, 4, 4, 16)
    found = speedup.factors(table, MHZ)["speedup"]
    wanted = min(found.min() / 1.3185, found.max() / 3.5671)
    assert speedup.against_paper(4) == pytest.approx(wanted)
    assert len(speedup.NAMED) == 9
