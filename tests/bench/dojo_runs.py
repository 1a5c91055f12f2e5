"""Short runs of the environment with a small base, for the bars that measure what it enforces."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from triptych import paths
from triptych.ft_dojo import tasks, tiny
from triptych.ft_dojo.environment import task_folder
from triptych.ft_dojo.environment.actions import Evaluate, RunDataScript, Train
from triptych.ft_dojo.environment.budget import Limits, Measured, Rates
from triptych.ft_dojo.environment.observations import Outcome
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.trainer import TrainSpec
from triptych.llm.messages import Answer

FOLDER = paths.root() / "tests" / "lib" / "ft_dojo" / "environment"
sys.path.insert(0, str(FOLDER))
from played_run import CLEAN  # noqa: E402  (stands with the tests, whose folder is put on the path above)

BRIEF = TrainSpec(steps=4, batch=4, learning_rate=3e-3)
SMALL = tiny.TinySpec(hidden=16, layers=1, heads=2, feed_forward=32, train=BRIEF)
FREE = Rates(step=0.0, train=0.0, batch=0.0, forward=0.0, look=0.0)  # so that nominal seconds stop nothing
SIZES = {"train": 200, "val": 40, "select": 30, "test": 30}

__all__ = [
    "FREE",
    "Evaluate",
    "Talker",
    "Train",
    "expect",
    "play",
    "prepared",
    "repeated",
    "script",
    "session",
    "worker",
]


def script(code: str) -> RunDataScript:
    """A data script as an action."""
    return RunDataScript(code=code)


def worker() -> TrainingWorker:
    """A training worker for the small base."""
    return TrainingWorker(tiny.base(SMALL).folder)


def session(folder: Path, trainer: TrainingWorker, rates: Rates | None = None, **limits: Any) -> Session:
    """A run of the finance task in `folder`."""
    card = task_folder.BaseModelCard(name="tiny", sha256=tiny.base(SMALL).sha256)
    made = tasks.make("finance", 0, SIZES)
    task = task_folder.write(made, folder / "task", folder / "hidden", card, Limits(**limits), rates)
    return Session(task, folder / "run", trainer)


def prepared(run: Session) -> str:
    """The data set of an honest script."""
    outcome = run.step(RunDataScript(code=CLEAN))
    return str((outcome.result or {})["data"])


def repeated(rows: int) -> str:
    """A script that writes so many rows."""
    return f'open(\'out/train.jsonl\', \'w\').write(\'{{"prompt": "a", "completion": "b"}}\\n\' * {rows})'


def expect(outcome: Outcome, code: str) -> Measured:
    """What was measured of an action that ended with this error."""
    if outcome.error is None or outcome.error.code != code or outcome.measured is None:
        raise RuntimeError(f"expected {code}: {outcome}")
    return outcome.measured


class Talker:
    """A language model that always says as much as it may."""

    model = "talker"
    defaults: dict[str, Any] = {}  # noqa: RUF012  (never written to; the protocol wants the name)

    def ask(self, messages: Any, **parameters: Any) -> Answer:
        tokens = sum(len(message.content) for message in messages)
        return Answer(text="", seconds=0.0, prompt_tokens=tokens, completion_tokens=parameters["max_tokens"])


def play(folder: Path, name: str) -> subprocess.Popen[str]:
    """The played run of the tests in a process group of its own; writes the task where it is missing."""
    base = tiny.base(SMALL)
    if not (folder / "task").exists():
        card = task_folder.BaseModelCard(name="tiny", sha256=base.sha256)
        task_folder.write(tasks.make("finance", 0, SIZES), folder / "task", folder / "hidden", card)
    return subprocess.Popen(
        [sys.executable, str(FOLDER / "played_run.py"),
         *map(str, (folder / "task", folder / "hidden", folder / name, base.folder))],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(paths.root() / "lib")},
    )  # fmt: skip
