"""One training worker for all red-team tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from triptych.ft_dojo.environment import sandbox
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.red_team import arena
from triptych.ft_dojo.red_team.suite import Suite


@pytest.fixture(scope="session")
def red_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingWorker]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        worker = arena.start_worker()
    with worker:
        yield worker


@pytest.fixture(scope="session")
def suite(red_worker: TrainingWorker) -> Suite:
    return Suite(red_worker)


@pytest.fixture
def isolated() -> None:
    if sandbox.problem():
        pytest.skip(f"no sandbox here: {sandbox.problem()}")
