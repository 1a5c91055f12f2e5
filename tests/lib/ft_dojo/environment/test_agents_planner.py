"""The planner: whatever it proposes can be paid and scored, and it ends with a budget that is spent."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.ft_dojo import trajectory
from triptych.ft_dojo.agents import planner
from triptych.ft_dojo.agents.ft_agent import FTAgent
from triptych.ft_dojo.agents.plan import Curve, Look, Plan, Scored, Situation, Tried
from triptych.ft_dojo.agents.planner import Planner
from triptych.ft_dojo.environment.budget import Charge, Limits, Spent
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.tiny import FINE_TUNE

LOOK = Look(instruction="", total=100, changed={"drop_cut": 5, "drop_odd": 20}, n=100)
BUDGET = ErrorObservation.model_validate({"code": "budget", "message": "m", "hint": "h", "charged": Charge()})
seconds = st.floats(0.0, 30.0).map(lambda value: round(value, 3))


def session_of(evaluation: float) -> Any:
    """The part of a session that a planner looks at: evaluations so far, one of them refused, and the limits."""
    rows = [(1, "inspect", Charge(nominal_cpu=9.0)), (2, "evaluate", Charge(nominal_cpu=evaluation))]
    rows.append((3, "evaluate", Charge(nominal_cpu=0.0)))
    return SimpleNamespace(
        ledger=SimpleNamespace(rows=rows), task=SimpleNamespace(card=SimpleNamespace(limits=Limits()))
    )


def tried(plan: Plan, score: float, per_step: float, number: int = 1) -> Tried:
    return Tried(
        number=number, plan=plan, runs=(Scored(model="m", seed=0, score=score, n=100),), rows=100, decision="accept",
        nominal=per_step * (plan.spec.steps or 0), curve=Curve(first=3.0, last=1.0, slope=-0.01, noise=0.5),
    )  # fmt: skip


def situation(left: float, best: Tried | None, siblings: tuple[Tried, ...], turn: int = 1) -> Situation:
    return Situation(look=LOOK, best=best, siblings=siblings, left=Spent(nominal_cpu=left), turn=turn, seed=3)


def first(evaluation: float = 0.5) -> tuple[Planner, Plan]:
    chosen = Planner(session_of(evaluation))
    plan = chosen.propose(situation(20.0, None, (), 0))
    assert plan is not None and plan.steps == ("drop_cut", "drop_odd") and plan.spec == FINE_TUNE.but(seed=3)
    return chosen, plan


@given(seconds, st.floats(0.001, 0.2), st.floats(0.01, 2.0))
def test_what_is_proposed_can_be_paid_scored_and_is_no_crumb(left: float, per_step: float, evaluation: float) -> None:
    chosen, plan = first(evaluation)
    best = tried(plan, 0.5, per_step)
    siblings = [best]
    while (new := chosen.propose(situation(left, best, tuple(siblings)))) is not None:
        script = 0.0 if new.script == plan.script else 0.3
        assert new == chosen.propose(situation(left, best, tuple(siblings)))
        assert (new.spec.steps or 0) * per_step + evaluation + script <= left + 1e-9
        assert (new.spec.steps or 0) >= planner.CUT * (plan.spec.steps or 0)
        assert new.key not in {other.plan.key for other in siblings}
        siblings.append(tried(new, 0.4, per_step, len(siblings) + 1))
        assert len(siblings) < 20, "the same situation does not go on for ever"
    now = (plan.spec.steps or 0) * per_step
    assert len(siblings) > 1 or now * planner.CUT + evaluation + planner.MARGIN > left - 1e-9


def test_it_lengthens_first_then_tries_another_seed_then_the_rest_of_the_table() -> None:
    chosen, plan = first()
    best = tried(plan, 0.5, 0.02)
    siblings, names = [best], list[str]()
    while (new := chosen.propose(situation(20.0, best, tuple(siblings)))) is not None:
        siblings.append(tried(new, 0.4, 0.02, len(siblings) + 1))
        names.append(new.hypothesis.factor)
    table = ["calmer", "faster", "slower", "without drop_odd"]
    assert names == ["longer", "another seed", *table, *["another seed"] * (planner.SEEDS - 2)]
    assert len({new.plan.spec.seed for new in siblings}) == planner.SEEDS
    assert siblings[1].plan.spec.steps == planner.GOAL
    long = tried(siblings[1].plan, 0.6, 0.02, 2)
    longest = chosen.propose(situation(20.0, long, (best, long)))
    assert longest is not None and longest.spec.steps == 720, "and from there by the table's factor"
    tight = chosen.propose(situation(2.31, best, (best,)))  # 2.31 s less 0.5 and the margin are 85 steps of 0.02 s
    assert tight is not None and (tight.hypothesis.factor, tight.spec.steps) == ("longer", 85)
    tighter = chosen.propose(situation(1.41, best, (best,)))
    assert tighter is not None and (tighter.hypothesis.factor, tighter.spec.steps) == ("another seed", 40)
    assert chosen.propose(situation(1.0, best, (best,))) is None


def test_where_val_tells_nothing_apart_it_goes_on_from_the_longest() -> None:
    chosen, plan = first()
    longer = plan.model_copy(update={"spec": plan.spec.but(steps=120, learning_rate=0.001)})
    runs = (tried(plan, 0.0, 0.02), tried(longer, 0.0, 0.02, 2))
    new = chosen.propose(situation(20.0, None, runs))
    assert new is not None and new.spec.steps == planner.GOAL
    assert new.spec.learning_rate == 0.001
    accepted = chosen.propose(situation(20.0, runs[0], runs))
    assert accepted is not None and accepted.spec.learning_rate != 0.001, "an accepted plan is built on"


def test_a_training_that_is_too_dear_is_cut_to_what_can_be_paid_or_given_up() -> None:
    chosen, plan = first()
    best = tried(plan, 0.5, 0.02)
    dear = Plan(script=plan.script, spec=plan.spec.but(steps=500), hypothesis=plan.hypothesis)
    cut = chosen.repair(situation(5.0, best, (best,)), dear, BUDGET)
    assert cut is not None and cut.spec.steps == 220 and cut.hypothesis.factor == "repair of budget"
    assert chosen.repair(situation(0.9, best, (best,)), dear, BUDGET) is None
    blind = chosen.repair(situation(0.9, None, ()), dear, BUDGET)  # nothing is known of prices yet: as the table says
    assert blind is not None and blind.spec.steps == 300
    assert blind.hypothesis.factor == "repair of budget"


@pytest.mark.usefixtures("isolated")
def test_a_run_scores_all_that_it_trains(begin: Callable[..., Session]) -> None:
    session = begin("run", nominal_cpu=3.0, evaluations=30, actions=90)
    verdict = FTAgent(Planner(session, FINE_TUNE.but(steps=5, batch=8)), seed=1).play(session)
    steps = trajectory.read(session.folder).steps
    trained = [step for step in steps if step.outcome.action == "train" and not (step.action or {})["micro"]]
    scored = {(step.action or {})["model"] for step in steps if step.outcome.action == "evaluate"}
    assert verdict.ended == "submitted" and not [step for step in steps if step.outcome.error]
    assert {str(step.result["model"]) for step in trained} <= scored and len(trained) >= 2
