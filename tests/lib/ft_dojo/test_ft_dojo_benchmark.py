"""The benchmark's arithmetic against hand-made rows, exact cases and slower ways to the same number."""

from __future__ import annotations

import itertools
import json
import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from triptych.errors import ParameterError
from triptych.ft_dojo.agents import benchmark
from triptych.ft_dojo.agents.benchmark import ORACLE


def rows(scores: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    """Rows from agent → task → score of each seed."""
    lines = [
        {"agent": agent, "task": task, "seed": seed, "normalised": value, "proposer": "none", "seconds": 10.0,
         "wasted": 1.0, "trainings": 2, "tokens": 0, "money": 0.0, "ended": "submitted", "course": "[]"}
        for agent, tasks in scores.items() for task, values in tasks.items() for seed, value in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(lines)


GIVEN = {
    "a": {"t": [10, 20], "u": [50, 50], "v": [0, 2]},
    "b": {"t": [12, 20], "u": [10, 10], "v": [4, 4]},
    ORACLE: {"t": [90, 90], "u": [90, 90], "v": [90, 90]},
}


def test_means_wins_and_ranks_by_hand() -> None:
    table = benchmark.grid(rows(GIVEN))
    assert table.agents == ("a", "b", ORACLE) and table.tasks == ("t", "u", "v")
    np.testing.assert_allclose(table.means, [[15, 16, 90], [50, 10, 90], [1, 4, 90]])
    assert benchmark.wins(table) == {"a": 2, "b": 2}, "t goes to both: 15 is within a point of 16"
    assert benchmark.ranks(table) == {"a": pytest.approx(5 / 3), "b": pytest.approx(4 / 3)}
    summary = benchmark.summary(rows(GIVEN), 500).set_index("agent")
    assert summary.loc["a", "score"] == pytest.approx(22) and summary.loc["a", "runs"] == 6
    assert summary.loc["a", "low"] <= 22 <= summary.loc["a", "high"] and math.isnan(summary.loc[ORACLE, "wins"])
    gap = benchmark.against(rows(GIVEN), "a", 500).set_index("other").loc["b"]
    assert gap["difference"] == pytest.approx(12) and gap["above"] == 1 and gap["below"] == 2


def test_nothing_handed_in_scores_zero_and_half_played_seeds_do_not_count() -> None:
    frame = rows({"a": {"t": [math.nan, 30]}, "b": {"t": [8, 10]}})
    assert benchmark.grid(frame).means.tolist() == [[15, 9]]
    short = benchmark.grid(frame.drop(index=1))
    assert short.seeds == ((0,),) and short.means.tolist() == [[0, 8]]


def test_the_bootstrap_draws_tasks_and_seeds_as_every_draw_listed_one_by_one() -> None:
    table = benchmark.grid(rows({"a": {"t": [0, 10], "u": [100, 40]}, "b": {"t": [5, 5], "u": [7, 1]}}))
    exact = np.array(
        [
            np.mean([table.blocks[task][list(seeds)].mean(axis=0) for task, seeds in zip(tasks, drawn, strict=True)], 0)
            for tasks in itertools.product(range(2), repeat=2)
            for drawn in itertools.product(itertools.product(range(2), repeat=2), repeat=2)
        ]
    )
    drawn = table.draws(40_000, seed=random.randrange(1000))
    np.testing.assert_allclose(drawn.mean(axis=0), exact.mean(axis=0), atol=0.6)
    np.testing.assert_allclose(drawn.std(axis=0), exact.std(axis=0), rtol=0.03)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(np.corrcoef(exact.T)[0, 1], abs=0.03), "draws are paired"


def test_p_values_are_corrected_over_the_rivals_and_not_over_the_oracle() -> None:
    rng = np.random.default_rng(1)
    tasks = [f"t{n}" for n in range(9)]
    means = {"FT-Agent": 50.0, "base": 0.0, "default": 45.0, "search": 49.0, "oracle": 80.0}
    drawn = {who: {task: [float(rng.normal(mean, 8))] for task in tasks} for who, mean in means.items()}
    table = benchmark.against(rows(drawn), "FT-Agent", count=50).set_index("other")
    ps = sorted(table.loc[["base", "default", "search"], "p"])
    expected = np.maximum.accumulate([3 * ps[0], 2 * ps[1], ps[2]]).clip(max=1)  # Holm (1979), by hand
    np.testing.assert_allclose(sorted(table.loc[["base", "default", "search"], "p Holm"]), expected)
    assert np.isnan(table.loc["oracle", "p Holm"])


def test_a_table_without_a_seed_that_all_have_played_says_who_is_missing() -> None:
    frame = rows({"a": {"t": [10.0]}, "b": {"t": [8.0]}})
    with pytest.raises(ParameterError, match="all of these have played: a, b"):
        benchmark.summary(frame.assign(seed=[0, 1]))


def test_critical_difference_is_the_published_one() -> None:
    rng = np.random.default_rng(0)
    scores = {name: {f"t{n}": [float(rng.normal())] for n in range(14)} for name in "abcd"}
    found = benchmark.rank_test(benchmark.grid(rows(scores)))
    # Demšar (2006), section 3.2.3: four classifiers on 14 data sets have CD = 2.569·√(4·5/(6·14)) = 1.25.
    assert found.critical == pytest.approx(1.25, abs=0.005) and 0 <= found.p <= 1


def test_the_papers_ten_of_thirteen() -> None:
    found = benchmark.share(benchmark.PAPER_WINS, benchmark.PAPER_TASKS)
    low, high = stats.beta.ppf(0.025, 10, 4), stats.beta.ppf(0.975, 11, 3)  # Clopper and Pearson (1934)
    assert (found.value, found.low, found.high) == pytest.approx((1000 / 13, 100 * low, 100 * high))


points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


@given(points)
def test_the_frontier_holds_who_is_not_beaten_and_everybody_else_is(places: list[tuple[int, int]]) -> None:
    held = benchmark.frontier([x for x, _ in places], [y for _, y in places])
    front = {place for place, on in zip(places, held, strict=True) if on}
    assert front
    for x, y in places:
        beaten = any((c, s) != (x, y) and c <= x and s >= y for c, s in front)
        assert ((x, y) in front) != beaten


def test_courses_and_cost_to_target() -> None:
    frame = rows({"a": {"t": [40]}, ORACLE: {"t": [80]}, "b": {"t": [10]}})
    frame.loc[0, "course"] = json.dumps([[3.0, 20.0], [6.0, 61.0], [9.0, 50.0]])
    found = benchmark.course(frame, [0, 3, 7, 24])
    assert found[found["agent"] == "a"]["best"].tolist() == [0, 20, 61, 61]
    reached = benchmark.cost_to_target(frame, 0.75)
    assert reached["target"].tolist() == [60, 60] and reached["seconds"].iloc[0] == 6
    assert math.isnan(reached["seconds"].iloc[1])
    table = benchmark.target_table(reached, budget=24).set_index("agent")
    assert benchmark.cost_to_target(frame[frame["agent"] != ORACLE], 0.75).empty
    assert table.loc["a", "reached"] == 100 and table.loc["b", "reached"] == 0 and table.loc["b", "seconds"] == 24


def test_a_run_that_did_otherwise_is_told() -> None:
    frame = rows(GIVEN).assign(reserved=False, trajectory="same")
    other = frame.assign(trajectory=["other", *["same"] * (len(frame) - 1)])
    assert benchmark.agreement(frame, other)["same"].tolist() == [False, *[True] * (len(frame) - 1)]
