"""Which of several changes broke a training? Planted causes among red herrings, and ways to look for them.

A case is a training that was fine, and the same with several things changed at once: at most one of them does harm, the
others do not matter. An investigator may train with any of the changes taken back and look at val, within a budget of
nominal CPU-seconds, and names the causes. Scores of the planter, on the select split, say whether what was planted did
any harm at all.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from triptych.errors import DataError, ParameterError
from triptych.ft_dojo import tasks
from triptych.ft_dojo.agents import feedback, scripts, workplace
from triptych.ft_dojo.agents.desk import Desk
from triptych.ft_dojo.agents.plan import Look, Situation
from triptych.ft_dojo.agents.rules import Strategist
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.training import Clock, TrainingWorker
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import TrainSpec

WRONG_CAUSE, MISSED_CAUSE = 0.02, 0.05  # error rates that the sequential test is set to, over all suspects together
LEAST_DROP = 0.05  # of the val score, below which nothing is taken to be broken
MOST_SEEDS = 4  # of one suspect
HARM = 10.0  # normalised points on select that a planted cause must cost to be one


@dataclass(frozen=True)
class Change:
    """One thing that was changed: fields of the training as factors or values, or lines that edit `rows`."""

    name: str
    factor: Mapping[str, float] = field(default_factory=dict[str, float])
    value: Mapping[str, Any] = field(default_factory=dict[str, Any])
    code: str = ""
    after: str = ""  # lines that edit the written file

    @property
    def about(self) -> str:
        """What is changed, in a line."""
        parts = [f"{name} × {factor:.3g}" for name, factor in self.factor.items()]
        parts += [f"{name} = {value}" for name, value in self.value.items()]
        return "; ".join([*parts, *filter(None, (self.code, self.after.replace("\n", "; ")))])


# What does harm, each in a way of its own.
CAUSES = (
    Change("learning rate ÷ 30", factor={"learning_rate": 1 / 30}),
    Change("steps ÷ 8", factor={"steps": 1 / 8}),
    Change(
        "labels moved",  # three in four rows get their neighbour's answer
        code="shifted = [row['answer'] for row in rows[1:] + rows[:1]]\n"
        "rows = [{**row, 'answer': other} if place % 4 else row"
        " for place, (row, other) in enumerate(zip(rows, shifted))]",
    ),
    Change(
        "questions cut",
        code="rows = [{**row, 'question': ' '.join(row['question'].split()[: len(row['question'].split()) // 2])}"
        " for row in rows]",
    ),
    Change(
        "another template",  # the line that every prompt ends in is missing in training
        after='text = Path("out/train.jsonl").read_text("utf-8").replace("\\\\nanswer :", "")\n'
        'Path("out/train.jsonl").write_text(text, "utf-8")',
    ),
)
# What looks as if it might matter.
HERRINGS = (
    Change("weight decay 0.01", value={"weight_decay": 0.01}),
    Change("linear schedule", value={"schedule": "linear"}),
    Change("rows in another order", code="rows = rows[::-1]"),
    Change("warm-up of 3 steps", value={"warmup": 3}),
)
CHANGES = {change.name: change for change in (*CAUSES, *HERRINGS)}
NONE = "nothing"


class Spent(Exception):
    """Inside this module: the budget does not pay for another training."""


class Bench:
    """Trains with any of the changes in place, and remembers what came of it."""

    def __init__(self, session: Session, start: TrainSpec, suspects: Sequence[str]) -> None:
        self.desk, self.suspects = Desk(session), tuple(suspects)
        look = self.desk.look()
        if isinstance(look, ErrorObservation):
            raise DataError(f"the task cannot be looked at: {look.message}", look.hint)
        self.look: Look = look
        situation = Situation(look=look, best=None, siblings=(), left=self.desk.left, turn=0, seed=0)
        plan = Strategist(start).propose(situation)
        self.steps = plan.steps if plan else ()
        self.start = start
        self.models: dict[tuple[frozenset[str], int], str] = {}
        self._scores: dict[tuple[frozenset[str], int], float] = {}

    @property
    def trainings(self) -> int:
        """How many were done."""
        return len(self._scores)

    def score(self, changed: frozenset[str], seed: int) -> float:
        """Val score with these changes in place. Raises Spent when it cannot be paid; a failed training scores 0."""
        if (changed, seed) not in self._scores:
            tried = self.desk.tried(self._spec(changed).but(seed=seed), self._script(changed))
            if isinstance(tried, ErrorObservation):
                if tried.code == "budget" or self.desk.left.evaluations < 1:
                    raise Spent
                self._scores[changed, seed] = 0.0
            else:
                self._scores[changed, seed] = tried.score
                self.models[changed, seed] = tried.model
        return self._scores[changed, seed]

    def _spec(self, changed: frozenset[str]) -> TrainSpec:
        spec = self.start
        for name in sorted(changed):
            change = CHANGES[name]
            scaled = {part: getattr(spec, part) * factor for part, factor in change.factor.items()}
            if "steps" in scaled:
                scaled["steps"] = max(round(scaled["steps"]), 1)
            spec = spec.but(**{**scaled, **change.value})
        return spec

    def _script(self, changed: frozenset[str]) -> str:
        chosen = [name for name in scripts.STEPS if name in self.steps]
        codes = [CHANGES[name].code for name in sorted(changed) if CHANGES[name].code]
        after = [CHANGES[name].after for name in sorted(changed) if CHANGES[name].after]
        lines = [
            scripts.tools(),
            f"EXPECTED[:] = {json.dumps(list(self.look.expected), ensure_ascii=False)}",
            f"rows, changed = clean(load(), {json.dumps(chosen)})",
            *codes,
            f"write(rows, {self.desk.samples})",
            *after,
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Finding:
    """What an investigator says: the causes it names, what it did not decide, and how often it trained."""

    named: frozenset[str]
    undecided: frozenset[str]
    trainings: int


def noise(score: float, n: int) -> float:
    """Variance of a val score of one training: the luck of n items and that of the seed."""
    smoothed = (score * n + 1) / (n + 2)
    return smoothed * (1 - smoothed) / n + feedback.SEED_SPREAD**2


def sprt(differences: Sequence[float], effect: float, variance: float, wrong: float, missed: float) -> bool | None:
    """Wald's sequential test (1945) of mean 0 against mean `effect`, for differences of known variance.

    True for the effect, False for none, None for not yet; error rates at most about `wrong` and `missed`.
    """
    ratio = sum((d * effect - effect**2 / 2) / variance for d in differences)
    if ratio >= math.log((1 - missed) / wrong):
        return True
    return False if ratio <= math.log(missed / (1 - wrong)) else None


def _drop(bench: Bench, seeds: Sequence[int]) -> tuple[float, float]:
    """How much lower val is with all changes than with none, and the standard error, over these seeds."""
    every = frozenset(bench.suspects)
    sound = [bench.score(frozenset(), seed) for seed in seeds]
    found = [bench.score(every, seed) for seed in seeds]
    n = bench.look.n
    variance = (noise(float(np.mean(sound)), n) + noise(float(np.mean(found)), n)) / len(seeds)
    return float(np.mean(sound) - np.mean(found)), math.sqrt(variance)


def single_factor(bench: Bench, rng: random.Random) -> Finding:
    """Take back one change at a time, compare with all changes in place seed by seed, stop each as soon as it is clear.

    A change is a cause when taking it back brings back at least half of the drop.
    """
    every = frozenset(bench.suspects)
    named: set[str] = set()
    waiting = list(bench.suspects)
    try:
        drop, error = _drop(bench, (0, 1))
        if drop < max(LEAST_DROP, 2 * error):
            drop, error = _drop(bench, (0, 1, 2))
        if drop < max(LEAST_DROP, 2 * error):
            return Finding(frozenset(), frozenset(), bench.trainings)
        effect = drop / 2
        differences: dict[str, list[float]] = {name: [] for name in waiting}
        for seed in range(MOST_SEEDS):
            for name in list(waiting):
                back, found = bench.score(every - {name}, seed), bench.score(every, seed)
                differences[name].append(back - found)
                variance = noise(back, bench.look.n) + noise(found, bench.look.n)
                # Middle between "none" and "all of the drop": the test is of 0 against the drop.
                said = sprt(differences[name], 2 * effect, variance, WRONG_CAUSE / len(bench.suspects), MISSED_CAUSE)
                if said is not None:
                    waiting.remove(name)
                    named |= {name} if said else set()
            if not waiting:
                break
    except Spent:
        pass
    return Finding(frozenset(named), frozenset(waiting), bench.trainings)


def shotgun(bench: Bench, rng: random.Random) -> Finding:
    """Take back about half of the changes at once, drawn anew each time, until val is back; blame what was taken back.

    It goes on until the budget is spent, and stops at the first try that brings back more than half of the drop.
    """
    every = frozenset(bench.suspects)
    try:
        drop, _ = _drop(bench, (0,))
        if drop < LEAST_DROP:
            return Finding(frozenset(), frozenset(), bench.trainings)
        for turn in itertools.count(1):
            back = _half(bench.suspects, rng)
            if bench.score(every - back, turn) - bench.score(every, 0) > drop / 2:
                return Finding(back, frozenset(), bench.trainings)
            if turn >= 60:
                break
    except Spent:
        pass
    return Finding(frozenset(), every, bench.trainings)


def screening(bench: Bench, rng: random.Random, tries: int = 8) -> Finding:
    """The shotgun's own tries, read as an experiment: least squares over random halves, in which every change is taken
    back in about half of the tries; causes are those whose coefficient is more than half of the drop."""
    every = frozenset(bench.suspects)
    try:
        drop, _ = _drop(bench, (0,))
        if drop < LEAST_DROP:
            return Finding(frozenset(), frozenset(), bench.trainings)
        halves = [_half(bench.suspects, rng) for _ in range(tries)]
        scores = [bench.score(every - back, turn + 1) for turn, back in enumerate(halves)]
    except Spent:
        return Finding(frozenset(), every, bench.trainings)
    design = np.array(
        [[1.0, *(name in back for name in bench.suspects)] for back in [frozenset[str](), every, *halves]]
    )
    seen = [bench.score(every, 0), bench.score(frozenset(), 0), *scores]
    found = np.linalg.lstsq(design, np.array(seen), rcond=None)[0][1:]
    named = {name for name, value in zip(bench.suspects, found, strict=True) if value > drop / 2}
    return Finding(frozenset(named), frozenset(), bench.trainings)


def _half(suspects: Sequence[str], rng: random.Random) -> frozenset[str]:
    """A random half, never none and never all."""
    return frozenset(rng.sample(list(suspects), (len(suspects) + rng.randint(0, 1)) // 2))


Investigator = Callable[[Bench, random.Random], Finding]
INVESTIGATORS: Mapping[str, Investigator] = {
    "single-factor": single_factor,
    "shotgun": shotgun,
    "screening": screening,
}


def cells(names: Sequence[str], seeds: Sequence[int], causes: Sequence[str]) -> list[dict[str, Any]]:
    """The cases: every task and seed with every cause and with none (`nothing`), one row an investigator."""
    unknown = [cause for cause in causes if cause != NONE and cause not in CHANGES]
    if unknown:
        raise ParameterError(f"no change is called {unknown[0]!r}", f"causes: {', '.join(c.name for c in CAUSES)}")
    return [
        {"task": name, "seed": seed, "cause": cause, "investigator": who}
        for seed in seeds
        for cause in causes
        for name in names
        for who in INVESTIGATORS
    ]


def harmful(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of cases whose planted cause does harm, or that have none."""
    harm: Any = rows.groupby(["task", "seed", "cause"])["harm"].transform("max")
    kept: Any = rows[(rows["cause"] == NONE) | ~(harm < HARM)]
    return kept


def play(
    cell: Mapping[str, Any],
    base: Base,
    worker: TrainingWorker,
    start: TrainSpec,
    limits: Limits,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The row of a case: what was named, whether that is exactly the cause, which herrings were blamed, what was spent.

    `harm` is what all changes together cost on the select split, normalised points, mean over two seeds.
    """
    name, seed, cause = str(cell["task"]), int(cell["seed"]), str(cell["cause"])
    made = tasks.make(name, seed, sizes)
    rng = random.Random(f"causes/{name}/{seed}/{cause}/{cell['investigator']}")
    suspects = [change.name for change in HERRINGS] + ([cause] if cause != NONE else [])
    random.Random(f"suspects/{name}/{seed}/{cause}").shuffle(suspects)
    with (
        tempfile.TemporaryDirectory(prefix="triptych-causes-") as folder,
        workplace.run(Path(folder), name, seed, base, worker, sizes=sizes, limits=limits) as session,
    ):
        bench = Bench(session, start, suspects)
        found = INVESTIGATORS[str(cell["investigator"])](bench, rng)
        spent = session.ledger.total().nominal_cpu
        harm = _harm(bench, session, made, worker)
    right = frozenset() if cause == NONE else frozenset([cause])
    return {
        "named": sorted(found.named),
        "right": found.named == right,
        "found": right <= found.named,
        "false": len(found.named - right),
        "herrings": len(HERRINGS),
        "undecided": len(found.undecided),
        "trainings": found.trainings,
        "seconds": spent,
        "harm": harm,
    }


def _harm(bench: Bench, session: Session, made: tasks.Task, worker: TrainingWorker) -> float:
    """Normalised points on select that all changes together cost, over the seeds that were trained both ways."""
    prompts = [(prompt.prompt, prompt.choices) for prompt in session.task.prompts("select")]

    def points(changed: frozenset[str], seed: int) -> float:
        model = bench.models.get((changed, seed))
        folder = session.folder / "models" / model if model else None
        return made.normalised(made.score(worker.answer(prompts, folder, Clock()), "select"), "select")

    every = frozenset(bench.suspects)
    seeds = [seed for seed in (0, 1) if {(frozenset(), seed), (every, seed)} <= set(bench.models)]
    return float(np.mean([points(frozenset(), seed) - points(every, seed) for seed in seeds])) if seeds else math.nan
