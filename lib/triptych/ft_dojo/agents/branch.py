"""What if one decision had been another? A run is continued from the moment of the decision, with everything before it.

A journal's beginning is the beginning of another run: a branch copies it up to the changed decision and lets the same
agent, with the same seed, play on. Actions before the branch are answered from the journal and cost nothing again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from triptych.errors import ParameterError
from triptych.figures import COLOURS
from triptych.ft_dojo import trajectory
from triptych.ft_dojo.agents.ft_agent import FTAgent
from triptych.ft_dojo.agents.gates import Approver, Director, Gate
from triptych.ft_dojo.agents.plan import Verdict
from triptych.ft_dojo.environment import journal
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.task_folder import TaskFolder
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.trajectory import Trajectory

Make = Callable[[Session, Approver], FTAgent]


@dataclass(frozen=True)
class Played:
    """A finished run: its folder, its verdict, and its gates with the number of actions before each."""

    folder: Path
    verdict: Verdict
    gates: tuple[tuple[int, Gate], ...]

    @property
    def trajectory(self) -> Trajectory:
        """The run, read from its journal."""
        return trajectory.read(self.folder)

    def decisions(self) -> pd.DataFrame:
        """One row a gate: its number, the actions before it, what was asked."""
        rows = [(gate.number, before, gate.kind, gate.about) for before, gate in self.gates]
        return pd.DataFrame(rows, columns=["gate", "actions before", "kind", "about"])


class _Watching(Director):
    """A director that notes how many actions were done before each gate."""

    def __init__(self, session: Session, answers: dict[int, bool] | None = None) -> None:
        super().__init__(answers)
        self._session = session
        self.before: list[int] = []

    def approve(self, gate: Gate) -> bool | None:
        self.before.append(len(self._session.ledger.rows))
        return super().approve(gate)


def play(task: TaskFolder, folder: Path, worker: TrainingWorker, make: Make) -> Played:
    """Play a run in `folder`, deciding nothing for the agent."""
    return _played(task, folder, worker, make, {})


def branch(task: TaskFolder, run: Played, number: int, folder: Path, worker: TrainingWorker, make: Make) -> Played:
    """The run with the answer at gate `number` turned around, played on in `folder`.

    A strategy and a full run are refused, an acceptance is refused if the agent would accept and forced if it was not
    sure. Raises ParameterError for a gate that the run does not have, or a folder that holds something.
    """
    found = next(((before, gate) for before, gate in run.gates if gate.number == number), None)
    if found is None:
        known = ", ".join(str(gate.number) for _, gate in run.gates)
        raise ParameterError(f"the run has no gate {number}", f"gates: {known}")
    if folder.exists() and any(folder.iterdir()):
        raise ParameterError(f"{folder} is not empty", "branch into a new folder")
    before, gate = found
    _begin(run.folder, folder, before)
    return _played(task, folder, worker, make, {number: gate.own is None})


def shared(one: Trajectory, other: Trajectory) -> int:
    """How many steps two runs have in common at their beginning."""
    count = 0
    for a, b in zip(one.steps, other.steps, strict=False):
        outcomes = [step.outcome.model_copy(update={"measured": None}) for step in (a, b)]  # a clock may differ
        if a.action != b.action or outcomes[0] != outcomes[1]:
            break
        count += 1
    return count


def compare(runs: Sequence[tuple[str, Trajectory]]) -> tuple[Figure, pd.DataFrame]:
    """Val scores of each run against the nominal CPU-seconds spent.

    At its end, larger and hollow, the test score of what it handed in.
    """
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axis = figure.subplots()
    rows: list[pd.DataFrame] = []
    for (name, run), colour, marker in zip(runs, COLOURS, "osD^v", strict=False):
        spent = dict(zip(run.timeline["step"], run.timeline["start"] + run.timeline["nominal"], strict=True))
        scores = run.evaluations.assign(run=name)
        scores["spent"] = [spent[step] for step in scores["step"]]
        said = f"{name}: test {100 * run.reward:.1f}"
        axis.plot(scores["spent"], scores["normalised"], marker, color=colour, alpha=0.75, label=said)
        end = max(spent.values(), default=0.0)
        axis.plot(end, 100 * run.reward, marker, color=colour, markersize=11, fillstyle="none")
        rows.append(scores.assign(test=100 * run.reward))
    common = shared(runs[0][1], runs[-1][1])
    at = float(runs[0][1].timeline["start"].iloc[min(common, len(runs[0][1].timeline) - 1)])
    axis.axvline(at, color=COLOURS[7], linestyle="--", linewidth=1)
    axis.annotate(" here they part", (at, 1.0), xycoords=("data", "axes fraction"), fontsize=8, va="top")
    axis.set(xlabel="nominal CPU-seconds spent", ylabel="val, normalised points")
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    return figure, pd.concat(rows, ignore_index=True)


def _played(task: TaskFolder, folder: Path, worker: TrainingWorker, make: Make, answers: dict[int, bool]) -> Played:
    with Session(task, folder, worker) as session:
        watching = _Watching(session, answers)
        verdict = make(session, watching).play(session)
    return Played(folder, verdict, tuple(zip(watching.before, watching.seen, strict=True)))


def _begin(old: Path, new: Path, actions: int) -> None:
    """The folder of a run that was killed after so many actions."""
    new.mkdir(parents=True, exist_ok=True)
    for part in ("data", "models"):
        shutil.copytree(old / part, new / part)
    lines = (old / journal.JOURNAL).read_text("utf-8").splitlines(keepends=True)
    (new / journal.JOURNAL).write_text("".join(lines[: 1 + actions]), "utf-8")  # the header comes first
