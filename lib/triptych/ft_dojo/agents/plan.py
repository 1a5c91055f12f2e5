"""What an agent proposes, what it learns, and who may propose: the types that agents and proposers share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from triptych.ft_dojo.environment.budget import Spent
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.trainer import TrainSpec

if TYPE_CHECKING:
    from triptych.ft_dojo.environment.session import Session

Decision = Literal["accept", "reject", "repeat", "failed"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hypothesis(_Frozen):
    """Why a plan should help: what is changed, which way val should move, how, and what would show it wrong."""

    factor: str
    direction: Literal["up", "down"]  # of the val score
    mechanism: str
    falsifier: str

    def __str__(self) -> str:
        return f"{self.factor}: val goes {self.direction}, because {self.mechanism}; wrong if {self.falsifier}"


class Plan(_Frozen):
    """One candidate: a data script, a training, and the hypothesis behind what it changes."""

    script: str
    spec: TrainSpec
    hypothesis: Hypothesis
    steps: tuple[str, ...] = ()  # cleaning steps of the script, where it was put together from those

    @property
    def key(self) -> str:
        """Sixteen hex digits that two plans share exactly when they would do the same."""
        return hashlib.sha256(f"{self.script}\0{self.spec.model_dump_json()}".encode()).hexdigest()[:16]


class Curve(_Frozen):
    """Features of a loss curve: means of its first and last fifths, its slope over the second half relative to that
    half's mean, and its noise (mean absolute change between points) relative to its mean."""

    first: float
    last: float
    slope: float
    noise: float


class Cluster(_Frozen):
    """Wrong items that went wrong alike: what they share, how many were shown, one example."""

    what: str
    count: int
    example: str


class Scored(_Frozen):
    """A trained model and its val score (share in [0, 1], on n items)."""

    model: str
    seed: int
    score: float
    n: int


class Tried(_Frozen):
    """A plan after it was tried. Without `runs` it failed, and `error` says how."""

    number: int
    plan: Plan
    runs: tuple[Scored, ...] = ()
    rows: int = 0
    nominal: float = 0.0  # CPU-seconds of one training
    curve: Curve | None = None
    clusters: tuple[Cluster, ...] = ()
    error: ErrorObservation | None = None
    decision: Decision = "failed"
    reason: str = ""

    @property
    def mean(self) -> float:
        """Mean val score over its seeds; 0 when it failed."""
        return sum(run.score for run in self.runs) / len(self.runs) if self.runs else 0.0

    @property
    def summary(self) -> str:
        """The plan and its outcome in one line: what siblings are told of it."""
        result = f"val {self.mean:.2f} ({len(self.runs)} seeds)" if self.runs else "not run"
        result = f"error {self.error_code}" if self.error else result
        spec = self.plan.spec
        length = f"{spec.steps} steps" if spec.steps else f"{spec.epochs:g} epochs"
        about = f"{spec.method}, {length}, learning rate {spec.learning_rate:g}"
        return f"#{self.number} [{self.plan.hypothesis.factor}] {about}: {result}, {self.decision}"

    @property
    def error_code(self) -> str:
        """The code of its error, or nothing."""
        return self.error.code if self.error else ""


class Look(_Frozen):
    """What an agent saw of a task before its first plan."""

    instruction: str
    rows: Sequence[str] = Field(default=())  # some public rows, as JSON
    total: int = 0  # usable public rows
    changed: Mapping[str, int] = Field(default={})  # rows that each cleaning step would change or leave out
    expected: Sequence[str] = Field(default=())  # answers in the form that scoring expects
    base_score: float = 0.0
    n: int = 0  # items of val


class Situation(_Frozen):
    """All that a proposer is told. Without history there are no siblings and no best."""

    look: Look
    best: Tried | None
    siblings: Sequence[Tried]
    left: Spent
    turn: int
    seed: int


class Proposer(Protocol):
    """Somebody who proposes. `name` stands in every table."""

    @property
    def name(self) -> str: ...

    def propose(self, situation: Situation) -> Plan | None:
        """The next plan, or None when nothing seems worth its price. Raises ModelError, LimitError."""
        ...

    def repair(self, situation: Situation, plan: Plan, error: ErrorObservation) -> Plan | None:
        """The plan changed so that this error goes away, or None."""
        ...


class Verdict(_Frozen):
    """How a run ended: with a submitted model, or without and why."""

    agent: str
    proposer: str
    ended: Literal["submitted", "stopped"]
    model: str | None
    reward: float
    reason: str
    tried: int = 0
    wasted: float = 0.0  # nominal CPU-seconds of trainings that failed


class Agent(Protocol):
    """Anything that plays a run to its end with the actions of a Session."""

    @property
    def name(self) -> str: ...

    def play(self, session: Session) -> Verdict: ...
