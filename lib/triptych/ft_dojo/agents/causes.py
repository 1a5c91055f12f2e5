"""Which of several changes broke a training? Planted causes among red herrings, and ways to look for them.

A case is a training that was fine, and the same with several things changed at once: at most one of them does harm, the
others do not matter. An investigator may train with any of the changes taken back and look at val, within a budget of
nominal CPU-seconds, and names the causes. Trainings of the planter, with seeds that no investigator uses and scored on
the select split, say whether what was planted did any harm at all.
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
LEAST_DROP = 0.10  # of the val score: the drop that the first test is set to find
LEAST_SEEDS = 2  # before anything is said of a suspect
HARM = 10.0  # normalised points on select that a planted cause must cost to be one
HARM_SEEDS = (1000, 1001, 1002)  # of the planter's trainings
PATIENT = Limits(nominal_cpu=1000.0, evaluations=100, actions=300, training_tokens=100_000_000)  # the planter's


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


class _Pairs:
    """Differences of two trainings with the same seed, for each of several comparisons."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.differences: dict[str, list[float]] = {}
        self._expected: list[float] = []

    def add(self, name: str, better: float, worse: float) -> None:
        self.differences.setdefault(name, []).append(better - worse)
        self._expected.append(noise(better, self.n) + noise(worse, self.n))

    def variance(self) -> float:
        """What was expected of the luck of items and seeds, or what was seen within comparisons, where that is more:
        some tasks depend on the seed more than others."""
        expected = float(np.mean(self._expected))
        lists = self.differences.values()
        freedom = sum(len(values) - 1 for values in lists)
        if freedom < 4:
            return expected
        return max(expected, sum(float(np.var(values)) * len(values) for values in lists) / freedom)

    def said(self, name: str, effect: float, wrong: float, missed: float) -> bool | None:
        """What the sequential test says of a comparison."""
        values = self.differences[name]
        return sprt(values, effect, self.variance(), wrong, missed) if len(values) >= LEAST_SEEDS else None


def single_factor(bench: Bench, rng: random.Random) -> Finding:
    """First whether val dropped at all; then take back one change at a time and compare with all changes in place, seed
    by seed. Every comparison goes on until it is clear or the budget is spent.

    A change is a cause when taking it back brings back at least half of the drop: the test is of none against all.
    """
    every = frozenset(bench.suspects)
    named: set[str] = set()
    waiting = list(bench.suspects)
    drops, pairs = _Pairs(bench.look.n), _Pairs(bench.look.n)
    broken: bool | None = None
    try:
        for seed in itertools.count():
            drops.add("drop", bench.score(frozenset(), seed), bench.score(every, seed))
            broken = drops.said("drop", LEAST_DROP, WRONG_CAUSE, MISSED_CAUSE)
            if broken is not None:
                break
        if not broken:
            return Finding(frozenset(), frozenset(), bench.trainings)
        drop = float(np.mean(drops.differences["drop"]))
        for seed in itertools.count():
            for name in waiting:
                pairs.add(name, bench.score(every - {name}, seed), bench.score(every, seed))
            for name in list(waiting):
                said = pairs.said(name, drop, WRONG_CAUSE / len(bench.suspects), MISSED_CAUSE)
                if said is not None:
                    waiting.remove(name)
                    named |= {name} if said else set()
            if not waiting:
                break
    except Spent:
        pass
    return Finding(frozenset(named), frozenset(waiting), bench.trainings)


def _drop(bench: Bench) -> float:
    """How much lower val is with all changes than with none, by one training each."""
    return bench.score(frozenset(), 0) - bench.score(frozenset(bench.suspects), 0)


def shotgun(bench: Bench, rng: random.Random) -> Finding:
    """Take back some of the changes at once, a coin for each, until val is back; blame what was taken back.

    It goes on until the budget is spent, and stops at the first try that brings back more than half of the drop.
    """
    every = frozenset(bench.suspects)
    try:
        drop = _drop(bench)
        if drop < LEAST_DROP / 2:
            return Finding(frozenset(), frozenset(), bench.trainings)
        for turn in itertools.count(1):
            back = _some(bench.suspects, rng)
            if bench.score(every - back, turn) - bench.score(every, 0) > drop / 2:
                return Finding(back, frozenset(), bench.trainings)
    except Spent:
        pass
    return Finding(frozenset(), every, bench.trainings)


def screening(bench: Bench, rng: random.Random, tries: int = 8) -> Finding:
    """The shotgun's own tries, read as an experiment: least squares over random parts, in which every change is taken
    back in about half of the tries; causes are those whose coefficient is more than half of the drop."""
    every = frozenset(bench.suspects)
    try:
        drop = _drop(bench)
        if drop < LEAST_DROP / 2:
            return Finding(frozenset(), frozenset(), bench.trainings)
        parts = [_some(bench.suspects, rng) for _ in range(tries)]
        scores = [bench.score(every - back, turn + 1) for turn, back in enumerate(parts)]
    except Spent:
        return Finding(frozenset(), every, bench.trainings)
    design = np.array([[1.0, *(name in back for name in bench.suspects)] for back in [frozenset[str](), every, *parts]])
    seen = [bench.score(every, 0), bench.score(frozenset(), 0), *scores]
    found = np.linalg.lstsq(design, np.array(seen), rcond=None)[0][1:]
    named = {name for name, value in zip(bench.suspects, found, strict=True) if value > drop / 2}
    return Finding(frozenset(named), frozenset(), bench.trainings)


def _some(suspects: Sequence[str], rng: random.Random) -> frozenset[str]:
    """Each with even odds; never none and never all."""
    while True:
        chosen = frozenset(name for name in suspects if rng.random() < 0.5)
        if 0 < len(chosen) < len(suspects):
            return chosen


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
    kept: Any = rows[(rows["cause"] == NONE) | (harm >= HARM)]
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

    `harm` is what all changes together cost on the select split, normalised points, mean over the planter's seeds. It
    is the same for all investigators, so only the first one's row holds it, the others' NaN.
    """
    name, seed, cause = str(cell["task"]), int(cell["seed"]), str(cell["cause"])
    rng = random.Random(f"causes/{name}/{seed}/{cause}/{cell['investigator']}")
    suspects = [change.name for change in HERRINGS] + ([cause] if cause != NONE else [])
    random.Random(f"suspects/{name}/{seed}/{cause}").shuffle(suspects)
    with (
        tempfile.TemporaryDirectory(prefix="triptych-causes-") as folder,
        workplace.run(Path(folder), name, seed, base, worker, sizes=sizes, limits=limits) as session,
    ):
        found = INVESTIGATORS[str(cell["investigator"])](Bench(session, start, suspects), rng)
        spent = session.ledger.total().nominal_cpu
    right = frozenset() if cause == NONE else frozenset([cause])
    first = cell["investigator"] == next(iter(INVESTIGATORS))
    return {
        "named": sorted(found.named),
        "right": found.named == right,
        "found": right <= found.named,
        "false": len(found.named - right),
        "herrings": len(HERRINGS),
        "undecided": len(found.undecided),
        "trainings": found.trainings,
        "seconds": spent,
        "harm": _harm(name, seed, suspects, base, worker, start, sizes) if first else math.nan,
    }


def _harm(
    name: str,
    seed: int,
    suspects: Sequence[str],
    base: Base,
    worker: TrainingWorker,
    start: TrainSpec,
    sizes: Mapping[str, int] | None,
) -> float:
    """Normalised points on select that all suspects together cost, mean over the planter's own trainings."""
    made = tasks.make(name, seed, sizes)
    with (
        tempfile.TemporaryDirectory(prefix="triptych-harm-") as folder,
        workplace.run(Path(folder), name, seed, base, worker, sizes=sizes, limits=PATIENT) as session,
    ):
        bench = Bench(session, start, suspects)
        prompts = [(prompt.prompt, prompt.choices) for prompt in session.task.prompts("select")]

        def points(changed: frozenset[str], run: int) -> float:
            bench.score(changed, run)
            model = bench.models.get((changed, run))  # none: the training failed, which answers nothing
            answers = worker.answer(prompts, session.folder / "models" / model, Clock()) if model else None
            return made.normalised(made.score(answers, "select"), "select") if answers else 0.0

        every = frozenset(suspects)
        return float(np.mean([points(frozenset(), run) - points(every, run) for run in HARM_SEEDS]))
