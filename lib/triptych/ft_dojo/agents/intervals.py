"""Means over tasks and seeds with bootstrap intervals.

A study on a few named tasks speaks for other seeds of these tasks: seeds are drawn again within each task, tasks are
kept. With `tasks_too` tasks are drawn first and then their seeds, which speaks for other tasks of the same kind and is
wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from triptych.errors import ParameterError

DRAWS = 4000


@dataclass(frozen=True)
class Interval:
    """A mean over tasks of means over seeds, with its percentile interval; limits are None with one seed a task."""

    mean: float
    low: float | None
    high: float | None
    tasks: int
    blocks: int  # (task, seed) pairs

    def __str__(self) -> str:
        reach = "no interval" if self.low is None or self.high is None else f"{self.low:.1f} to {self.high:.1f}"
        return f"{self.mean:.1f} ({reach})"


def interval(
    values: Mapping[str, Sequence[float]], level: float = 0.95, *, tasks_too: bool = False, seed: int = 0
) -> Interval:
    """Values of each task, one a seed (or one difference a seed, where arms are paired).

    Raises ParameterError when a task has none.
    """
    rows = [np.asarray(values[name], float) for name in sorted(values)]
    if not rows or any(len(row) == 0 for row in rows):
        raise ParameterError("a mean over tasks needs a value of every task", "leave out tasks without any")
    mean = float(np.mean([row.mean() for row in rows]))
    blocks = sum(len(row) for row in rows)
    if max(len(row) for row in rows) < 2:
        return Interval(mean, None, None, len(rows), blocks)
    rng = np.random.default_rng(seed)
    means = np.stack([row[rng.integers(len(row), size=(DRAWS, len(row)))].mean(axis=1) for row in rows], axis=1)
    if tasks_too:
        drawn = rng.integers(len(rows), size=(DRAWS, len(rows)))
        # A task that is drawn twice has its seeds drawn anew each time.
        fresh = [
            np.stack([row[rng.integers(len(row), size=(DRAWS, len(row)))].mean(axis=1) for row in rows], axis=1)
            for _ in rows
        ]
        means = np.stack([fresh[place][np.arange(DRAWS), drawn[:, place]] for place in range(len(rows))], axis=1)
    low, high = np.quantile(means.mean(axis=1), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(mean, float(low), float(high), len(rows), blocks)


def of(frame: pd.DataFrame, value: str, *, tasks_too: bool = False) -> Interval:
    """The interval of a column, with columns `task` and `seed` beside it; rows of one pair are averaged first."""
    blocks: Any = frame.groupby(["task", "seed"], as_index=False)[value].mean()
    values = {str(name): rows[value].tolist() for name, rows in blocks.groupby("task")}
    return interval(values, tasks_too=tasks_too)


def table(frame: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """One row a group of `by`, with the interval of `value`."""
    groups: Any = frame.groupby(list(by), sort=False)
    rows = [
        {**dict(zip(by, name if isinstance(name, tuple) else (name,), strict=True)), **asdict(of(group, value))}
        for name, group in groups
    ]
    return pd.DataFrame(rows)
