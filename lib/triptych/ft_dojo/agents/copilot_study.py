"""The curve of score against questions asked: FT-Agent alone, and beside simulated humans of several accuracies.

With a co-pilot FT-Agent asks at its gates, where a no counts when it is said twice, and between plans that it can pay
only one of (`consult`).
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from triptych.ft_dojo import trajectory
from triptych.ft_dojo.agents import trial, workplace
from triptych.ft_dojo.agents.consult import AskTwice, Consulting
from triptych.ft_dojo.agents.copilot import CoPilot, SimulatedHuman, Truth, WidgetHuman, asking
from triptych.ft_dojo.agents.ft_agent import FTAgent
from triptych.ft_dojo.agents.plan import Agent, Verdict
from triptych.ft_dojo.agents.planner import Planner
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import TrainSpec

ALONE = 1.0  # what stands for the accuracy of nobody


def cells(
    names: Sequence[str], seeds: Sequence[int], accuracies: Sequence[float], most: Sequence[int]
) -> list[dict[str, Any]]:
    """Seed by seed and task by task: the agent alone, then every accuracy with every number of questions."""
    asked = [(accuracy, count) for count in most for accuracy in accuracies]
    return [
        {"task": name, "seed": seed, "accuracy": accuracy, "most": count}
        for seed in seeds
        for name in names
        for accuracy, count in [(ALONE, 0), *asked]
    ]


@dataclass
class Study:
    """Plays cells. What the simulated human knows of a task is found out once, and forgotten with the next task."""

    base: Base
    worker: TrainingWorker
    start: TrainSpec
    limits: Limits
    price: float
    sizes: Mapping[str, int] | None = None
    _truth: tuple[str, int, Truth] | None = field(default=None, repr=False)

    def play(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        """The row of a cell."""
        name, seed, most = str(cell["task"]), int(cell["seed"]), int(cell["most"])
        if not most:
            agent = self._agent(seed, 0)
            return trial.play(name, seed, self.base, self.worker, agent, self.limits, sizes=self.sizes)
        truth = self._truth_of(name, seed)
        human = SimulatedHuman(truth, float(cell["accuracy"]), self.price, seed)
        agent = asking(self._agent(seed, most), truth)
        return trial.play(name, seed, self.base, self.worker, agent, self.limits, human=human, sizes=self.sizes)

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
        truth = self._truth_of(name, seed)
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
                 "right": _word(truth(human.gates[text]))}
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

    def _truth_of(self, name: str, seed: int) -> Truth:
        if self._truth is None or self._truth[:2] != (name, seed):
            self._forget()
            stack = ExitStack()
            truth = stack.enter_context(Truth(name, seed, self.base, self.worker, self.sizes))
            self._truth = (name, seed, truth)
            atexit.register(stack.close)
        return self._truth[2]

    def _forget(self) -> None:
        if self._truth is not None:
            self._truth[2].__exit__()
            self._truth = None


def gains(rows: pd.DataFrame, accuracy: float, most: int) -> pd.DataFrame:
    """Test points minus those of the agent alone, one row a task and seed that was played both ways."""
    alone: Any = rows[rows["most"] == 0].set_index(["task", "seed"])["test"]
    other: Any = rows[(rows["most"] == most) & (rows["accuracy"] == accuracy)].set_index(["task", "seed"])["test"]
    return (other - alone).dropna().rename("gain").reset_index()


def line(row: Mapping[str, Any]) -> str:
    """A row in a few words."""
    who = f"right in {row['accuracy']:.0%}, at most {row['most']} questions" if row["most"] else "alone"
    return f"{row['task']}, seed {row['seed']}, {who}: {row['test']:.1f} points, {row['questions']} questions"


def _word(said: object) -> str:
    return {True: "yes", False: "no"}.get(bool(said), "") if said is not None else "–"
