"""A task on disk, a training worker and a run: what an agent, a notebook or a person sits down at."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from triptych.ft_dojo import tasks
from triptych.ft_dojo.environment import task_folder
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.session import Human, Session
from triptych.ft_dojo.environment.task_folder import BaseModelCard, TaskFolder
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.tiny import Base

PUBLIC = "public/train.jsonl"


def write_task(
    folder: Path,
    made: tasks.Task,
    base: Base,
    limits: Limits | None = None,
) -> TaskFolder:
    """Write a generated task into `folder`: what an agent may see in `task`, what it may not in `hidden`."""
    card = BaseModelCard(name="tiny", sha256=base.sha256)
    return task_folder.write(made, folder / "task", folder / "hidden", card, limits)


@contextmanager
def run(
    folder: Path,
    name: str,
    seed: int,
    base: Base,
    worker: TrainingWorker,
    *,
    sizes: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    human: Human | None = None,
    reserved: bool = False,
    insist_unsandboxed: bool = False,
) -> Generator[Session]:
    """A run of the task `name` in `folder/run`, begun or resumed; `worker` may serve one run after another.

    `reserved` adds the kinds of damage that are kept back for the last test of an agent.
    """
    task = write_task(folder, tasks.make(name, seed, sizes, reserved=reserved), base, limits)
    with Session(task, folder / "run", worker, human=human, insist_unsandboxed=insist_unsandboxed) as session:
        yield session
