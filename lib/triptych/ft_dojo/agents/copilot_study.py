"""The curve of score against questions asked: FT-Agent alone, and beside simulated humans of several accuracies.

With a co-pilot FT-Agent asks at its gates, where a no counts when it is said twice, and between plans that it can pay
only one of (`consult`).
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from triptych.errors import LimitError
from triptych.ft_dojo import trajectory
from triptych.ft_dojo.agents import trial, workplace
from triptych.ft_dojo.agents.consult import AskTwice, Consulting
from triptych.ft_dojo.agents.copilot import CoPilot, Knows, SimulatedHuman, Truth, WidgetHuman, asking
from triptych.ft_dojo.agents.ft_agent import FTAgent
from triptych.ft_dojo.agents.plan import Agent, Verdict
from triptych.ft_dojo.agents.planner import Planner
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import TrainSpec

ALONE = 1.0  # what stands for the accuracy of nobody
PERSON = 1000  # between the seeds of two persons


@dataclass(frozen=True)
class Played:
    """A run: what it asked, what would have been right and what was answered, and its row."""

    answers: list[tuple[str, bool, bool]]
    row: dict[str, Any]


def cells(
    names: Sequence[str], seeds: Sequence[int], accuracies: Sequence[float], most: Sequence[int], persons: int = 1
) -> list[dict[str, Any]]:
    """Seed by seed and task by task: the agent alone, then `persons` who know the target for each accuracy and each
    number of questions, then as many who know select only and may be asked as much as the first number says.

    Whoever is always right, or always wrong, is one person.
    """
    asked = [(count, "target") for count in most] + [(count, "select") for count in most[:1]]
    beside = [
        {"accuracy": accuracy, "most": count, "knows": knows, "person": person}
        for count, knows in asked
        for accuracy in accuracies
        for person in range(1 if accuracy in (0.0, 1.0) else persons)
    ]
    alone = {"accuracy": ALONE, "most": 0, "knows": "", "person": 0}
    return [{"task": name, "seed": seed, **who} for seed in seeds for name in names for who in [alone, *beside]]


@dataclass
class Study:
    """Plays cells. What simulated humans know of a task is found out once, and forgotten with the next task.

    A run is decided by the answers that it gets. So whoever would have answered an earlier run's questions as they were
    answered has that run's row, and nothing is played again.
    """

    base: Base
    worker: TrainingWorker
    start: TrainSpec
    limits: Limits
    price: float
    sizes: Mapping[str, int] | None = None
    _of: tuple[str, int] | None = field(default=None, repr=False)
    _truths: dict[str, Truth] = field(default_factory=dict[str, Truth], repr=False)
    _played: dict[tuple[str, int], list[Played]] = field(
        default_factory=dict[tuple[str, int], list["Played"]], repr=False
    )

    def play(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        """The row of a cell; `shared` is the share of the items that the human knows whose facts test asks about, too.

        Raises LimitError when a question was left without an answer, so that the next run plays it again.
        """
        name, seed, most = str(cell["task"]), int(cell["seed"]), int(cell["most"])
        if not most:
            agent = self._agent(seed, 0)
            row = trial.play(name, seed, self.base, self.worker, agent, self.limits, sizes=self.sizes)
            return {**row, "shared": 0.0}
        truth = self._truth_of(name, seed, cell["knows"])
        human = SimulatedHuman(truth, float(cell["accuracy"]), self.price, seed + PERSON * int(cell["person"]))
        played = self._played.setdefault((cell["knows"], most), [])
        for before in played:
            if all(human.says(question, right) == said for question, right, said in before.answers):
                return before.row
        agent = asking(self._agent(seed, most), truth)
        row = trial.play(name, seed, self.base, self.worker, agent, self.limits, human=human, sizes=self.sizes)
        row["shared"] = truth.shared
        if row["questions"] != len(human.right):
            raise LimitError(f"{name}, seed {seed}: a question was left without an answer", "run again")
        answers = [(question, right, human.says(question, right)) for question, right in human.right.items()]
        played.append(Played(answers, row))
        return row

    def gather(
        self, wanted: Sequence[Mapping[str, Any]], kept: Path, on_row: Callable[[trial.Row], None] | None = None
    ) -> pd.DataFrame:
        """A row a cell; those already in `kept` are not played again."""
        try:
            return trial.gather(wanted, self.play, kept, on_row)
        finally:
            self._forget()

    def questions(self, name: str, seed: int, accuracy: float, most: int = 30) -> pd.DataFrame:
        """Every question of one run, what was answered, and what would have been right."""
        truth = self._truth_of(name, seed, "target")
        human = SimulatedHuman(truth, accuracy, self.price, seed)
        with (
            tempfile.TemporaryDirectory(prefix="triptych-questions-") as folder,
            workplace.run(
                Path(folder), name, seed, self.base, self.worker, sizes=self.sizes, limits=self.limits, human=human
            ) as session,
        ):
            asking(self._agent(seed, most), truth)(session).play(session)
            steps = trajectory.read(session.folder).steps
            asked = [
                (str((step.action or {})["question"]), step.result.get("answer"))
                for step in steps
                if step.outcome.action == "ask_human"
            ]
            rows = [
                {"gate": human.gates[text].kind, "question": text, "answer": _word(said),
                 "right": _word(human.right.get(text))}
                for text, said in asked
            ]  # fmt: skip
        self._forget()
        return pd.DataFrame(rows, columns=["gate", "question", "answer", "right"])

    def panel(self, name: str, seed: int, folder: Path) -> CoPilot:
        """A run in `folder` that asks a person at two buttons; nothing happens before `start`."""
        human = WidgetHuman(self.price)

        def play() -> Verdict:
            with (
                TrainingWorker(self.base.folder) as worker,
                workplace.run(
                    folder, name, seed, self.base, worker, sizes=self.sizes, limits=self.limits, human=human
                ) as session,
            ):
                return self._beside(session, seed, AskTwice(session, first=True)).play(session)

        return CoPilot(human, play)

    def _agent(self, seed: int, most: int) -> Callable[[Session], Agent]:
        def make(session: Session) -> Agent:
            if most:
                return self._beside(session, seed, AskTwice(session, most))
            return FTAgent(Planner(session, self.start), seed=seed)

        return make

    def _beside(self, session: Session, seed: int, ask: AskTwice) -> FTAgent:
        """The agent with somebody beside it, who answers what `ask` asks."""
        return FTAgent(Consulting(Planner(session, self.start), ask), seed=seed, approver=ask)

    def _truth_of(self, name: str, seed: int, knows: Knows) -> Truth:
        if self._of != (name, seed):
            self._forget()
            self._of = (name, seed)
        if knows not in self._truths:
            truth = Truth(name, seed, self.base, self.worker, self.sizes, knows)
            atexit.register(truth.__exit__)
            self._truths[knows] = truth
        return self._truths[knows]

    def _forget(self) -> None:
        for truth in self._truths.values():
            truth.__exit__()
            atexit.unregister(truth.__exit__)
        self._truths.clear()
        self._played.clear()
        self._of = None


def gains(rows: pd.DataFrame, accuracy: float, most: int, knows: Knows = "target") -> pd.DataFrame:
    """Test points minus those of the agent alone, one row a task and seed that was played both ways: the mean over
    persons."""
    asked: Any = rows[(rows["most"] == most) & (rows["accuracy"] == accuracy) & (rows["knows"] == knows)]
    alone: Any = rows[rows["most"] == 0]
    asked, alone = (part.groupby(["task", "seed"])["test"].mean() for part in (asked, alone))
    return (asked - alone).dropna().rename("gain").reset_index()


def apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of those tasks of which less than half of what people who know the target have seen is asked in test, too:
    there the gain cannot come from knowing test."""
    seen: Any = rows[rows["knows"] == "target"]
    shared = seen.groupby("task")["shared"].mean()
    chosen: Any = rows[rows["task"].isin(shared.index[shared < 0.5])]
    return chosen


def line(row: Mapping[str, Any]) -> str:
    """A row in a few words."""
    asked = f"right in {row['accuracy']:.0%} by {row['knows']}, person {row['person']}, at most {row['most']} questions"
    who = asked if row["most"] else "alone"
    return f"{row['task']}, seed {row['seed']}, {who}: {row['test']:.1f} points, {row['questions']} questions"


def _word(said: object) -> str:
    return {True: "yes", False: "no"}.get(bool(said), "") if said is not None else "–"
