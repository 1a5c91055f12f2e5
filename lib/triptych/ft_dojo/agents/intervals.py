"""Means over tasks and seeds with their intervals.

A study on a few named tasks speaks for other seeds of these tasks. With three or five seeds a task a percentile
bootstrap is too narrow (it draws from the few values that there are, and covers 83 or 88 instead of 95 in 100), so
these intervals are Student's, with the variance within tasks and Satterthwaite's degrees of freedom. The benchmark
draws tasks first and then their seeds (`draws`), which speaks for other tasks of the same kind and is wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from triptych.errors import ParameterError

Floats = npt.NDArray[np.float64]
DRAWS = 4000


@dataclass(frozen=True)
class Interval:
    """A mean over tasks of means over seeds, with its interval; limits are None with one seed a task."""

    mean: float
    low: float | None
    high: float | None
    tasks: int
    blocks: int  # (task, seed) pairs

    def __str__(self) -> str:
        reach = "no interval" if self.low is None or self.high is None else f"{self.low:.1f} to {self.high:.1f}"
        return f"{self.mean:.1f} ({reach})"


def draws(blocks: Sequence[Floats], count: int = DRAWS, seed: int = 0) -> Floats:
    """Bootstrap means over tasks, shape (count, columns), of one array (seeds, columns) a task.

    Tasks are drawn first, then the seeds of each; a task that is drawn twice has its seeds drawn anew each time. The
    columns of a block are drawn together, so differences of them stay paired.
    """
    rng = np.random.default_rng(seed)
    found = np.zeros((count, blocks[0].shape[1]))
    picked = rng.integers(len(blocks), size=(count, len(blocks)))
    for place, block in enumerate(blocks):
        drawn = np.nonzero(picked == place)[0]  # once for each time that a draw holds this task
        chosen = rng.integers(len(block), size=(len(drawn), len(block)))
        np.add.at(found, drawn, block[chosen].mean(axis=1))
    return found / len(blocks)


def interval(values: Mapping[str, Sequence[float]], level: float = 0.95) -> Interval:
    """Values of each task, one a seed (or one difference a seed, where arms are paired).

    The mean over tasks has the variance Σ s²/n / T², s² the variance of a task's n values, and a t distribution with
    the degrees of freedom of Satterthwaite (1946, An approximate distribution of estimates of variance components). A
    task with a single value is given the mean variance of the others. Raises ParameterError when a task has none.
    """
    rows = [np.asarray(values[name], float) for name in sorted(values)]
    if not rows or any(len(row) == 0 for row in rows):
        raise ParameterError("a mean over tasks needs a value of every task", "leave out tasks without any")
    mean = float(np.mean([row.mean() for row in rows]))
    blocks = sum(len(row) for row in rows)
    known = [(float(row.var(ddof=1)), len(row)) for row in rows if len(row) > 1]
    if not known:
        return Interval(mean, None, None, len(rows), blocks)
    typical = float(np.mean([variance for variance, _ in known]))
    total = sum(variance / n for variance, n in known) + typical * (len(rows) - len(known))
    spread = sum((variance / n) ** 2 / (n - 1) for variance, n in known)
    reach = 0.0
    if spread > 0:  # else all values of each task are equal
        freedom = sum(variance / n for variance, n in known) ** 2 / spread
        reach = float(stats.t.ppf(0.5 + level / 2, freedom)) * total**0.5 / len(rows)
    return Interval(mean, mean - reach, mean + reach, len(rows), blocks)


def of(frame: pd.DataFrame, value: str) -> Interval:
    """The interval of a column, with columns `task` and `seed` beside it; rows of one pair are averaged first."""
    blocks: Any = frame.groupby(["task", "seed"], as_index=False)[value].mean()
    values = {str(name): rows[value].tolist() for name, rows in blocks.groupby("task")}
    return interval(values)


def table(frame: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """One row a group of `by`, with the interval of `value`."""
    groups: Any = frame.groupby(list(by), sort=False)
    rows = [
        {**dict(zip(by, name if isinstance(name, tuple) else (name,), strict=True)), **asdict(of(group, value))}
        for name, group in groups
    ]
    return pd.DataFrame(rows)
