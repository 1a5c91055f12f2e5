"""The figures of inference and judges put the numbers of their tables on the axes, each at its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from triptych.legal_rag import draw_inference, judge_draw, taxonomy
from triptych.legal_rag.judge_error import Checked


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def bars(panel: Axes, axis: int = 1) -> list[tuple[float, float, float]]:
    """Middle, low and high of every error bar, in the order drawn; `axis` 0: bars that run along x."""
    found: list[tuple[float, float, float]] = []
    for container in panel.containers:
        if isinstance(container, ErrorbarContainer):
            line, _, (segments,) = container.lines
            for middle, segment in zip(line.get_xydata(), segments.get_segments(), strict=True):
                if np.isnan(middle[axis]):  # a row that is missing has no bar
                    continue
                found.append((float(middle[axis]), float(segment[0, axis]), float(segment[1, axis])))
    return found


def ticks(panel: Axes, axis: str = "y") -> list[str]:
    labels = panel.get_yticklabels() if axis == "y" else panel.get_xticklabels()
    return [label.get_text() for label in labels]


def test_rates_stand_beside_one_another() -> None:
    rows = [
        {"source": source, "measure": measure, "retriever": r, "generator": g, "share": s, "low": s - 0.1, "high": 0.9}
        for source, base in (("paper", 0.7), ("ours", 0.2))
        for measure, add in (("correct", 0.0), ("grounded", 0.1), ("retrieved", 0.05))
        for r, g, s in (("x", "one", base + add), ("y", "one", base + add + 0.02))
    ]
    figure = draw_inference.beside(pd.DataFrame(rows))
    assert [panel.get_title("left") for panel in figure.axes[:3]] == ["paper: correct", "grounded", "retrieved"]
    middles = [[middle for middle, *_ in bars(panel)] for panel in figure.axes]
    assert middles == [
        pytest.approx(v) for v in ([0.7, 0.72], [0.8, 0.82], [0.75, 0.77], [0.2, 0.22], [0.3, 0.32], [0.25, 0.27])
    ]
    assert bars(figure.axes[3])[0] == pytest.approx((0.2, 0.1, 0.9))
    assert ticks(figure.axes[0], "x") == ["x", "y"]


def test_a_forest_is_in_points_and_hollow_without_an_interval() -> None:
    rows = pd.DataFrame(
        {
            "block": ["theirs", "ours", "ours"],
            "label": ["a − b", "c − d", "e − f"],
            "difference": [-0.09, 0.1, -0.02],
            "low": [np.nan, 0.05, -0.3],
            "high": [np.nan, 0.2, 0.1],
        }
    )
    theirs, ours = draw_inference.forest(rows).axes
    assert bars(theirs) == []
    (point,) = [line for line in theirs.lines if line.get_marker() == "D"]
    assert (list(point.get_xdata()), list(point.get_ydata())) == ([-9], [0])
    assert bars(ours, 0) == [pytest.approx((10, 5, 20)), pytest.approx((-2, -30, 10))]
    assert ticks(ours) == ["c − d", "e − f"]
    assert theirs.get_xlim() == ours.get_xlim()


def test_variants_keep_their_rows_where_one_is_missing() -> None:
    rows = [
        {"measure": measure, "variant": variant, "effect": "retriever", "p": p}
        for measure, variant, p in (
            ("correct", "first", 0.2), ("correct", "second", 1e-12), ("correct", "third", 0.5),
            ("grounded", "third", 0.01),
        )
    ]  # fmt: skip
    (panel,) = draw_inference.variants(pd.DataFrame(rows), {("grounded", "retriever"): 0.03}).axes
    assert ticks(panel) == ["first", "second", "third"]
    lines = {line.get_label(): line for line in panel.lines}
    assert lines["ours, correct"].get_xdata().tolist() == [0.2, 1e-6, 0.5]  # clipped where the axis ends
    grounded = lines["ours, grounded"].get_xdata()
    assert np.isnan(grounded[:2]).all()
    assert grounded[2] == 0.01
    assert lines["paper, grounded"].get_xdata() == pytest.approx([0.03, 0.03])
    assert "paper, correct" not in lines


def test_kinds_of_error_are_stacked_to_all_runs() -> None:
    counts = {"correct": 3, "hallucination": 5, "retrieval error": 0, "reasoning error": 2, taxonomy.UNPARSED: 1}
    rows = [
        {"order": order, "retriever": "x", "generator": "one", "kind": kind, "runs": counts[kind]}
        for order in ("a → b", "b → a")
        for kind in counts
    ]
    figure = draw_inference.orders(pd.DataFrame(rows), ["b → a"])
    (panel,) = figure.axes
    drawn = [(bar.get_x(), bar.get_width()) for container in panel.containers for bar in container]
    wanted = [counts[kind] for kind in taxonomy.KINDS]
    assert [width for _, width in drawn] == wanted
    assert [left for left, _ in drawn] == [0, *np.cumsum(wanted)[:-1]]
    assert ticks(panel) == ["x × one"]


def test_hallucination_is_drawn_given_hit_miss_and_oracle() -> None:
    rows = [
        {"generator": g, "given": given, "share": share, "low": share / 2, "high": share + 0.1, "n": n}
        for g, given, share, n in (("one", "hit", 0.2, 30), ("one", "miss", 0.6, 12), ("two", "miss", 0.4, 9))
    ]
    (panel,) = draw_inference.conditional(pd.DataFrame(rows)).axes
    assert bars(panel) == [pytest.approx(v) for v in ((0.2, 0.1, 0.3), (0.6, 0.3, 0.7), (0.4, 0.2, 0.5))]
    assert [text.get_text() for text in panel.texts] == ["30", "12", "9"]
    assert ticks(panel, "x") == ["given hit", "given miss"]


def test_a_corrected_difference_is_in_points_by_quality() -> None:
    rows = [
        {"quality": q, "items": n, "difference": d, "low": d - 0.1, "high": d + 0.3}
        for q, n, d in ((1.0, 0, 0.1), (0.9, 100, 0.12), (0.98, 100, 0.11))
    ]
    (panel,) = draw_inference.judged(pd.DataFrame(rows)).axes
    assert bars(panel) == [pytest.approx(v) for v in ((10, 0, 40), (11, 1, 41), (12, 2, 42))]  # best quality first
    assert ticks(panel, "x") == ["1", "0.98", "0.9"]


def validity(**shares: float) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for judge, share in shares.items():
        for measure, kind in (("sensitivity", "all"), ("sensitivity", "flipped"), ("specificity", "all")):
            own = share - 0.2 * (kind == "flipped")
            rows.append({"judge": judge, "split": "dev", "measure": measure, "kind": kind, "share": own})
    return pd.DataFrame(rows).assign(low=lambda t: t["share"] - 0.1, high=lambda t: t["share"] + 0.05)


def test_validity_puts_each_kind_on_its_own_line() -> None:
    (panel,) = judge_draw.validity(validity(rubric=0.9, other=0.6)).axes
    assert ticks(panel) == ["all to object to", "flipped", "all to accept"]
    drawn = bars(panel, 0)
    assert drawn[:3] == [pytest.approx(v) for v in ((0.9, 0.8, 0.95), (0.7, 0.6, 0.75), (0.9, 0.8, 0.95))]
    assert [round(middle, 6) for middle, *_ in drawn[3:]] == [0.6, 0.4, 0.6]
    heights = [float(container.lines[0].get_ydata()[0]) for container in panel.containers]
    assert [round(height) for height in heights] == [0, 1, 2, 0, 1, 2]


def test_probes_are_shares_of_what_was_changed() -> None:
    rows = [
        {"judge": "j", "probe": probe, "flag": flag, "n": n, "to_better": better, "to_worse": worse}
        for probe, flag, n, better, worse in (
            ("reversed", "correct", 0, 0, 0), ("reversed", "grounded", 0, 0, 0),
            ("padded", "correct", 20, 4, 1), ("padded", "grounded", 20, 0, 10),
        )
    ]  # fmt: skip
    (panel,) = judge_draw.probes(pd.DataFrame(rows)).axes
    assert ticks(panel) == ["reversed (n = 0)", "padded (n = 20)"]
    drawn = [[bar.get_width() for bar in container] for container in panel.containers]
    assert drawn == [[0, 0.2], [0, -0.05], [0, 0], [0, -0.5]]


ARMS = pd.DataFrame(
    {
        "arm": ["a", "b"],
        "n": [88, 88],
        "judged": [0.1, 0.5],
        "value": [0.0, 0.45],
        "low": [0.0, 0.3],
        "high": [0.05, 0.6],
    }
)


def test_rates_are_drawn_as_judged_and_corrected_with_the_errors_of_their_own_judge() -> None:
    curves = {"other": (Checked(50, 100), Checked(99, 100)), "ours": (Checked(90, 100), Checked(80, 100))}
    left, right = judge_draw.rates(ARMS, curves, "ours").axes
    lines = {line.get_label(): line for line in left.lines}
    assert lines["ours"].get_ydata()[[0, -1]] == pytest.approx([0.2, 0.9])  # all wrong, all right
    assert lines["other"].get_ydata()[[0, -1]] == pytest.approx([0.01, 0.5])
    found = {str(c.get_label()): c for c in right.containers}
    assert list(found["calibration does not hold"].lines[0].get_xdata()) == [0.0]  # judged 0.1, below 0.2
    assert list(found["corrected"].lines[0].get_xdata()) == [0.45]
    assert bars(right, 0) == [pytest.approx((0.45, 0.3, 0.6)), pytest.approx((0.0, 0.0, 0.05))]
    named = {line.get_label(): line for line in right.lines}
    assert list(named["as judged"].get_xdata()) == [0.1, 0.5]
    assert named["reported if all were wrong"].get_xdata() == pytest.approx([0.2, 0.2])
    assert ticks(right) == ["a", "b"]


def test_a_judge_that_was_not_measured_corrects_nothing() -> None:
    blank = ARMS.assign(value=np.nan, low=np.nan, high=np.nan)
    _, right = judge_draw.rates(blank, {"other": (Checked(50, 100), Checked(99, 100))}, "ours").axes
    assert not right.containers
    assert [line.get_label() for line in right.lines] == ["as judged"]
    assert [text.get_text() for text in right.texts] == ["not corrected: ours\nwas not measured"]


def test_printed_intervals_reach_over_every_count_that_rounds_to_it() -> None:
    table = pd.DataFrame({"n": [100, 300, 300], "right": [99, 296, 298], "share": [0.99, 0.987, 0.993]}).assign(
        low=[0.95, 0.96, 0.97], high=[0.999, 0.995, 0.998]
    )
    checked = Checked(90, 100)
    (panel,) = judge_draw.printed(table, [("ours", checked)]).axes
    ranges = [tuple(line.get_xdata()) for line in panel.lines if line.get_linewidth() == 4]
    assert ranges == [(0.95, 0.999), (0.96, 0.998), pytest.approx(checked.interval())]
    assert ticks(panel) == ["99 % of 100", "99 % of 300", "ours"]
