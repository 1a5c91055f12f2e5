"""Choices put to a co-pilot: who tells the truth finds the best of five plans, and a no has to be said twice."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.ft_dojo.agents.consult import AskTwice, Choice, Consulting
from triptych.ft_dojo.agents.gates import Gate
from triptych.ft_dojo.agents.plan import Hypothesis, Look, Plan, Scored, Situation, Tried
from triptych.ft_dojo.environment.budget import Spent
from triptych.ft_dojo.tiny import FINE_TUNE

HYPOTHESIS = Hypothesis(factor="f", direction="up", mechanism="m", falsifier="w")
SHORT = Plan(script="", spec=FINE_TUNE.but(seed=3), hypothesis=HYPOTHESIS)
LONG = SHORT.model_copy(update={"spec": SHORT.spec.but(steps=300)})
BEST = Tried(number=1, plan=SHORT, runs=(Scored(model="m", seed=3, score=0.4, n=100),), nominal=1.0)


class Person:
    """A session whose human answers `say`, and keeps what it was asked."""

    def __init__(self, *say: bool) -> None:
        self.say, self.asked = list(say), list[str]()
        self.human = None

    def step(self, action: Any) -> Any:
        self.asked.append(action.question)
        return SimpleNamespace(result={"answer": self.say[len(self.asked) - 1]})


class Teller:
    """Prefers by a hidden worth."""

    def __init__(self, seed: int) -> None:
        self.seed, self.choices = seed, list[Choice]()

    def worth(self, plan: Plan) -> float:
        return random.Random(f"{self.seed}/{plan.key}").random()

    def approve(self, gate: Gate) -> bool | None:
        assert isinstance(gate, Choice)
        self.choices.append(gate)
        return self.worth(gate.plan) > self.worth(gate.rival)


def situation(left: float, *siblings: Tried) -> Situation:
    look = Look(instruction="", total=100, n=100)
    return Situation(look=look, best=None, siblings=siblings, left=Spent(nominal_cpu=left), turn=1, seed=3)


def consulting(proposed: Plan | None, teller: Any) -> Consulting:
    return Consulting(SimpleNamespace(name="rules", propose=lambda _: proposed, repair=lambda *_: None), teller)


@given(st.integers(0, 10**6))
def test_who_tells_the_truth_finds_the_best_of_five_in_four_questions(seed: int) -> None:
    teller = Teller(seed)
    chosen = consulting(LONG, teller).propose(situation(8.0, BEST))
    assert chosen is not None and len(teller.choices) == 4
    beside = [choice.plan for choice in teller.choices]
    assert len({plan.key for plan in (LONG, *beside)}) == 5 and {plan.spec.steps for plan in beside} == {300}
    assert [plan.hypothesis.factor for plan in beside] == [
        "f, another seed",
        "f, faster",
        "f, another seed",
        "f, slower",
    ]
    assert chosen == max([LONG, *beside], key=teller.worth)
    assert len({choice.question for choice in teller.choices}) == 4, "no two questions are the same"


def test_nothing_is_asked_about_a_cheap_plan_a_first_one_or_none() -> None:
    for proposed, where in (
        (LONG, situation(13.0, BEST)),  # six seconds of thirteen: another like it can be paid
        (LONG, situation(8.0)),  # nothing was trained: nothing is known of prices
        (None, situation(8.0, BEST)),
    ):
        teller = Teller(0)
        assert consulting(proposed, teller).propose(where) == proposed and not teller.choices
    silent = SimpleNamespace(approve=lambda _: None)
    assert consulting(LONG, silent).propose(situation(8.0, BEST)) == LONG, "nobody answers: the planner's own"


def gate(kind: str, own: bool | None = True) -> Gate:
    return Gate.model_validate(
        {"number": 1, "kind": kind, "about": "it", "plan": LONG, "best": "m", "tried": 1, "own": own}
    )


@pytest.mark.parametrize(
    ("says", "asked", "refused"),
    [((True,), 1, False), ((False, True), 2, False), ((False, False), 2, True)],
)
def test_a_plan_is_refused_by_two_noes_only(says: tuple[bool, ...], asked: int, refused: bool) -> None:
    person: Any = Person(*says)
    ask = AskTwice(person)
    assert ask.approve(gate("strategy")) is None
    assert (ask.approve(gate("full run")) is False) == refused
    assert len(person.asked) == asked


def test_a_doubt_ends_with_its_plan_and_what_val_decided_is_not_asked() -> None:
    person: Any = Person(False, True, True, False, True)
    ask = AskTwice(person)
    assert ask.approve(gate("strategy")) is None  # a no
    assert ask.approve(gate("strategy")) is None  # the next plan, a yes
    assert ask.approve(gate("full run")) is None and len(person.asked) == 2
    assert ask.approve(gate("acceptance")) is None and ask.approve(gate("acceptance", own=False)) is None
    assert len(person.asked) == 2
    assert ask.approve(gate("acceptance", own=None)) is True
    choice = Choice(**gate("strategy").model_dump() | {"rival": SHORT})
    assert ask.approve(choice) is False, "a choice is one question"
