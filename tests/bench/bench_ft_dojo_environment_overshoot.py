"""Samples, tokens and evaluations beyond their budgets, over an agent that asks for everything until it is refused."""

from __future__ import annotations

from pathlib import Path

BAR = "environment-budget-overshoot"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "samples + training tokens + evaluations + language-model tokens beyond the budgets"
TARGET = "== 0"
READS = ("tests/bench/dojo_runs.py",)


def measure() -> float:
    """Greedy actions, counted from the journal and the data sets on disk, not from the ledger."""
    import random
    import tempfile

    import dojo_runs
    from triptych.errors import LimitError
    from triptych.ft_dojo.environment import journal
    from triptych.ft_dojo.environment.language_model import BudgetedClient
    from triptych.ft_dojo.trainer import TrainSpec
    from triptych.llm.messages import user

    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch, dojo_runs.worker() as worker:
        folder = Path(scratch)
        with dojo_runs.session(
            folder, worker, dojo_runs.FREE, training_tokens=4000, evaluations=3, samples=250, llm_tokens=500, actions=60
        ) as run:
            data = dojo_runs.prepared(run)
            for _ in range(25):
                rows = rng.choice([100, 250, 251, 2000])
                run.step(dojo_runs.script(dojo_runs.repeated(rows)))
                run.step(dojo_runs.Train(spec=TrainSpec(steps=rng.choice([2, 10, 1000]), batch=8), data=data))
                run.step(dojo_runs.Evaluate(model="base", n=rng.choice([5, 40])))
                try:
                    BudgetedClient(dojo_runs.Talker(), run).ask([user("x" * 60)], max_tokens=20)
                except LimitError:
                    continue
            limits = run.ledger.limits
            sizes = [path.read_bytes().count(b"\n") for path in (run.folder / "data").iterdir()]
            rows = [row["outcome"] for row in journal.read(run.folder)[1:]]
        trained = sum((row["result"] or {}).get("tokens", 0) for row in rows if row["action"] == "train")
        evaluated = sum(row["action"] == "evaluate" and row["error"] is None for row in rows)
        asked = sum(row["charged"]["llm_tokens"] for row in rows)
    if not (trained and evaluated and asked):
        raise RuntimeError("nothing was spent at all")
    over = max(max(sizes) - limits.samples, 0) + max(trained - limits.training_tokens, 0)
    return float(over + max(evaluated - limits.evaluations, 0) + max(asked - limits.llm_tokens, 0))
