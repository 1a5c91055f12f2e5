"""The thirteen tasks measured: every task, seed and arm at one budget, kept row by row as it is done.

Learning curves are further rows of the same table, trained on the first rows of the data only. A sweep that was
interrupted goes on where it stopped, also by several processes at once; kept rows are of this code and these weights.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from triptych import paths
from triptych.ft_dojo import comparison, evaluate, tasks, tiny, trainer, vocabulary
from triptych.ft_dojo.comparison import Arms
from triptych.ft_dojo.tiny import Base

SPLIT = "test"
# What a row depends on besides the weights.
MODULES = (comparison, evaluate, tiny, trainer, vocabulary)


@dataclass(frozen=True)
class Cell:
    """One measurement: the arms of a task and seed; `rows` limits the training rows (0: all of them)."""

    task: str
    seed: int
    arms: tuple[str, ...]
    rows: int = 0
    test_items: int = 400

    @property
    def name(self) -> str:
        return "/".join(map(str, (self.task, self.seed, "+".join(self.arms), self.rows, self.test_items)))


def design(
    names: Sequence[str], seeds: Sequence[int], sizes: Sequence[int], curve_seeds: Sequence[int], test_items: int
) -> list[Cell]:
    """All arms of every task and seed, then clean and default by number of rows: `sizes`, for `curve_seeds`."""
    full = [Cell(name, seed, tuple(comparison.ARMS), 0, test_items) for seed in seeds for name in names]
    part = [
        Cell(name, seed, ("default", "clean"), size, test_items)
        for seed in curve_seeds
        for size in sizes
        for name in names
    ]
    return [*full, *part]


def measure(base: Base, cell: Cell) -> Arms:
    """One cell: the task and the order of training are both of the cell's seed."""
    task = tasks.make(cell.task, cell.seed, {"val": 1, "select": 1, "test": cell.test_items})
    return comparison.arms(base, task, tiny.FINE_TUNE.but(seed=cell.seed), SPLIT, cell.arms, cell.rows)


def run(base: Base, cells: Sequence[Cell], kept: Path, seconds: float | None = None) -> Iterator[Cell]:
    """Measure the cells that `kept` does not hold yet, yield each when it is done; begin none after `seconds`."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    known = _known(kept)
    for cell in cells:
        if cell.name in known:
            continue
        if seconds is not None and time.monotonic() - started > seconds:
            return
        done = measure(base, cell)
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"cell": cell.name, **asdict(done)}) + "\n")
        yield cell


def table(cells: Sequence[Cell], kept: Path) -> pd.DataFrame:
    """The measured cells, one row an arm: task, seed, rows, arm, chance and score in [0, 1], normalised points, CPU
    seconds. Raises KeyError for a cell that was not measured."""
    known = _known(kept)
    return pd.DataFrame(
        [
            {
                "task": cell.task,
                "seed": cell.seed,
                "rows": cell.rows,
                "arm": arm,
                "chance": known[cell.name]["chance"],
                **{key: known[cell.name][key][arm] for key in ("score", "normalised", "seconds")},
            }
            for cell in cells
            for arm in cell.arms
        ]
    )


def kept_file(base: Base) -> Path:
    """Where rows of this code and these weights are kept."""
    files = [Path(module.__file__ or "") for module in MODULES]
    files += sorted(Path(tasks.__file__).parent.glob("*.py"))
    digest = hashlib.sha256(base.sha256.encode() + b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    return paths.cache() / "ft_dojo" / f"sweep-{digest}.jsonl"


def is_known(cell: Cell, kept: Path) -> bool:
    """Whether a cell was measured."""
    return cell.name in _known(kept)


def _known(kept: Path) -> dict[str, dict[str, Any]]:
    if not kept.exists():
        return {}
    rows = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    return {row["cell"]: row for row in rows}
