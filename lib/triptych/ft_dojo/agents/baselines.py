"""What FT-Agent is held against: agents with the same session, actions and budgets, and none of its three components.

Searches draw from the same cleaning steps and trainings that the strategist knows, so that what differs is how a
candidate is found and judged, not what it may be.
"""

from __future__ import annotations

import base64
import json
import math
import random
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from triptych.ft_dojo import tasks
from triptych.ft_dojo.agents import scripts
from triptych.ft_dojo.agents.desk import Desk
from triptych.ft_dojo.agents.plan import Agent, Look, Scored, Verdict
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import BASE, Session
from triptych.ft_dojo.tiny import FINE_TUNE
from triptych.ft_dojo.trainer import TrainSpec

NO_PROPOSER = "none"
LEAST_LEFT = 1.0  # nominal CPU-seconds below which nothing new is begun
IN_VAIN = 5  # candidates in a row that failed, until a search ends
LENGTHS = (30, 60, 90, 120, 180)  # optimiser steps
RATES = (5e-4, 3e-2)  # learning rates, both ends of the range
BATCHES = (16, 32)
SCHEDULES = ("cosine", "linear", "constant")


class Base:
    """Submits the base model as it is."""

    name, proposer = "base", NO_PROPOSER

    def play(self, session: Session) -> Verdict:
        return Desk(session).finish(self.name, self.proposer, [BASE], "nothing was trained")


class Default:
    """Trains once on every usable row as it stands."""

    name, proposer = "default", NO_PROPOSER

    def __init__(self, seed: int = 0, spec: TrainSpec = FINE_TUNE) -> None:
        self.spec = spec.but(seed=seed)

    def play(self, session: Session) -> Verdict:
        desk = Desk(session)
        return _submit_best(desk, self, [desk.tried(self.spec, scripts.raw(desk.samples))])


# What somebody who knows the domain does, written down before any result. Steps are those of `data_tools`.
_WHOLE = ("exchange", "drop_blank", "drop_cut", "drop_repeats", "drop_conflicts")
RECIPES: Mapping[str, tuple[tuple[str, ...], int]] = {
    # Word problems: answers are bare numbers, and a calculation that most rows of a wording follow is the right one.
    "math": ((*_WHOLE, "unwrap", "drop_odd", "drop_miscalculated"), 120),
    # Claims: letters or verdicts from a closed list.
    "patent": ((*_WHOLE, "to_option", "unwrap"), 120),
    # SMILES: an answer is a whole molecule, never a fragment and never the question's own.
    "chemistry": ((*_WHOLE, "unwrap", "drop_odd", "drop_echo"), 120),
    # Four options: the answer is one of them.
    "finance": ((*_WHOLE, "to_option", "drop_miscalculated"), 120),
    # Small tables: a name, a number, true or false, or a chart's specification.
    "table": ((*_WHOLE, "to_option", "unwrap", "drop_odd"), 120),
}


class HumanRecipe:
    """A fixed recipe per domain: its cleaning steps, its number of steps, then one seed after another."""

    name, proposer = "human recipe", NO_PROPOSER

    def __init__(self, seed: int = 0, seeds: int = 3) -> None:
        self.seed, self.seeds = seed, seeds

    def play(self, session: Session) -> Verdict:
        desk = Desk(session)
        look = desk.look()
        expected = () if isinstance(look, ErrorObservation) else look.expected
        steps, length = RECIPES[session.task.card.domain]
        script = scripts.cleaning(steps, expected, desk.samples)
        spec = FINE_TUNE.but(steps=length, seed=self.seed)
        return _submit_best(
            desk, self, [desk.tried(spec.but(seed=self.seed + turn), script) for turn in range(self.seeds)]
        )


class Oracle:
    """Knows what was planted: trains on the generator's own clean rows. No agent, but what one could reach."""

    name, proposer = "oracle", "planted damage"

    def __init__(self, made: tasks.Task, seed: int = 0, seeds: int = 3, length: int = 120) -> None:
        self.made, self.seed, self.seeds, self.length = made, seed, seeds, length

    def play(self, session: Session) -> Verdict:
        desk = Desk(session)
        script = oracle_script(self.made, desk.samples)
        spec = FINE_TUNE.but(steps=self.length)
        return _submit_best(
            desk, self, [desk.tried(spec.but(seed=self.seed + turn), script) for turn in range(self.seeds)]
        )


def oracle_script(made: tasks.Task, most: int) -> str:
    """A script that keeps the oracle's rows: those that it takes as they stand by number, the others word for word."""
    wanted = {sample.prompt: sample.completion for sample in made.oracle_samples()}
    kept: list[int] = []
    for number, row in enumerate(made.public):
        sample = row.sample
        if wanted.get(sample.prompt) == sample.completion:
            kept.append(number)
            del wanted[sample.prompt]
    repaired = [{"prompt": prompt, "completion": completion} for prompt, completion in wanted.items()]
    # Packed, because the rows of some tasks are longer than a script may be.
    packed = base64.b85encode(zlib.compress(json.dumps([kept, repaired]).encode())).decode()
    return f"""{scripts.tools()}
import base64
import zlib

kept, repaired = json.loads(zlib.decompress(base64.b85decode({packed!r})))
rows = load()
write([rows[number] for number in kept], {most})
with Path("out/train.jsonl").open("a", encoding="utf-8") as out:
    for row in repaired:
        out.write(json.dumps(row, ensure_ascii=False) + "\\n")
"""


Choice = dict[str, Any]


class _Search:
    """A search over cleaning steps and trainings that submits the highest val score it saw."""

    name, proposer = "search", NO_PROPOSER

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def play(self, session: Session) -> Verdict:
        desk = Desk(session)
        look = desk.look()
        if isinstance(look, ErrorObservation):
            return desk.finish(self.name, self.proposer, [BASE], f"nothing can be seen: {look.message}")
        self.search(desk, look, _found(look))
        models = [scored.model for scored in desk.best()[:1]]
        return desk.finish(self.name, self.proposer, models, "the budget is spent", len(desk.scored))

    def search(self, desk: Desk, look: Look, steps: Sequence[str]) -> None:
        raise NotImplementedError

    def score(self, desk: Desk, look: Look, choice: Choice) -> float | None:
        """Val score of a choice, None when it failed."""
        taken = [name for name, value in choice.items() if value is True]
        script = scripts.cleaning(taken, look.expected, desk.samples)
        scored = desk.tried(spec_of(choice, self.seed), script)
        return None if isinstance(scored, ErrorObservation) else scored.score


class RandomSearch(_Search):
    """Draws every part of a candidate by itself."""

    name = "random search"

    def search(self, desk: Desk, look: Look, steps: Sequence[str]) -> None:
        rng, failed = random.Random(f"random/{self.seed}"), 0
        while _goes_on(desk, failed):
            failed = failed + 1 if self.score(desk, look, _drawn(rng, steps)) is None else 0


class HillClimbing(_Search):
    """Begins with the default on raw rows, changes one part at a time, and keeps what scores higher."""

    name = "hill climbing"

    def search(self, desk: Desk, look: Look, steps: Sequence[str]) -> None:
        rng, failed = random.Random(f"climb/{self.seed}"), 0
        best: Choice = {
            **dict.fromkeys(steps, False), "steps": FINE_TUNE.steps, "learning_rate": FINE_TUNE.learning_rate,
            "batch": FINE_TUNE.batch, "schedule": FINE_TUNE.schedule,
        }  # fmt: skip
        height = self.score(desk, look, best) or 0.0
        while _goes_on(desk, failed):
            other = _drawn(rng, steps)
            part = rng.choice(sorted(best))
            changed = {**best, part: (not best[part]) if part in steps else other[part]}
            if changed == best:
                continue
            found = self.score(desk, look, changed)
            failed = failed + 1 if found is None else 0
            if found is not None and found > height:
                best, height = changed, found


class TPE(_Search):
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) with median pruning.

    A candidate is first trained for a third of its steps; the pruner compares that val score with the others' at the
    same place, and what falls behind is not trained on. Three candidates are drawn at random before the estimator
    speaks: with the default of ten it would be random search within this budget.
    """

    name, startup = "TPE", 3

    def search(self, desk: Desk, look: Look, steps: Sequence[str]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=self.startup)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=self.startup)
        study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        failed = 0
        while _goes_on(desk, failed):
            trial = study.ask()
            choice: Choice = {name: trial.suggest_categorical(name, [True, False]) for name in steps}
            choice["steps"] = trial.suggest_categorical("steps", list(LENGTHS))
            choice["learning_rate"] = round(trial.suggest_float("learning_rate", *RATES, log=True), 6)
            choice["batch"] = trial.suggest_categorical("batch", list(BATCHES))
            choice["schedule"] = trial.suggest_categorical("schedule", list(SCHEDULES))
            third = self.score(desk, look, {**choice, "steps": choice["steps"] // 3})
            if third is not None:
                trial.report(third, 1)
                if trial.should_prune():
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    failed = 0
                    continue
            whole = self.score(desk, look, choice) if third is not None and _goes_on(desk, 0) else None
            if whole is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                failed += 1
            else:
                study.tell(trial, whole)
                failed = 0


def spec_of(choice: Choice, seed: int) -> TrainSpec:
    """The training that a choice describes."""
    names = ("steps", "learning_rate", "batch", "schedule")
    return FINE_TUNE.but(seed=seed, **{name: choice[name] for name in names})


def searches(seed: int) -> list[Agent]:
    """The three searches."""
    return [RandomSearch(seed), TPE(seed), HillClimbing(seed)]


def _drawn(rng: random.Random, steps: Sequence[str]) -> Choice:
    low, high = map(math.log, RATES)
    return {
        **{name: rng.random() < 0.5 for name in steps},
        "steps": rng.choice(LENGTHS),
        "learning_rate": round(math.exp(rng.uniform(low, high)), 6),
        "batch": rng.choice(BATCHES),
        "schedule": rng.choice(SCHEDULES),
    }


def _found(look: Look) -> list[str]:
    """The cleaning steps that would change anything: the only ones worth searching over."""
    return [name for name in scripts.STEPS if look.changed.get(name, 0) > 0]


def _goes_on(desk: Desk, failed: int) -> bool:
    left = desk.left
    enough = left.nominal_cpu >= LEAST_LEFT and left.evaluations >= 1 and left.actions > 5
    return enough and failed < IN_VAIN and not desk.session.done


def _submit_best(
    desk: Desk, agent: Base | Default | HumanRecipe | Oracle, tried: Sequence[Scored | ErrorObservation]
) -> Verdict:
    models = [scored.model for scored in desk.best()]
    errors = [error.message for error in tried if isinstance(error, ErrorObservation)]
    reason = "; ".join(dict.fromkeys(errors)) or "as planned"
    return desk.finish(agent.name, agent.proposer, models, reason, len(tried))
