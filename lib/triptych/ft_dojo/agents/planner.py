"""FT-Agent's strategist: the table of `rules`, and a budget that is spent to its end.

`rules.Strategist` lengthens step by step and stops where the next training is too dear. Here the first longer training
is at once as long as the base needs, a training is cut to what can be paid together with its evaluation, since what
cannot be scored was trained in vain, and what is left when nothing can be lengthened any more goes into other seeds of
the best plan, of which the hidden select split may prefer one. Worked out on seeds 100 and 101 with known damage.
"""

from __future__ import annotations

from collections.abc import Iterator

from triptych.ft_dojo.agents.plan import Hypothesis, Plan, Situation, Tried
from triptych.ft_dojo.agents.rules import Strategist
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.tiny import FINE_TUNE
from triptych.ft_dojo.trainer import TrainSpec

MARGIN = 0.1  # nominal CPU-seconds: batches of one length differ a little in their tokens, and a rehearsal costs some
GOAL = 300  # steps after which few tasks still gain: the first longer training goes there at once
LENGTHENED = 1.25  # times the best plan's steps, from which a training is called longer
CUT = 0.5  # of the best plan's steps, below which a training says nothing about it
SEEDS = 5  # of one plan
APART = 10  # between two of those: the next few belong to the repeats that feedback asks for


class Planner(Strategist):
    """Proposes by the table of `rules` within what is left. With the same situation it proposes the same plan.

    Of the session it reads the ledger only: what the evaluations so far have cost.
    """

    def __init__(self, session: Session, start: TrainSpec = FINE_TUNE) -> None:
        super().__init__(start)
        self.session = session

    def propose(self, situation: Situation) -> Plan | None:
        """A longer training of the best plan, another seed of it, what else the table says, further seeds."""
        best = _best(situation)
        if best is None:
            return super().propose(situation)
        tried = {sibling.plan.key for sibling in situation.siblings}
        return next((plan for plan in self._plans(situation, best) if plan.key not in tried), None)

    def repair(self, situation: Situation, plan: Plan, error: ErrorObservation) -> Plan | None:
        """As the table of repairs says; what was too dear is cut to what can be paid, or given up."""
        best = _best(situation)
        if error.code == "budget" and best is not None:
            return self._cut(plan.model_copy(update={"hypothesis": _CHEAPER}), best, situation, CUT)
        return super().repair(situation, plan, error)

    def _plans(self, situation: Situation, best: Tried) -> Iterator[Plan]:
        changes = {plan.hypothesis.factor: plan for plan in self._spec_changes(best)}
        longer = changes.pop("longer")
        if (best.plan.spec.steps or 1) * LENGTHENED < GOAL:
            longer = longer.model_copy(update={"spec": longer.spec.but(steps=GOAL, epochs=None)})
        seeds = [
            best.plan.model_copy(
                update={"spec": best.plan.spec.but(seed=best.plan.spec.seed + APART * turn), "hypothesis": _LUCK}
            )
            for turn in range(1, SEEDS)
        ]
        others = [*changes.values(), *self._data_changes(situation, best)]
        for plan, least in [(longer, LENGTHENED), (seeds[0], CUT), *((plan, 1.0) for plan in others)]:
            if (cut := self._cut(plan, best, situation, least)) is not None:
                yield cut
        yield from (cut for plan in seeds[1:] if (cut := self._cut(plan, best, situation, CUT)) is not None)

    def _cut(self, plan: Plan, best: Tried, situation: Situation, least: float) -> Plan | None:
        """The plan with no more steps than can be paid, by what the best's training cost; None below `least` of the
        best's steps."""
        now, wanted = best.plan.spec.steps or 1, plan.spec.steps or 1
        seconds = situation.left.nominal_cpu - self._price_beside(plan, best)
        steps = min(wanted, int(seconds * now / best.nominal)) if best.nominal else wanted
        if steps < least * now:
            return None
        return plan if steps == wanted else plan.model_copy(update={"spec": plan.spec.but(steps=steps, epochs=None)})

    def _price_beside(self, plan: Plan, best: Tried) -> float:
        """Nominal CPU-seconds of what a plan costs beside its training: its evaluation, and its script if that is new,
        with the debug run and the rehearsal before it."""
        scoring = max(charge.nominal_cpu for _, kind, charge in self.session.ledger.rows if kind == "evaluate")
        if plan.script == best.plan.script:
            return scoring + MARGIN
        limits = self.session.task.card.limits
        return scoring + limits.debug_script.nominal + limits.full_script.nominal + MARGIN


_LUCK = Hypothesis(
    factor="another seed",
    direction="up",
    mechanism="seeds of one plan differ by several points, and one of them may be luckier than the best so far",
    falsifier="val does not rise above the best",
)
_CHEAPER = Hypothesis(
    factor="repair of budget",
    direction="up",
    mechanism="a shorter training can be paid, and scored",
    falsifier="the same error comes back",
)


def _best(situation: Situation) -> Tried | None:
    """The accepted plan; while none is, the highest mean, and of equals the longest training: where val cannot tell
    plans apart yet, more steps are the likeliest way out."""
    ran = [sibling for sibling in situation.siblings if sibling.runs]
    return situation.best or max(ran, key=lambda sibling: (sibling.mean, sibling.plan.spec.steps or 0), default=None)
