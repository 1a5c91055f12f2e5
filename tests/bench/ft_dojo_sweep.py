"""The sweep behind the bars on the thirteen tasks: base, default and oracle of every task and seed, kept row by row.

`python tests/bench/ft_dojo_sweep.py` prints the table. An interrupted sweep goes on where it stopped; rows are
forgotten when the study's code or the tiny base's weights change.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict

import pandas as pd

from triptych import paths

SEEDS = range(5)
SPLIT = "val"


def rows() -> pd.DataFrame:
    """One row a task and seed: chance, and normalised score and CPU seconds of each arm."""
    from triptych.ft_dojo import comparison, tasks, tiny

    base = tiny.base(tiny.TinySpec())
    study = paths.root() / "lib" / "triptych" / "ft_dojo"
    files = [*sorted((study / "tasks").glob("*.py")), *sorted(study.glob("*.py"))]
    digest = hashlib.sha256(base.sha256.encode() + b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    kept = paths.cache() / "ft_dojo" / f"sweep-{digest}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    known = [json.loads(line) for line in kept.read_text("utf-8").splitlines()] if kept.exists() else []
    done = {(row["task"], row["seed"]) for row in known}
    for seed in SEEDS:
        for recipe in tasks.recipes():
            if (recipe.id, seed) in done:
                continue
            task = tasks.make(recipe.id, seed, {"select": 1, "test": 1})
            row = asdict(comparison.arms(base, task, tiny.FINE_TUNE.but(seed=seed), SPLIT))
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            known.append(row)
            print(recipe.id, seed, {arm: round(value, 1) for arm, value in row["normalised"].items()}, file=sys.stderr)
    return pd.DataFrame(
        [
            {"task": row["task"], "seed": row["seed"], "chance": row["chance"], **row["normalised"]}
            | {f"{arm} CPU-s": value for arm, value in row["seconds"].items()}
            for row in known
            if row["seed"] in SEEDS
        ]
    )


if __name__ == "__main__":
    table = rows()
    print(table.drop(columns="seed").groupby("task", sort=False).mean().round(2).to_string())
    gap = table.assign(gap=table["oracle"] - table["default"]).groupby("task", sort=False)["gap"]
    print(gap.agg(["mean", "std", "min"]).round(1).to_string())
