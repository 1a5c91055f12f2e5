"""The facade is a gymnasium environment, and says what the session says."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from triptych.errors import LimitError, ParameterError
from triptych.ft_dojo.environment.budget import SUMMED
from triptych.ft_dojo.environment.env import DojoEnv
from triptych.ft_dojo.environment.language_model import BudgetedClient
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.task_folder import TaskFolder
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.llm.messages import Answer, user
from triptych.llm.meter import Price

Begin = Callable[..., Session]


@pytest.fixture
def env(tmp_path: Path, write: Callable[..., TaskFolder], worker: TrainingWorker) -> gymnasium.Env:
    task = write(actions=4)
    return DojoEnv(lambda folder, seed: Session(task, folder, worker), tmp_path / "episodes")


def test_gymnasium_finds_nothing_wrong(env: DojoEnv) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*different render modes.*|.*Box observation space.*infinity.*")
        check_env(env, skip_render_check=True)
    env.close()


def test_rewards_come_with_a_submission_only(env: DojoEnv) -> None:
    first, _ = env.reset(seed=1)
    assert "public/train.jsonl" in json.loads(first["message"])["instruction"]
    assert first["left"][SUMMED.index("actions")] == 4
    seen, reward, terminated, truncated, info = env.step('{"kind": "inspect", "path": "public/train.jsonl"}')
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert seen["step"] == 1 and info["outcome"].ok and env.observation_space.contains(seen)
    assert info["outcome"].measured is None  # clocks differ where nothing else does
    _, reward, terminated, truncated, info = env.step('{"kind": "submit", "model": "base"}')
    assert terminated and not truncated
    assert reward == pytest.approx(info["outcome"].result["normalised"] / 100, abs=1e-5)
    env.close()


def test_an_episode_without_actions_left_is_truncated(env: DojoEnv) -> None:
    env.reset(seed=2)
    ends = [env.step("\x00not an action")[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]
    env.close()


def test_each_reset_begins_a_run_of_its_own(env: DojoEnv, tmp_path: Path) -> None:
    one, _ = env.reset(seed=3)
    env.step('{"kind": "stop"}')
    two, _ = env.reset(seed=3)
    assert np.array_equal(one["left"], two["left"]) and one["message"] == two["message"]
    assert len(list((tmp_path / "episodes").iterdir())) == 2
    env.close()
    with pytest.raises(ParameterError, match="no run has begun"):
        env.step("{}")


class _Echo:
    """A model that says how long its answer was; `counts` whether its server counts tokens."""

    model, defaults = "echo", {}

    def __init__(self, counts: bool = True) -> None:
        self.counts, self.asked = counts, 0

    def ask(self, messages: object, **parameters: object) -> Answer:
        self.asked += 1
        tokens = {"prompt_tokens": 10, "completion_tokens": 5} if self.counts else {}
        return Answer(text="yes", seconds=0.0, **tokens)


@pytest.mark.parametrize("counts", [True, False])
def test_a_language_model_never_overshoots_its_budgets(begin: Begin, counts: bool) -> None:
    session, model = begin(llm_tokens=100, money=0.01), _Echo(counts)
    client = BudgetedClient(model, session, Price(prompt=100.0, completion=100.0))
    asked = 0
    for _ in range(20):
        try:
            client.ask([user("hello")], max_tokens=10)
            asked += 1
        except LimitError:
            continue
    spent = session.ledger.total()
    assert spent.llm_tokens <= 100 and spent.money <= 0.01
    assert model.asked == asked == (5 if counts else 3)  # 31 at most a call; 15 each where they are counted
    assert spent.llm_tokens == asked * (15 if counts else 31)
    with pytest.raises(ParameterError, match="max_tokens"):
        client.ask([user("hello")])
    session.close()
    again = begin(llm_tokens=100, money=0.01)
    assert len(again.catch_up()) == asked and again.ledger.total() == spent
