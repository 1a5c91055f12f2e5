"""Selection noise: simulated optimism against exact enumeration, policies on drawn splits, intervals, a real pool."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from triptych.errors import ParameterError
from triptych.ft_dojo import tiny
from triptych.ft_dojo.agents import intervals, selection
from triptych.ft_dojo.agents.remembered import RememberingWorker
from triptych.ft_dojo.agents.selection import Draw, Pool

BASE = selection.BASE_PLAN


def pool(credits: list[list[float]], plans: tuple[int, ...], chance: float = 0.0) -> Pool:
    return Pool("t", 0, chance, plans, tuple(10 * (plan + 1) for plan in plans), np.array(credits, float))


def test_optimism_of_argmax_agrees_with_all_splits_enumerated() -> None:
    two = pool([[0, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 1]], (BASE, 0, 1))
    exact = []
    for drawn in itertools.product(range(4), repeat=2):
        val = two.credits[:, list(drawn)].mean(axis=1)
        # Candidates come in either order, and the first of equals is taken.
        exact += [val[max(order, key=lambda place: val[place])] - 0.5 for order in ((1, 2), (2, 1))]
    found = selection.simulate(two, 2, 2, 20_000, {"argmax": selection.argmax})
    assert found["optimism"].item() == pytest.approx(100 * np.mean(exact), abs=1.0)
    assert found["test"].item() == pytest.approx(50.0), "both candidates are equally good"


def test_nobody_is_optimistic_of_one_candidate_and_points_are_normalised() -> None:
    one = pool([[0.0] * 8, [1, 1, 1, 0, 1, 1, 0, 0]], (BASE, 0), chance=0.25)
    found = selection.simulate(one, 15, 1, 8000)
    assert (found["optimism"].abs() < 1.0).all()
    assert np.allclose(found["test"], 100 * (0.625 - 0.25) / 0.75)


scores = st.lists(st.integers(0, 100).map(lambda value: value / 100), min_size=5, max_size=5)


@given(scores, scores, st.permutations([1, 2, 3, 4]), st.integers(1, 4))
@settings(max_examples=60)
def test_policies_choose_what_was_trained_by_what_they_may_see(
    val: list[float], select: list[float], order: list[int], count: int
) -> None:
    plans = (BASE, 0, 0, 1, 1)
    made = pool([[0.5]] * 5, plans)
    draw = Draw(made, tuple(order[:count]), 15, np.array(val), np.array(select))
    for name, policy in selection.POLICIES.items():
        chosen = policy(draw)
        assert plans[chosen] in {plans[place] for place in draw.order}, name
        assert chosen in draw.order or name == "seed repeat"
    assert val[selection.argmax(draw)] == max(val[place] for place in draw.order)
    together = [15 * v + selection.N_SELECT * o for v, o in zip(val, select, strict=True)]
    assert together[selection.all_items(draw)] == max(together[place] for place in draw.order)
    # Four at most are handed in, so the hidden split sees every one.
    for policy in (selection.select_split, selection.default):
        assert select[policy(draw)] == max(select[place] for place in draw.order)


def test_one_standard_error_prefers_the_shortest_and_a_repeat_the_better_mean() -> None:
    plans = (BASE, 0, 1, 2, 2)  # of 10, 20, 30 and 30 steps

    def draw(val: list[float], order: tuple[int, ...], n: int = 100) -> Draw:
        return Draw(pool([[0.5]] * len(val), plans[: len(val)]), order, n, np.array(val), np.zeros(len(val)))

    # One error of 0.80 on 100 items is 0.04.
    assert selection.one_se(draw([0.1, 0.70, 0.77, 0.80, 0.79], (4, 3, 2, 1))) == 2
    assert selection.one_se(draw([0.1, 0.70, 0.75, 0.80, 0.79], (4, 3, 2, 1))) == 3, "of equal length the higher"
    assert selection.one_se(draw([0.1, 0.70, 0.77, 0.80, 0.79], (4, 3, 2, 1), n=9)) == 1, "fewer items, larger error"
    assert selection.one_se(draw([0.1, 0.70, 0.77, 0.80, 0.79], (1, 4))) == 4, "only of what was drawn"
    plans = (BASE, 0, 0, 1, 1, 2, 2)
    val = [0.1, 0.9, 0.3, 0.7, 0.6, 1.0, 1.0]
    assert selection.argmax(draw(val, (1, 3, 2, 4))) == 1
    assert selection.seed_repeat(draw(val, (1, 3, 2, 4))) == 3, "0.65 of two seeds beats 0.9 and 0.3"
    assert selection.seed_repeat(draw(val, (1, 3, 5, 6))) == 3, "what four trainings pay for: two plans, twice each"
    assert selection.seed_repeat(draw(val, (2,))) == 1


def test_spread_of_seeds_and_certainty_come_from_the_pool() -> None:
    rows = [[0.0] * 100, *([1.0] * right + [0.0] * (100 - right) for right in (50, 60, 70, 70))]
    rng = np.random.default_rng(1)
    made = pool([rng.permutation(row).tolist() for row in rows], (BASE, 0, 0, 1, 1))
    assert selection.seed_spread([made]) == pytest.approx(np.sqrt(((0.1**2) / 2 + 0) / 2))
    table = selection.certainty([made], 200, [0.0, 1.0, 3.0], 400)
    assert table["decided"].is_monotonic_decreasing and table["right"][1] > table["right"][0] > 0.6


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_an_interval_covers_what_it_should_with_few_seeds(seeds: int) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(600):
        spreads = {"a": 2, "b": 1, "c": 1.5, "d": 1}
        found = intervals.interval({name: rng.normal(2, spread, seeds).tolist() for name, spread in spreads.items()})
        assert found.low is not None and found.high is not None
        covered += found.low <= 2 <= found.high
    assert 0.925 <= covered / 600 <= 0.995  # three standard errors below 0.95; a bootstrap of three seeds covers 0.83


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=9))
def test_with_one_task_the_interval_is_students(values: list[float]) -> None:
    found = intervals.interval({"a": values})
    assume(np.std(values) > 1e-6)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-9)


def test_intervals_speak_of_what_they_hold() -> None:
    blocks = [np.array([[0.0], [0.1]]), np.array([[10.0], [10.1]])]
    assert np.quantile(intervals.draws(blocks), 0.025) < 1, "tasks are drawn too"
    same = intervals.interval({"a": [3.0, 3.0], "b": [1.0, 1.0]})
    assert (same.low, same.mean, same.high) == (2.0, 2.0, 2.0)
    alone = intervals.interval({"a": [3.0]})
    assert (alone.mean, alone.low, alone.blocks) == (3.0, None, 1)
    with pytest.raises(ParameterError, match="value"):
        intervals.interval({"a": []})
    frame = pd.DataFrame({"task": ["a", "a", "a"], "seed": [0, 0, 1], "gain": [1.0, 3.0, 4.0]})
    assert intervals.of(frame, "gain").mean == pytest.approx(3.0), "rows of one seed are averaged first"


@pytest.mark.usefixtures("isolated")
def test_a_pool_is_trained_and_kept(base: tiny.Base, tmp_path: Path) -> None:
    start, sizes = tiny.FINE_TUNE.but(steps=3, batch=4), {"train": 60, "val": 10, "select": 8, "test": 6}
    with RememberingWorker(base, tmp_path) as worker:
        rows = selection.train("finance", 1, base, worker, start, 2, {"start": (1, 1), "longer": (2, 1)}, sizes)
        done = worker.done
        again = selection.train("finance", 1, base, worker, start, 2, {"start": (1, 1), "longer": (2, 1)}, sizes)
        assert worker.done == done and again.equals(rows)
        with pytest.raises(ParameterError, match="no mean"):
            selection.train("patent_noc4pc", 1, base, worker, start, sizes=sizes)
    rows.to_parquet(tmp_path / "rows.parquet")
    (found,) = selection.pools(pd.read_parquet(tmp_path / "rows.parquet"))
    assert found.plans == (BASE, 0, 0, 1, 1) and found.credits.shape == (5, 24) and set(found.steps) == {0, 3, 6}
    assert len(selection.simulated([found], [5, 10], [2, 3], 5)) == 3 * len(selection.POLICIES)
    with pytest.raises(ParameterError, match="trainings"):
        selection.simulate(found, 5, 9, 1)
