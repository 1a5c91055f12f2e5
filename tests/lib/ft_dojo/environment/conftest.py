"""A small base, a task of it on disk, and one training worker for all tests of the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triptych.ft_dojo import tasks, tiny
from triptych.ft_dojo.environment import sandbox, task_folder
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.task_folder import BaseModelCard, TaskFolder
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.trainer import TrainSpec

BRIEF = TrainSpec(steps=4, batch=4, learning_rate=3e-3)
SMALL = tiny.TinySpec(hidden=16, layers=1, heads=2, feed_forward=32, train=BRIEF)
SIZES = {"train": 200, "val": 40, "select": 30, "test": 30}

Begin = Callable[..., Session]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> tiny.Base:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return tiny.base(SMALL)


@pytest.fixture(scope="session")
def worker(base: tiny.Base) -> Iterator[TrainingWorker]:
    with TrainingWorker(base.folder) as started:
        yield started


@pytest.fixture(scope="session")
def made() -> tasks.Task:
    return tasks.make("finance", 0, SIZES)


@pytest.fixture
def write(tmp_path: Path, base: tiny.Base, made: tasks.Task) -> Callable[..., TaskFolder]:
    """Write the task with other limits than the default."""

    def _write(**limits: object) -> TaskFolder:
        card = BaseModelCard(name="tiny", sha256=base.sha256)
        return task_folder.write(made, tmp_path / "task", tmp_path / "hidden", card, Limits(**limits))

    return _write


@pytest.fixture
def begin(tmp_path: Path, write: Callable[..., TaskFolder], worker: TrainingWorker) -> Iterator[Begin]:
    """Begin (or resume) a run; limits, and the arguments of Session, by name."""
    opened: list[Session] = []

    def _begin(folder: str = "run", **arguments: object) -> Session:
        options = {name: arguments.pop(name) for name in ("human", "weak", "insist_unsandboxed") if name in arguments}
        opened.append(Session(write(**arguments), tmp_path / folder, worker, **options))
        return opened[-1]

    yield _begin
    for session in opened:
        session.close()


@pytest.fixture
def isolated() -> None:
    if sandbox.problem():
        pytest.skip(f"no sandbox here: {sandbox.problem()}")
