"""Figures and tables of several designs: other people's rows keep their gaps, and a gap is never drawn as a number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.container import BarContainer

from triptych.bitsys import compare, published

ROW = {
    "unit": "mul", "n": 8, "widths": "1 8", "latency": 17, "lut": 90, "srl": 10, "luts_and_srls": 100, "ff": 150,
    "ff_nosrl": 200, "carry": 4, "mhz": 250.0, "mhz_lowest": 240.0, "mhz_highest": 260.0, "area_delay": 400.0,
    "mmacs_per_lut_1": 20.0, "mmacs_per_lut_8": 2.5, "mmacs_per_lut_16": np.nan,
}  # fmt: skip


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame([{**ROW, "kind": kind, "n": n} for n in (8, 16) for kind in ("bitsys", "fixed")])


def test_other_peoples_rows_stand_beside_ours_with_their_gaps(table: pd.DataFrame) -> None:
    beside = compare.with_published(table, [published.PAPER, published.RELEASED, *published.PAPER_MACS])
    by_name = beside.set_index("design")
    assert by_name.loc["paper, Table IV", ["lut", "ff", "mhz", "area_delay", "ff_nosrl"]].isna().all()
    released = by_name.loc["authors' released RTL"]
    assert (released["lut"], released["ff"], released["ff_nosrl"], released["mhz"]) == (298, 523, 523, 218)
    assert released["area_delay"] == pytest.approx(298 / 218 * 1000)
    assert by_name.loc["paper, MTree", "ff"] == 388
    assert np.isnan(by_name.loc["paper, MTree", "lut"])
    assert list(beside.loc[beside["source"] == "this project", "design"]) == ["BitSys", "fixed width"] * 2


def test_an_unknown_number_is_no_bar(table: pd.DataFrame) -> None:
    rows = compare.with_published(table[table["n"] == 8].reset_index(drop=True), [published.PAPER_MACS[0]])
    figure = compare.area(rows)
    (mac,) = [axis for axis in figure.axes if axis.get_title(loc="left").startswith("multiply-acc")]
    bars = [bar for one in mac.containers if isinstance(one, BarContainer) for bar in one]
    assert [bar.get_width() for bar in bars if not np.isnan(bar.get_width())] == [689]
    assert [text.get_text() for text in mac.texts] == ["689"]
    plt.close(figure)


def test_only_widths_that_somebody_has_are_drawn(table: pd.DataFrame) -> None:
    figure = compare.by_width(table[table["n"] == 8], "mmacs_per_lut", "label")
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "8"]
    assert {line.get_label() for line in axis.get_lines()} == {"BitSys", "fixed width"}
    plt.close(figure)


def test_growth_and_lists_of_widths_are_drawn(table: pd.DataFrame) -> None:
    growth = compare.against_n(table)
    assert len(growth.axes) == 4
    assert list(growth.axes[0].get_lines()[0].get_ydata()) == [100, 100]
    plt.close(growth)
    lists = compare.cost_of_widths(table[table["kind"] == "bitsys"])
    assert [axis.get_title(loc="left") for axis in lists.axes] == ["N = 8", "N = 16"]
    plt.close(lists)
