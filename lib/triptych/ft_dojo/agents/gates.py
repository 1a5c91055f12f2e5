"""Where somebody may say no to FT-Agent: before a strategy, before a full run, before a candidate is accepted.

A gate is a yes-or-no question with what the agent knows. An approver answers True, False, or None for "decide
yourself". Without one the agent decides everything itself and asks nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from triptych.ft_dojo.agents.plan import Plan
from triptych.ft_dojo.environment.actions import AskHuman
from triptych.ft_dojo.environment.session import Session

Kind = Literal["strategy", "full run", "acceptance"]
KINDS: tuple[Kind, ...] = ("strategy", "full run", "acceptance")


class Gate(BaseModel):
    """One question of a run. `model` is the candidate, once it is trained; `best` what it would replace.

    `tried` counts the plans that were trained before; `own` is what the agent would do by itself: go on, or stop here,
    or None when it has not made up its mind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int  # from 1
    kind: Kind
    about: str
    plan: Plan
    best: str
    tried: int = 0
    model: str | None = None
    own: bool | None = True

    @property
    def question(self) -> str:
        """The gate in words; no two gates of a run ask the same."""
        asked = {
            "strategy": "Try this plan next?",
            "full run": "Spend the full training on it?",
            "acceptance": f"Take {self.model} in place of {self.best}?",
        }[self.kind]
        return f"[{self.number}, {self.kind}] {asked} {self.about}"[:1900]


class Approver(Protocol):
    """Somebody who is asked at every gate."""

    def approve(self, gate: Gate) -> bool | None: ...


class Ask:
    """Asks the session's human, and pays for it.

    At most `most` questions, of these kinds; the others are the agent's own to decide, and so is a question that
    nobody answers. Until something was trained there is nothing to compare with, and nothing is asked unless `first`.
    """

    def __init__(
        self, session: Session, most: int = 1000, kinds: Collection[Kind] = KINDS, *, first: bool = False
    ) -> None:
        self.session, self.most, self.kinds, self.first = session, most, kinds, first
        self.asked = 0

    def approve(self, gate: Gate) -> bool | None:
        """The human's answer; None when it was not asked or did not answer."""
        if self.asked >= self.most or gate.kind not in self.kinds or (not gate.tried and not self.first):
            return None
        known = getattr(self.session.human, "gates", None)
        if isinstance(known, dict):  # a simulated human does not read; it is told what the question is about
            known[gate.question] = gate
        self.asked += 1
        outcome = self.session.step(AskHuman(question=gate.question))
        return bool(outcome.result["answer"]) if outcome.result else None


class Director:
    """Answers some gates by their numbers, leaves the others to the agent, and remembers all that it saw."""

    def __init__(self, answers: Mapping[int, bool] | None = None) -> None:
        self.answers = dict(answers or {})
        self.seen: list[Gate] = []

    def approve(self, gate: Gate) -> bool | None:
        """The answer that was decided on before the run."""
        self.seen.append(gate)
        return self.answers.get(gate.number)
