"""Means over tasks and seeds with bootstrap intervals.

A study on a few named tasks speaks for other seeds of these tasks: seeds are drawn again within each task, tasks are
kept. The benchmark draws tasks first and then their seeds, which speaks for other tasks of the same kind and is wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from triptych.errors import ParameterError

Floats = npt.NDArray[np.float64]
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


def draws(blocks: Sequence[Floats], count: int = DRAWS, seed: int = 0, *, tasks_too: bool = False) -> Floats:
    """Bootstrap means over tasks, shape (count, columns), of one array (seeds, columns) a task.

    The columns of a block are drawn together, so differences and ratios of them stay paired. With `tasks_too` tasks
    are drawn before their seeds; a task that is drawn twice has its seeds drawn anew each time.
    """
    rng = np.random.default_rng(seed)
    found = np.zeros((count, blocks[0].shape[1]))
    whole = np.broadcast_to(np.arange(len(blocks)), (count, len(blocks)))
    picked = rng.integers(len(blocks), size=whole.shape) if tasks_too else whole
    for place, block in enumerate(blocks):
        drawn = np.nonzero(picked == place)[0]  # once for each time that a draw holds this task
        chosen = rng.integers(len(block), size=(len(drawn), len(block)))
        np.add.at(found, drawn, block[chosen].mean(axis=1))
    return found / len(blocks)


def interval(values: Mapping[str, Sequence[float]], level: float = 0.95, *, seed: int = 0) -> Interval:
    """Values of each task, one a seed (or one difference a seed, where arms are paired).

    Raises ParameterError when a task has none.
    """
    rows = [np.asarray(values[name], float)[:, None] for name in sorted(values)]
    if not rows or any(len(row) == 0 for row in rows):
        raise ParameterError("a mean over tasks needs a value of every task", "leave out tasks without any")
    mean = float(np.mean([row.mean() for row in rows]))
    blocks = sum(len(row) for row in rows)
    if max(len(row) for row in rows) < 2:
        return Interval(mean, None, None, len(rows), blocks)
    low, high = np.quantile(draws(rows, seed=seed), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(mean, float(low), float(high), len(rows), blocks)


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
