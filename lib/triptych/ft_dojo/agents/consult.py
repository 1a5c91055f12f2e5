"""What FT-Agent asks a co-pilot beyond its gates: which of several plans to spend the rest of the budget on.

A gate asks whether one plan is worth its training, and mostly it is. What the agent cannot know is which seed or
learning rate of a long training will do best, because it can pay for one only. So before a plan that takes most of what
is left, it puts others beside it and asks between two at a time; the winner meets the next.
"""

from __future__ import annotations

from collections.abc import Iterator

from triptych.ft_dojo.agents.gates import Ask, Gate
from triptych.ft_dojo.agents.plan import Plan, Situation
from triptych.ft_dojo.agents.planner import APART, Planner
from triptych.ft_dojo.agents.rules import SPEC_RULES
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import BASE
from triptych.ft_dojo.trainer import TrainSpec

DEAR = 0.5  # of what is left, from which a plan is the last of its size
RATES = ("slower", "faster")  # rules whose learning rates stand beside the plan's own


class Choice(Gate):
    """Whether to try `plan` rather than `rival`."""

    rival: Plan

    @property
    def question(self) -> str:
        """The choice in words."""
        return f"[choice {self.number}] Rather the first than the second? {self.about}"[:1900]


class AskTwice(Ask):
    """Asks as `Ask` does, and takes a no to a plan only when it is said twice: at its strategy and at its full run.

    A person who is right nine times in ten refuses a good plan once in a hundred then. What val has decided about a
    candidate is not asked again.
    """

    _doubted = False

    def approve(self, gate: Gate) -> bool | None:
        """The human's answer; None to go on, when it was not asked or not confirmed."""
        if isinstance(gate, Choice):
            return super().approve(gate)
        if gate.kind == "strategy":
            self._doubted = super().approve(gate) is False
            return None
        if gate.kind == "full run":
            return super().approve(gate) if self._doubted else None
        return super().approve(gate) if gate.own is None else None


class Consulting:
    """A planner whose dear plans are chosen by asking."""

    def __init__(self, planner: Planner, ask: Ask) -> None:
        self.planner, self.ask = planner, ask
        self.choices = 0

    @property
    def name(self) -> str:
        """The planner's: it is its table that plans come from."""
        return self.planner.name

    def propose(self, situation: Situation) -> Plan | None:
        """The planner's plan, or the one that was preferred to it."""
        plan = self.planner.propose(situation)
        best = situation.best or max(
            (sibling for sibling in situation.siblings if sibling.runs), key=lambda sibling: sibling.mean, default=None
        )
        if plan is None or best is None:
            return plan
        price = best.nominal * (plan.spec.steps or 1) / (best.plan.spec.steps or 1)
        if price < DEAR * situation.left.nominal_cpu:
            return plan
        tried = {sibling.plan.key for sibling in situation.siblings}
        for other in _beside(plan):
            if other.key not in tried and self._preferred(other, plan, situation):
                plan = other
        return plan

    def repair(self, situation: Situation, plan: Plan, error: ErrorObservation) -> Plan | None:
        """The planner's."""
        return self.planner.repair(situation, plan, error)

    def _preferred(self, other: Plan, plan: Plan, situation: Situation) -> bool:
        self.choices += 1
        said = self.ask.approve(
            Choice(
                number=self.choices,
                kind="strategy",
                about=f"First: {_training(other)}. Second: {_training(plan)}.",
                plan=other,
                rival=plan,
                best=situation.best.runs[0].model if situation.best else BASE,
                tried=sum(bool(sibling.runs) for sibling in situation.siblings),
                own=None,
            )
        )
        return bool(said)


def _beside(plan: Plan) -> Iterator[Plan]:
    """The same plan with two other seeds and two other learning rates, in turn."""

    def beside(name: str, spec: TrainSpec) -> Plan:
        factor = f"{plan.hypothesis.factor}, {name}"
        return plan.model_copy(
            update={"spec": spec, "hypothesis": plan.hypothesis.model_copy(update={"factor": factor})}
        )

    for turn, rule in enumerate((rule for rule in SPEC_RULES if rule.name in RATES), 1):
        yield beside("another seed", plan.spec.but(seed=plan.spec.seed + turn * APART))
        yield beside(rule.name, rule.change(plan.spec))


def _training(plan: Plan) -> str:
    return f"{plan.spec.steps} steps, learning rate {plan.spec.learning_rate:g}, seed {plan.spec.seed}"
