"""The sweep behind the bars on the thirteen tasks: base, default, clean and oracle of every task and seed, row by row.

`python tests/bench/ft_dojo_sweep.py` goes on where it stopped and prints the table. `--share 0/2` does every second
cell, for two processes at once; `--minutes 9` begins no cell after that; `--curves` adds the learning curves, as
ft_dojo/02_tasks has them. Rows are forgotten when the study's code or the tiny base's weights change.
"""

from __future__ import annotations

import argparse
import sys

import pandas as pd

SEEDS = [0, 1, 2, 3, 4]
SIZES, CURVE_SEEDS, TEST_ITEMS = [60, 300], [0, 1], 400  # the defaults of ft_dojo/02_tasks


def rows(curves: bool = False, share: tuple[int, int] = (0, 1), minutes: float | None = None) -> pd.DataFrame:
    """One row a task, seed and arm, on test; those that are missing are measured."""
    from triptych.ft_dojo import sweep, tasks, tiny

    base = tiny.base(tiny.TinySpec())
    kept = sweep.kept_file(base)
    names = [recipe.id for recipe in tasks.recipes()]
    cells = sweep.design(names, SEEDS, SIZES if curves else [], CURVE_SEEDS, TEST_ITEMS)
    for cell in sweep.run(base, cells[share[0] :: share[1]], kept, minutes and 60 * minutes):
        print(cell.name, file=sys.stderr, flush=True)
    missing = sum(not sweep.is_known(cell, kept) for cell in cells)
    if missing:
        raise SystemExit(f"{missing} of {len(cells)} cells are not measured yet")
    return sweep.table(cells, kept)


def gaps(one: str, other: str) -> pd.DataFrame:
    """How much better one arm is than another: mean and 95 % interval over seeds, for each task."""
    from triptych.ft_dojo import draw_tasks

    return draw_tasks.gaps(rows(), one, other)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", default="0/1", help="which cells: 0/2 for every second, from the first")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--curves", action="store_true")
    chosen = parser.parse_args()
    first, of = map(int, chosen.share.split("/"))
    made = rows(chosen.curves, (first, of), chosen.minutes)

    from triptych.ft_dojo import draw_tasks

    print(draw_tasks.in_band(made[made["rows"] == 0]).round(1).to_string())
    print(gaps("clean", "default").round(1).to_string())
