"""What rows of the runner say: scores with intervals, paired differences, wins, ranks, and what a score costs.

A run that handed nothing in scores 0, which is what needs no skill. Intervals are bootstrap percentiles at 95 %: tasks
are drawn with replacement, then seeds within each drawn task, and whoever is compared is compared on the same draw.
With a single seed they hold the luck of the tasks alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from triptych.errors import ParameterError
from triptych.ft_dojo.agents import intervals
from triptych.ft_dojo.agents.intervals import Floats

ORACLE = "oracle"  # no agent: what one could reach
CLOSE = 1.0  # normalised points from the highest mean that still count as winning
LEVEL = 95.0  # per cent of an interval
DRAWS = 10_000
PAPER_WINS, PAPER_TASKS = 10, 13  # arXiv 2603.01712, abstract: best on 10 of 13 tasks


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


@dataclass(frozen=True)
class Grid:
    """Normalised scores: for each task an array (seeds, agents). Only seeds that every agent has played are in it."""

    agents: tuple[str, ...]
    tasks: tuple[str, ...]
    seeds: tuple[tuple[int, ...], ...]  # of each task
    blocks: tuple[Floats, ...]

    @cached_property
    def means(self) -> Floats:
        """Mean over seeds, shape (tasks, agents)."""
        return np.array([block.mean(axis=0) for block in self.blocks]).reshape(len(self.tasks), len(self.agents))

    @property
    def fair(self) -> list[int]:
        """Columns of the agents that may win: all but the oracle."""
        return [place for place, agent in enumerate(self.agents) if agent != ORACLE]

    def column(self, agent: str) -> int:
        """The place of an agent."""
        return self.agents.index(agent)

    def draws(self, count: int = DRAWS, seed: int = 0) -> Floats:
        """Bootstrap means of every agent over tasks drawn again, then their seeds; shape (count, agents)."""
        return intervals.draws(self.blocks, count, seed)


def grid(rows: pd.DataFrame) -> Grid:
    """The scores of rows, tasks and agents in their first order of appearance.

    Raises ParameterError when no task has a seed that every agent has played.
    """
    records = _records(rows)
    agents, names = (tuple(dict.fromkeys(row[name] for row in records)) for name in ("agent", "task"))
    known = {
        (row["task"], row["seed"], row["agent"]): 0.0 if math.isnan(row["normalised"]) else row["normalised"]
        for row in records
    }
    whole = {
        task: [
            seed
            for seed in sorted({row["seed"] for row in records})
            if all((task, seed, agent) in known for agent in agents)
        ]
        for task in names
    }
    kept = tuple(task for task in names if whole[task])
    if not kept:
        raise ParameterError(
            f"no task has a seed that all of these have played: {', '.join(agents)}",
            "play the missing runs with python -m triptych.ft_dojo.agents.runner, or name fewer agents",
        )
    blocks = [np.array([[known[task, seed, agent] for agent in agents] for seed in whole[task]]) for task in kept]
    return Grid(agents, kept, tuple(tuple(whole[task]) for task in kept), tuple(blocks))


def summary(rows: pd.DataFrame, count: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """One line an agent: proposer, mean score with its interval, tasks won, mean rank, and what a run took.

    A task is won with the highest mean over seeds, or one within CLOSE points of it, among all but the oracle. Ranks
    (1 is best) are among the same. Seconds are nominal CPU-seconds a run.
    """
    table = grid(rows)
    drawn, won, ranked = table.draws(count, seed), wins(table), ranks(table)
    used = {(task, seed) for task, seeds in zip(table.tasks, table.seeds, strict=True) for seed in seeds}
    lines: list[dict[str, object]] = []
    for place, agent in enumerate(table.agents):
        own = [row for row in _records(rows) if row["agent"] == agent and (row["task"], row["seed"]) in used]
        found = interval(float(table.means[:, place].mean()), drawn[:, place])
        lines.append(
            {
                "agent": agent,
                "proposer": next((row["proposer"] for row in own if row["proposer"]), ""),
                "score": found.value,
                "low": found.low,
                "high": found.high,
                "wins": won.get(agent),
                "rank": ranked.get(agent),
                **{name: _mean(own, name) for name in ("seconds", "wasted", "trainings", "tokens", "money")},
                "runs": len(own),
                "handed in": sum(row["ended"] == "submitted" for row in own),
            }
        )
    return pd.DataFrame(lines)


def against(rows: pd.DataFrame, agent: str, count: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """How far `agent` is above each other: mean paired difference with its interval, tasks above and below, and p of
    Wilcoxon's signed-rank test over the tasks' means, Holm-corrected over the rivals (not over the oracle)."""
    table = grid(rows)
    drawn, own = table.draws(count, seed), table.column(agent)
    lines: list[dict[str, Any]] = []
    for place, other in enumerate(table.agents):
        if place == own:
            continue
        gaps = table.means[:, own] - table.means[:, place]
        found = interval(float(gaps.mean()), drawn[:, own] - drawn[:, place])
        lines.append(
            {
                "other": other,
                "difference": found.value,
                "low": found.low,
                "high": found.high,
                "above": int((gaps > 0).sum()),
                "below": int((gaps < 0).sum()),
                "p": _wilcoxon(gaps),
            }
        )
    fair = [line for line in lines if line["other"] != ORACLE]
    corrected: Any = multipletests([line["p"] for line in fair], method="holm")[1] if fair else []
    for line, p in zip(fair, corrected, strict=True):
        line["p Holm"] = float(p)
    return pd.DataFrame(lines)


def interval(value: float, drawn: Floats) -> Interval:
    """The estimate with the percentiles of its draws."""
    low, high = np.percentile(drawn, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def wins(table: Grid) -> dict[str, int]:
    """Tasks won by each agent but the oracle; several may win one."""
    means = table.means[:, table.fair]
    won = (means >= means.max(axis=1, keepdims=True) - CLOSE).sum(axis=0)
    return {table.agents[column]: int(count) for column, count in zip(table.fair, won, strict=True)}


def ranks(table: Grid) -> dict[str, float]:
    """Mean rank over the tasks (1 is best, equals share) of each agent but the oracle."""
    ranked = stats.rankdata(-table.means[:, table.fair], axis=1).mean(axis=0)
    return {table.agents[column]: float(rank) for column, rank in zip(table.fair, ranked, strict=True)}


@dataclass(frozen=True)
class RankTest:
    """Friedman's test over tasks, and the difference of mean ranks that is critical at 5 % (Nemenyi)."""

    statistic: float
    p: float
    critical: float
    tasks: int
    agents: int


def rank_test(table: Grid) -> RankTest:
    """Friedman's test and Nemenyi's critical difference q·√(k(k+1)/6N) for k agents on N tasks, q from the studentised
    range over √2 (Demšar 2006, Statistical Comparisons of Classifiers over Multiple Data Sets, section 3.2.2)."""
    means = table.means[:, table.fair]
    count, width = means.shape
    found: Any = stats.friedmanchisquare(*means.T)
    q = float(stats.studentized_range.ppf(0.95, width, np.inf)) / math.sqrt(2)
    critical = q * math.sqrt(width * (width + 1) / (6 * count))
    statistic, p = float(found.statistic), float(found.pvalue)
    return RankTest(*((0.0, 1.0) if math.isnan(p) else (statistic, p)), critical, count, width)  # nan: all equal


def share(won: int, of: int) -> Interval:
    """A share of tasks in per cent, with Clopper and Pearson's exact interval."""
    found = stats.binomtest(won, of).proportion_ci(confidence_level=LEVEL / 100)
    return Interval(100 * won / of, 100 * float(found.low), 100 * float(found.high))


def agreement(live: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """Runs played now beside the recorded ones of the same task, agent and seed: whether they did the same to the last
    byte of their journals, and both scores."""
    names = ["task", "agent", "seed", "reserved"]
    both = live.merge(kept, on=names, suffixes=("", " recorded"))
    same = both["trajectory"] == both["trajectory recorded"]
    return both.assign(same=same).filter([*names, "normalised", "normalised recorded", "same"])


# --- what a score costs -----------------------------------------------------------------------------------------------


def frontier(cost: Sequence[float], score: Sequence[float]) -> list[bool]:
    """Which points nobody beats: no other is as cheap and better, or cheaper and as good."""
    points = list(zip(cost, score, strict=True))
    return [not any((c <= x and s > y) or (c < x and s >= y) for c, s in points) for x, y in points]


def course(rows: pd.DataFrame, at: Sequence[float]) -> pd.DataFrame:
    """The best val score (normalised points) that each run had seen after `at` nominal seconds, 0 before any.

    One line a run and moment. Val is what an agent steers by, so this is more than the model is worth on test.
    """
    lines = [
        {**_who(row), "at": moment, "best": max([v for seconds, v in _course(row) if seconds <= moment], default=0.0)}
        for row in _records(rows)
        for moment in at
    ]
    return pd.DataFrame(lines, columns=["task", "agent", "seed", "at", "best"])


def cost_to_target(rows: pd.DataFrame, share_of_oracle: float) -> pd.DataFrame:
    """Nominal seconds until a run first saw a val score of `share_of_oracle` times the oracle's mean test score on its
    task; NaN where it never did. One line a run; tasks on which the oracle did not play or has no score above 0, and
    the oracle itself, are left out."""
    table = grid(rows)
    known = ORACLE in table.agents
    best = dict(zip(table.tasks, table.means[:, table.column(ORACLE)], strict=True)) if known else {}
    lines: list[dict[str, object]] = []
    for row in _records(rows):
        target = share_of_oracle * best.get(row["task"], 0.0)
        if row["agent"] == ORACLE or target <= 0:
            continue
        first = next((seconds for seconds, value in _course(row) if value >= target), math.nan)
        lines.append({**_who(row), "target": target, "seconds": first})
    return pd.DataFrame(lines, columns=["task", "agent", "seed", "target", "seconds"])


def target_table(reached: pd.DataFrame, budget: float) -> pd.DataFrame:
    """One line an agent: per cent of its runs that reached the target, and mean and median nominal seconds to it. A run
    that never did counts with the whole budget, so the mean is a lower bound."""
    records = _records(reached)
    lines: list[dict[str, object]] = []
    for agent in dict.fromkeys(row["agent"] for row in records):
        seconds = np.array([row["seconds"] for row in records if row["agent"] == agent], float)
        spent = np.where(np.isnan(seconds), budget, seconds)
        lines.append(
            {
                "agent": agent,
                "reached": 100 * float(np.mean(~np.isnan(seconds))),
                "seconds": float(spent.mean()),
                "median": float(np.median(spent)),
                "runs": len(seconds),
            }
        )
    return pd.DataFrame(lines, columns=["agent", "reached", "seconds", "median", "runs"])


def _course(row: Mapping[str, Any]) -> list[tuple[float, float]]:
    return [(float(seconds), float(value)) for seconds, value in json.loads(row["course"])]


def _who(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: row[name] for name in ("task", "agent", "seed")}


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    return math.fsum(row[name] for row in rows) / len(rows) if rows else math.nan


def _wilcoxon(gaps: Floats) -> float:
    moved = gaps[gaps != 0]
    found: Any = stats.wilcoxon(moved) if len(moved) else None
    return float(found.pvalue) if found else 1.0


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    frame: Any = rows
    return frame.to_dict("records")
