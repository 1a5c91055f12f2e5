"""The sweep over the tasks: its design, its rows, and going on after a stop; what its tables say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from triptych.errors import ParameterError
from triptych.ft_dojo import comparison, draw_tasks, sweep, tasks, tiny
from triptych.ft_dojo.trainer import TrainSpec

SMALL = tiny.TinySpec(
    hidden=16, layers=1, heads=2, feed_forward=32, train=TrainSpec(steps=4, batch=4, learning_rate=3e-3)
)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tiny.Base:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    monkeypatch.setattr(tiny, "FINE_TUNE", TrainSpec(steps=2, batch=4))
    return tiny.base(SMALL)


def test_the_design_has_every_arm_once_and_curves_of_two() -> None:
    cells = sweep.design(["math", "finance"], [0, 1, 2], [60, 200], [0, 1], 40)
    assert len({cell.name for cell in cells}) == len(cells) == 2 * 3 + 2 * 2 * 2
    assert {cell.arms for cell in cells if not cell.rows} == {tuple(comparison.ARMS)}
    assert {(cell.task, cell.seed, cell.rows) for cell in cells if cell.rows} == {
        (task, seed, size) for task in ("math", "finance") for seed in (0, 1) for size in (60, 200)
    }


def test_an_interrupted_sweep_goes_on_and_gives_the_rows_of_an_unbroken_one(base: tiny.Base, tmp_path: Path) -> None:
    cells = sweep.design(["finance", "table_numerical"], [0], [60], [0], 12)
    broken, whole = tmp_path / "broken.jsonl", tmp_path / "whole.jsonl"
    running = sweep.run(base, cells, broken)
    assert next(running) == cells[0]
    running.close()
    assert [cell.name for cell in sweep.run(base, cells, broken)] == [cell.name for cell in cells[1:]]
    assert list(sweep.run(base, cells, broken)) == []
    assert list(sweep.run(base, cells, whole, seconds=-1.0)) == []
    assert len(list(sweep.run(base, cells, whole))) == len(cells)
    one, other = (sweep.table(cells, kept).drop(columns="seconds") for kept in (broken, whole))
    pd.testing.assert_frame_equal(one, other)
    assert list(one["rows"]) == [0] * 8 + [60] * 4
    task = tasks.make("finance", 0, {"val": 1, "select": 1, "test": 12})
    for score, normalised in zip(one["score"][:4], one["normalised"][:4], strict=True):
        assert normalised == pytest.approx(task.normalised(score))


def test_kept_rows_belong_to_one_code_and_one_base(base: tiny.Base, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sweep.kept_file(base)
    assert sweep.kept_file(base) == first
    assert sweep.kept_file(tiny.Base(base.folder, "f" * 64, base.run)) != first
    monkeypatch.setattr(sweep, "MODULES", sweep.MODULES[1:])
    assert sweep.kept_file(base) != first


def test_a_limit_takes_the_first_rows_and_an_unknown_arm_is_refused() -> None:
    task = tasks.make("finance", 0, {"train": 80, "val": 4, "select": 1, "test": 1})
    clean = comparison.samples(task, "clean")
    assert [(sample.prompt, sample.completion) for sample in clean] == [
        (item.prompt, item.completion(item.answer)) for item in task.splits["train"]
    ]
    assert comparison.samples(task, "default") == task.default_samples()
    assert comparison.samples(task, "base") == []
    assert set(comparison.samples(task, "oracle")) < set(clean)
    with pytest.raises(ParameterError, match="no arm"):
        comparison.samples(task, "best")


def _table(scores: dict[tuple[str, int, str], float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"task": task, "seed": seed, "rows": 0, "arm": arm, "chance": 0.25, "normalised": value}
            for (task, seed, arm), value in scores.items()
        ]
    )


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=9))
def test_intervals_of_paired_gaps_are_those_of_the_t_test(gaps: list[float]) -> None:
    scores = {("math", seed, "default"): 10.0 * seed for seed in range(len(gaps))}
    scores |= {("math", seed, "clean"): 10.0 * seed + gap for seed, gap in enumerate(gaps)}
    found = draw_tasks.gaps(_table(scores), "clean", "default").iloc[0]
    made = np.array([scores["math", seed, "clean"] - scores["math", seed, "default"] for seed in range(len(gaps))])
    if np.ptp(made) < 1e-6:
        assert found["low"] == pytest.approx(found["mean"], abs=1e-5)
        return
    limits = stats.ttest_1samp(made, 0).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((limits.low, limits.high), abs=1e-6)


@pytest.mark.parametrize(
    ("base_score", "oracle", "inside"),
    [(0.0, 40.0, True), (9.9, 95.0, True), (10.0, 60.0, False), (0.0, 39.9, False), (0.0, 95.1, False)],
)
def test_the_band_is_the_issues(base_score: float, oracle: float, inside: bool) -> None:
    arms = {"base": base_score, "default": 20.0, "clean": oracle, "oracle": oracle}
    found = draw_tasks.in_band(_table({("math", seed, arm): value for arm, value in arms.items() for seed in (0, 1)}))
    assert bool(found.loc["math", "in band"]) is inside
    assert found.loc["math", "oracle - default"] == pytest.approx(oracle - 20)
    assert found.loc["math", "chance"] == 25


def test_planted_shares_add_up_to_all_rows() -> None:
    made = tasks.make("finance", 0, {"train": 200, "val": 1, "select": 1, "test": 1})
    shares = draw_tasks.planted([made])
    assert shares.loc["finance"].sum() == pytest.approx(1)
    clean = {item.id: (item.question, item.answer) for item in made.splits["train"]}
    same = sum((row.question, row.answer) == clean[row.id] for row in made.public)
    assert shares.loc["finance", "sound"] == pytest.approx(same / 200)


def test_figures_have_a_place_for_every_task() -> None:
    arms = {"base": 0.0, "default": 40.0, "clean": 60.0, "oracle": 55.0}
    table = _table({(name, seed, arm): v for name in tasks.names() for arm, v in arms.items() for seed in (0, 1)})
    names = {name.replace("_", " ") for name in tasks.names()}
    for figure in (draw_tasks.scores(table), draw_tasks.differences(table)):
        assert {text.get_text() for text in figure.axes[0].get_yticklabels()} == names
    many = pd.concat([table.assign(rows=rows) for rows in (60, 2000)])
    panels = draw_tasks.curves(many).axes
    assert {axes.get_title("left") for axes in panels} - {""} == names


def test_rows_are_kept_as_lines_of_json(base: tiny.Base, tmp_path: Path) -> None:
    kept = tmp_path / "rows.jsonl"
    cell = sweep.Cell("finance", 3, ("base",), 0, 8)
    assert list(sweep.run(base, [cell], kept)) == [cell]
    (line,) = [json.loads(text) for text in kept.read_text("utf-8").splitlines()]
    assert line["cell"] == cell.name
    assert line["score"].keys() == {"base"}
