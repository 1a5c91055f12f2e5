"""What choosing by a validation score does to it: candidates that were really trained, splits that are drawn again.

A *pool* holds, for one task and seed, the credit of every candidate on every item of val, select and test. These items
are taken as the population: the truth of a candidate is its mean over all of them, and a val split of n items is n
draws from them. So the optimism of a choice (val score minus truth of what was chosen) is known without error for every
draw, and thousands of splits cost nothing but the trainings of one pool.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triptych.errors import DataError, ParameterError
from triptych.ft_dojo import tasks, trajectory
from triptych.ft_dojo.agents import feedback, intervals, trial, workplace
from triptych.ft_dojo.agents.desk import RIVALS, Desk
from triptych.ft_dojo.agents.plan import Scored, Situation
from triptych.ft_dojo.agents.rules import Strategist
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.training import Clock, TrainingWorker
from triptych.ft_dojo.tasks import Item
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import TrainSpec

SPLITS = ("val", "select", "test")
N_SELECT = 200  # items of the hidden select split, as in a task
BASE_PLAN = -1
PATIENT = Limits(nominal_cpu=1000.0, evaluations=1000, actions=1000, training_tokens=100_000_000)

# Candidates as the strategist's table makes them from its start: factor on the steps, factor on the learning rate.
PLANS: Mapping[str, tuple[float, float]] = {
    "start": (1.0, 1.0),
    "longer": (2.4, 1.0),
    "faster": (1.0, 1.6),
    "slower": (1.0, 0.6),
}


@dataclass(frozen=True)
class Pool:
    """Candidates of one task and seed: credits (candidates, items) in [0, 1], the base model first.

    `plans` says which candidates are seeds of the same plan; `steps` is the length of each training.
    """

    task: str
    seed: int
    chance: float
    plans: tuple[int, ...]
    steps: tuple[int, ...]
    credits: NDArray[np.float64]

    @property
    def truth(self) -> NDArray[np.float64]:
        """Mean credit over all items."""
        return self.credits.mean(axis=1)

    @property
    def points(self) -> float:
        """Normalised points in one unit of score."""
        return 100 / (1 - self.chance)


def train(
    name: str,
    seed: int,
    base: Base,
    worker: TrainingWorker,
    start: TrainSpec,
    run_seeds: int = 2,
    plans: Mapping[str, tuple[float, float]] = PLANS,
    sizes: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Train every plan with every run seed on the strategist's data of a task: one row a candidate (see `pools`).

    Raises ParameterError for a metric that is no mean over items, DataError when the task cannot be looked at.
    """
    made = tasks.make(name, seed, sizes)
    if made.measure.pool != "mean":
        raise ParameterError(f"{name} is scored by {made.metric}, no mean over items", "choose another task")
    with (
        tempfile.TemporaryDirectory(prefix="triptych-pool-") as folder,
        workplace.run(Path(folder), name, seed, base, worker, sizes=sizes, limits=PATIENT) as session,
    ):
        desk = Desk(session)
        look = desk.look()
        if isinstance(look, ErrorObservation):
            raise DataError(f"{name} cannot be looked at: {look.message}", look.hint)
        situation = Situation(look=look, best=None, siblings=(), left=desk.left, turn=0, seed=seed)
        plan = Strategist(start).propose(situation)
        data = desk.data(plan.script) if plan else None
        if plan is None or data is None or isinstance(data, ErrorObservation):
            raise DataError(f"the strategist finds no data in {name}", "look at its script in the sandbox")
        samples = trajectory.read(session.folder).data(data[0])
        asked = {split: [(prompt.prompt, prompt.choices) for prompt in session.task.prompts(split)] for split in SPLITS}

        def credits(model: Path | None) -> list[float]:
            found: list[float] = []
            for split in SPLITS:
                answers = worker.answer(asked[split], model, Clock())
                found += credit(made.measure.credit, answers, made.splits[split])
            return found

        about = {"task": name, "seed": seed, "chance": made.chance()}
        rows: list[dict[str, Any]] = [
            {**about, "plan": BASE_PLAN, "name": "base", "run_seed": 0, "steps": 0, "rate": 0.0}
            | {"credits": credits(None)}
        ]
        for place, (label, (length, rate)) in enumerate(plans.items()):
            spec = plan.spec.but(
                steps=round((start.steps or 1) * length), learning_rate=round(start.learning_rate * rate, 6)
            )
            for turn in range(run_seeds):
                model = Path(folder) / f"model-{place}-{turn}"
                worker.train(samples, spec.but(seed=seed + turn), model, Clock())
                rows.append(
                    {**about, "plan": place, "name": label, "run_seed": seed + turn, "steps": spec.steps,
                     "rate": spec.learning_rate, "credits": credits(model)}
                )  # fmt: skip
    return pd.DataFrame(rows)


def credit(of: Callable[[str, Item], float], answers: Sequence[str], items: Sequence[Item]) -> list[float]:
    """Credit of each answer."""
    return [float(of(answer, item)) for answer, item in zip(answers, items, strict=True)]


def gather(
    names: Sequence[str],
    seeds: Sequence[int],
    base: Base,
    worker: TrainingWorker,
    start: TrainSpec,
    run_seeds: int,
    sizes: Mapping[str, int] | None,
    kept: Path,
    on_pool: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """The pools of every task and seed, seed by seed; those already in the JSONL file `kept` are not trained again."""
    wanted = [{"task": name, "seed": seed} for seed in seeds for name in names]

    def do(cell: Mapping[str, Any]) -> dict[str, Any]:
        rows = train(str(cell["task"]), int(cell["seed"]), base, worker, start, run_seeds, sizes=sizes)
        return {"candidates": rows.to_dict("records")}

    def told(row: Mapping[str, Any]) -> None:
        if on_pool is not None:
            on_pool(f"{row['task']}, seed {row['seed']}: {len(row['candidates'])} candidates")

    found = trial.gather(wanted, do, kept, told)
    return pd.DataFrame([row for rows in found["candidates"] for row in rows])


def same(some: pd.DataFrame, whole: pd.DataFrame) -> int:
    """How many candidates of `some` answer every item as the same candidate of `whole` does."""
    names = ["task", "seed", "plan", "run_seed"]
    known = {tuple(row[name] for name in names): list(row["credits"]) for row in _records(whole)}
    return sum(known.get(tuple(row[name] for name in names)) == list(row["credits"]) for row in _records(some))


def against_argmax(rows: pd.DataFrame, policy: str = "default") -> dict[str, Any]:
    """Of one cell of `simulated`: a policy's optimism as a share of argmax's, and its truth minus argmax's, by pool."""
    table: Any = rows.pivot_table(index=["task", "seed"], columns="policy", values=["optimism", "test"])
    gaps: Any = (table["test"][policy] - table["test"]["argmax"]).rename("gap").reset_index()
    parts: dict[str, Any] = {name: rows[rows["policy"] == name] for name in (policy, "argmax")}
    optimism = {name: intervals.of(part, "optimism").mean for name, part in parts.items()}
    return {
        "policy": policy,
        "optimism": optimism[policy],
        "argmax": optimism["argmax"],
        "share": optimism[policy] / optimism["argmax"],
        "gap": intervals.of(gaps, "gap"),
    }


def fisher(right: int, of: int, other: int, other_of: int) -> float:
    """p of Fisher's exact test, two-sided, of two shares."""
    from scipy.stats import fisher_exact

    found: Any = fisher_exact([[right, of - right], [other, other_of - other]])
    return float(found.pvalue)


def pools(frame: pd.DataFrame) -> list[Pool]:
    """The pools of the rows of `train`, the base model first in each."""
    found: list[Pool] = []
    groups: Any = frame.groupby(["task", "seed"], sort=False)
    for _, group in groups:
        rows: Any = group.sort_values(["plan", "run_seed"])
        found.append(
            Pool(
                task=str(rows["task"].iloc[0]),
                seed=int(rows["seed"].iloc[0]),
                chance=float(rows["chance"].iloc[0]),
                plans=tuple(int(plan) for plan in rows["plan"]),
                steps=tuple(int(steps) for steps in rows["steps"]),
                credits=np.array([list(row) for row in rows["credits"]], float),
            )
        )
    return found


# --- policies ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Draw:
    """One drawn validation: which candidates are trained, in order, and the scores of every candidate of the pool."""

    pool: Pool
    order: tuple[int, ...]
    n: int  # items of val
    val: NDArray[np.float64]
    select: NDArray[np.float64]
    n_select: int = N_SELECT


Policy = Callable[[Draw], int]


def argmax(draw: Draw) -> int:
    """The highest val score; the first of equals."""
    return max(draw.order, key=lambda place: draw.val[place])


def one_se(draw: Draw) -> int:
    """The shortest training within one standard error of the highest val score (Breiman et al. 1984, CART, 3.4.3)."""
    best = float(draw.val[argmax(draw)])
    error = np.sqrt(best * (1 - best) / draw.n)
    near = [place for place in draw.order if draw.val[place] >= best - error]
    return min(near, key=lambda place: (draw.pool.steps[place], -draw.val[place]))


def seed_repeat(draw: Draw) -> int:
    """Half as many plans, each trained twice: the plan with the highest mean, its first run."""
    plans = draw.pool.plans
    twice: list[list[int]] = []
    for plan in dict.fromkeys(plans[place] for place in draw.order):
        runs = [place for place, other in enumerate(plans) if other == plan][:2]
        twice.append(runs)
    twice = twice[: max(len(draw.order) // 2, 1)]
    return max(twice, key=lambda runs: float(np.mean(draw.val[runs])))[0]


def select_split(draw: Draw) -> int:
    """The five highest val scores are handed in; the hidden select split chooses."""
    ranked = sorted(draw.order, key=lambda place: -draw.val[place])[: RIVALS + 1]
    return max(ranked, key=lambda place: draw.select[place])


def all_items(draw: Draw) -> int:
    """The highest score on the items of val and select taken together: what as many items are worth without a split."""
    return max(draw.order, key=lambda place: draw.n * draw.val[place] + draw.n_select * draw.select[place])


def default(draw: Draw) -> int:
    """What FT-Agent does: accept, reject or repeat with another seed, never on a point estimate alone; then the best
    plan's runs and the next val scores are handed in, and the hidden select split chooses among at most five."""
    pool, waiting = draw.pool, list(draw.order)

    def scored(place: int) -> Scored:
        return Scored(model=str(place), seed=place, score=float(draw.val[place]), n=draw.n)

    best = [scored(pool.plans.index(BASE_PLAN))]
    seen: list[Scored] = []
    while waiting:
        runs = [scored(waiting.pop(0))]
        plan = pool.plans[runs[0].seed]
        while True:
            others = [place for place in waiting if pool.plans[place] == plan]
            decision, _ = feedback.judge(runs, best, can_repeat=bool(others))
            if decision != "repeat":
                break
            waiting.remove(others[0])
            runs.append(scored(others[0]))
        seen += runs
        if decision == "accept":
            best = runs
    first = [run for run in sorted(best, key=lambda run: -run.score) if pool.plans[run.seed] != BASE_PLAN]
    ranked = sorted(seen, key=lambda run: -run.score)
    handed = list(dict.fromkeys(run.seed for run in [*first, *ranked]))[: RIVALS + 1]
    return max(handed, key=lambda place: draw.select[place])


POLICIES: Mapping[str, Policy] = {
    "argmax": argmax,
    "one standard error": one_se,
    "seed repeat": seed_repeat,
    "select split": select_split,
    "val and select as one": all_items,
    "default": default,
}


def simulate(
    pool: Pool,
    n: int,
    count: int,
    draws: int,
    policies: Mapping[str, Policy] = POLICIES,
    n_select: int = N_SELECT,
    seed: int = 0,
) -> pd.DataFrame:
    """One row a policy: mean over draws of optimism and truth of what it chose, in normalised points.

    `n` items of val and `count` trainings a draw; every policy sees the same draws. Raises ParameterError for more
    trainings than the pool has.
    """
    trained = [place for place, plan in enumerate(pool.plans) if plan != BASE_PLAN]
    if not 1 <= count <= len(trained):
        raise ParameterError(f"{count} trainings from a pool of {len(trained)}", f"1 to {len(trained)}")
    rng = np.random.default_rng([seed, pool.seed, n, count])
    items = pool.credits.shape[1]
    even = np.full(items, 1 / items)
    truth = pool.truth
    sums = {name: np.zeros(2) for name in policies}
    for _ in range(draws):
        val = np.round(pool.credits @ rng.multinomial(n, even) / n, 2)
        select = pool.credits @ rng.multinomial(n_select, even) / n_select
        order = tuple(int(place) for place in rng.permutation(trained)[:count])
        draw = Draw(pool, order, n, val, select, n_select)
        for name, policy in policies.items():
            chosen = policy(draw)
            sums[name] += (val[chosen] - truth[chosen], truth[chosen] - pool.chance)
    about = {"task": pool.task, "seed": pool.seed, "n": n, "candidates": count}
    return pd.DataFrame(
        [
            {
                **about,
                "policy": name,
                "optimism": total[0] / draws * pool.points,
                "test": total[1] / draws * pool.points,
            }
            for name, total in sums.items()
        ]
    )


def simulated(found: Sequence[Pool], ns: Sequence[int], counts: Sequence[int], draws: int) -> pd.DataFrame:
    """`simulate` for every pool and every pair of n and number of trainings: n varied at the largest count that is
    listed first, the count varied at the n that is listed first."""
    cells = [*((n, counts[0]) for n in ns), *((ns[0], count) for count in counts[1:])]
    return pd.concat([simulate(pool, n, count, draws) for pool in found for n, count in cells], ignore_index=True)


# --- what pools say about constants -----------------------------------------------------------------------------------


def seed_spread(found: Sequence[Pool]) -> float:
    """Standard deviation of a candidate's true score between seeds of the same plan, in units of score.

    Pooled over plans, tasks and seeds: the root of the mean variance (one degree of freedom less than seeds).
    """
    variances = [
        float(np.var(pool.truth[[place for place, other in enumerate(pool.plans) if other == plan]], ddof=1))
        for pool in found
        for plan in set(pool.plans) - {BASE_PLAN}
        if pool.plans.count(plan) > 1
    ]
    return float(np.sqrt(np.mean(variances)))


def certainty(found: Sequence[Pool], n: int, levels: Sequence[float], draws: int, seed: int = 0) -> pd.DataFrame:
    """How often a difference beyond so many standard errors has the right sign, for pairs of single trainings.

    One row a level: share of pairs that are decided, and share of those decided rightly (by truth).
    """
    decided, right = np.zeros(len(levels)), np.zeros(len(levels))
    pairs = 0
    for pool in found:
        rng = np.random.default_rng([seed, pool.seed, n])
        items = pool.credits.shape[1]
        trained = [place for place, plan in enumerate(pool.plans) if plan != BASE_PLAN]
        for _ in range(draws):
            val = np.round(pool.credits @ rng.multinomial(n, np.full(items, 1 / items)) / n, 2)
            a, b = (int(place) for place in rng.permutation(trained)[:2])
            new, old = (Scored(model=str(place), seed=place, score=float(val[place]), n=n) for place in (a, b))
            gap, error = feedback.difference([new], [old])
            true = float(pool.truth[a] - pool.truth[b])
            beyond = np.array([abs(gap) > level * error for level in levels])
            decided += beyond
            right += beyond * (gap * true > 0)
            pairs += 1
    return pd.DataFrame(
        {
            "standard errors": list(levels),
            "decided": decided / max(pairs, 1),
            "right": [float(r / d) if d else None for r, d in zip(right, decided, strict=True)],
        }
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: Any = frame.to_dict("records")
    return found
