"""The rule-based strategist: deterministic, offline, and all it knows of fine-tuning in one table.

It was written from what an agent is shown: instructions, public rows, wrong val items, losses, errors. What generators
plant, and what they reserve, it does not know; it looks for rows that disagree with the other rows.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from triptych.ft_dojo.agents import scripts
from triptych.ft_dojo.agents.plan import Hypothesis, Plan, Situation, Tried
from triptych.ft_dojo.environment.budget import Spent
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.tiny import FINE_TUNE
from triptych.ft_dojo.trainer import TrainSpec

SOME = 0.005  # share of rows that a cleaning step must change to be worth taking
MOST = 0.5  # share beyond which it rather misreads the data
RESERVE = 0.3  # nominal CPU-seconds that are kept back for evaluations
Change = Callable[[TrainSpec], TrainSpec]
When = Callable[[Tried], bool]


@dataclass(frozen=True)
class DataRule:
    """Take a cleaning step when it finds something; `why` is the reason, `safe` whether it can hardly do harm."""

    step: str
    why: str
    safe: bool = True


@dataclass(frozen=True)
class SpecRule:
    """Change the training of the best plan when its feedback says `when`."""

    name: str
    when: When
    change: Change
    why: str
    falsifier: str


def _slope(least: float, most: float) -> When:
    return lambda best: best.curve is not None and least <= best.curve.slope < most


def _longer(factor: float) -> Change:
    return lambda spec: spec.but(steps=round((spec.steps or 1) * factor), epochs=None)


def _rate(factor: float) -> Change:
    return lambda spec: spec.but(learning_rate=round(spec.learning_rate * factor, 6))


# --- the table --------------------------------------------------------------------------------------------------------

DATA_RULES = (
    DataRule("exchange", "an answer that ends like a question, beside a question that does not, was put in its place"),
    DataRule("drop_blank", "a row without a question or an answer teaches nothing"),
    DataRule("drop_cut", "a question that stops before its end asks something else, or nothing"),
    DataRule("to_option", "an answer that is none of the options cannot be chosen; often it holds one"),
    DataRule("unwrap", "words around an answer cost score wherever the answer must match, and split what is learned"),
    DataRule("drop_odd", "an answer of another form is in another unit, notation or column", safe=False),
    DataRule("drop_echo", "an answer copied from the question is an easy wrong habit to learn", safe=False),
    DataRule("drop_repeats", "a row that stands twice counts twice, and most of all if it is wrong"),
    DataRule("drop_near", "the same item in other words counts twice", safe=False),
    DataRule("drop_conflicts", "one of two answers to the same question is wrong; a majority is more often right"),
    DataRule("drop_miscalculated", "what one calculation explains for most rows is the rule; the rest is noise", False),
)

SPEC_RULES = (
    SpecRule(
        "longer",
        lambda best: True,
        _longer(2.4),
        "more passes over the same rows: on a small base the length decides most, and what is left pays for it",
        "val does not rise with the steps",
    ),
    SpecRule(
        "calmer",
        lambda best: best.curve is not None and best.curve.noise > 0.35,
        _rate(0.5),
        "the loss jumps by more than a third of itself from point to point: the steps are too large",
        "the loss stays as noisy, or val falls",
    ),
    SpecRule(
        "faster",
        _slope(-0.08, 9.0),
        _rate(1.6),
        "the loss has levelled out: larger steps may leave where it stands",
        "the loss levels out at the same height",
    ),
    SpecRule(
        "slower",
        lambda best: True,
        _rate(0.6),
        "smaller steps settle lower when the schedule ends",
        "the last loss is not lower",
    ),
)

# What to do about an error: how the training is changed, and why.
REPAIRS: dict[str, tuple[Change, str]] = {
    "nan": (_rate(0.25), "the loss left the finite: the steps were too large by far"),
    "memory": (lambda spec: spec.but(batch=max(spec.batch // 2, 1)), "half a batch needs half the memory"),
    "budget": (_longer(0.6), "a shorter training fits into what is left"),
    "timeout": (_longer(0.6), "a shorter training ends in time"),
}


# --- the strategist ---------------------------------------------------------------------------------------------------


class Strategist:
    """Proposes by the table above. With the same situation it proposes the same plan."""

    name = "rules"

    def __init__(self, start: TrainSpec = FINE_TUNE) -> None:
        self.start = start

    def propose(self, situation: Situation) -> Plan | None:
        """First every cleaning step that finds something; then one change to the best plan at a time.

        Without history it cannot build on anything: it draws changes to the start, and a seed, by the seed and turn.
        """
        ran = [sibling for sibling in situation.siblings if sibling.runs]
        best = situation.best or max(ran, key=lambda sibling: sibling.mean, default=None)
        if best is None:
            if situation.turn and not situation.siblings:
                return self._drawn(situation)
            return self._first(situation, gentle=bool(situation.turn))
        tried = {sibling.plan.key for sibling in situation.siblings}
        for plan in [*self._spec_changes(best), *self._data_changes(situation, best)]:
            if plan.key not in tried and _affordable(plan, best, situation.left):
                return plan
        return None

    def repair(self, situation: Situation, plan: Plan, error: ErrorObservation) -> Plan | None:
        """By the table of repairs; for data errors, the script without its riskier steps."""
        if error.code in REPAIRS:
            change, why = REPAIRS[error.code]
            changed = change(plan.spec)
            hypothesis = _hypothesis(f"repair of {error.code}", why, f"the same error comes back: {error.code}")
            return None if changed == plan.spec else plan.model_copy(update={"spec": changed, "hypothesis": hypothesis})
        if error.code == "data" and (steps := tuple(name for name in plan.steps if name in _SAFE)) != plan.steps:
            return self._plan(situation, steps, plan.spec, _hypothesis(
                "repair of data", "a step left too few rows, or rows that are none", "the same error comes back",
            ))  # fmt: skip
        return None

    def _first(self, situation: Situation, gentle: bool = False) -> Plan:
        steps = self._found(situation)
        spec = self.start.but(seed=situation.seed)
        if gentle:  # everything failed so far
            steps = tuple(name for name in steps if name in _SAFE)
            spec = spec.but(learning_rate=spec.learning_rate * 0.25**situation.turn)
        why = "; ".join(rule.why for rule in DATA_RULES if rule.step in steps) or "nothing was found to clean"
        return self._plan(situation, steps, spec, _hypothesis(f"data: {', '.join(steps) or 'as it stands'}", why))

    def _drawn(self, situation: Situation) -> Plan:
        """One or two changes to the start. Each has a seed of its own, since who remembers nothing would otherwise
        repeat itself, and stop, long before the budget is spent."""
        rng = random.Random(f"{situation.seed}/{situation.turn}")
        rules = rng.sample(SPEC_RULES, rng.choice((1, 2)))
        first = self._first(situation)
        spec = first.spec.but(seed=situation.seed + situation.turn)
        for rule in rules:
            spec = rule.change(spec)
        name, why = " and ".join(rule.name for rule in rules), "; ".join(rule.why for rule in rules)
        return self._plan(situation, first.steps, spec, _hypothesis(name, why, rules[0].falsifier))

    def _spec_changes(self, best: Tried) -> list[Plan]:
        plan = best.plan
        return [
            plan.model_copy(
                update={
                    "spec": rule.change(plan.spec),
                    "hypothesis": _hypothesis(rule.name, rule.why, rule.falsifier),
                }
            )
            for rule in SPEC_RULES
            if rule.when(best)
        ]

    def _data_changes(self, situation: Situation, best: Tried) -> list[Plan]:
        """The best plan without each of its riskier cleaning steps."""
        steps = best.plan.steps
        risky = [rule for rule in DATA_RULES if rule.step in steps and not rule.safe]
        return [
            self._plan(
                situation,
                tuple(name for name in steps if name != rule.step),
                best.plan.spec,
                _hypothesis(f"without {rule.step}", f"{rule.step} may leave out sound rows", "val falls"),
            )
            for rule in risky
        ]

    def _found(self, situation: Situation) -> tuple[str, ...]:
        look = situation.look
        shares = {name: count / max(look.total, 1) for name, count in look.changed.items()}
        return tuple(rule.step for rule in DATA_RULES if SOME <= shares.get(rule.step, 0.0) <= MOST)

    def _plan(self, situation: Situation, steps: tuple[str, ...], spec: TrainSpec, hypothesis: Hypothesis) -> Plan:
        script = scripts.cleaning(steps, situation.look.expected, most=2000)
        return Plan(script=script, spec=spec, hypothesis=hypothesis, steps=steps)


def _affordable(plan: Plan, best: Tried, left: Spent) -> bool:
    """By what the best plan's training cost, step for step."""
    price = best.nominal * (plan.spec.steps or 1) / (best.plan.spec.steps or 1)
    new_data = 0.0 if plan.script == best.plan.script else 0.3
    return price + new_data + RESERVE <= left.nominal_cpu


_SAFE = {rule.step for rule in DATA_RULES if rule.safe}


def _hypothesis(factor: str, mechanism: str, falsifier: str = "val does not rise above the base") -> Hypothesis:
    return Hypothesis(factor=factor, direction="up", mechanism=mechanism, falsifier=falsifier)
