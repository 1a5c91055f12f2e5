"""The environment as gymnasium sees it: actions are JSON text, observations are budgets, a reward at the end."""

from __future__ import annotations

import json
import string
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from triptych.errors import ParameterError
from triptych.ft_dojo.environment.actions import MOST_BYTES
from triptych.ft_dojo.environment.budget import SUMMED
from triptych.ft_dojo.environment.observations import Outcome
from triptych.ft_dojo.environment.session import Session

MOST_TEXT = 200_000  # characters of an observation's message
Observation = dict[str, Any]
OpenSession = Callable[[Path, int], Session]


class DojoEnv(gymnasium.Env[Observation, str]):
    """One episode is one run of one task.

    An action is the JSON of `actions` (ASCII: other characters as escapes). An observation holds `step`, `left` (what
    may still be spent, in the order of `SUMMED`) and `message`, the outcome as JSON, or the instruction after a reset.
    The reward is 0 until a model is submitted, then its normalised test score over 100. `info["outcome"]` is the typed
    Outcome; it is never truncated, `message` is. Both come without `measured`, which is in the
    run's side file, so that the same actions give the same episode.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (gymnasium declares it so)

    def __init__(self, open_session: OpenSession, folder: Path | None = None) -> None:
        """`open_session(folder, seed)` begins a run; each reset begins one in a new folder below `folder`."""
        self._open, self._folder = open_session, folder
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._episode = 0
        self._session: Session | None = None
        self.action_space = spaces.Text(max_length=MOST_BYTES, min_length=0, charset=string.printable)
        self.observation_space = spaces.Dict(
            {
                "step": spaces.Box(0, np.inf, (), np.int64),
                "left": spaces.Box(0.0, np.inf, (len(SUMMED),), np.float64),
                "message": spaces.Text(max_length=MOST_TEXT, min_length=0, charset=string.printable),
            }
        )

    @property
    def session(self) -> Session:
        """The run under way. Raises ParameterError before the first reset."""
        if self._session is None:
            raise ParameterError("no run has begun", "call reset() first")
        return self._session

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a run in a new folder."""
        super().reset(seed=seed, options=options)
        self._end()
        if self._folder is None and self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="triptych-dojo-")
        top = self._folder or Path(self._scratch.name if self._scratch else "")
        while (folder := top / f"episode-{self._episode:04d}").exists():
            self._episode += 1
        self._session = self._open(folder, int(self.np_random.integers(2**31)))
        instruction = (self._session.task.folder / "instruction.md").read_text("utf-8")
        left: dict[str, float] = self._session.ledger.left().model_dump()
        return _observation(0, left, json.dumps({"instruction": instruction})), {}

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Do one action; anything that is no action costs one and comes back as a `schema` error."""
        outcome: Outcome = self.session.step(action)
        left: dict[str, float] = outcome.left.model_dump()
        told = outcome.model_copy(update={"measured": None})
        message = json.dumps(told.model_dump(mode="json", exclude={"measured"}))
        ended = outcome.action in ("submit", "stop") and outcome.ok
        observation = _observation(outcome.step, left, message)
        return observation, float(outcome.reward), ended, outcome.done and not ended, {"outcome": told}

    def render(self) -> None:
        """Nothing to draw: trajectories are read from the journal."""

    def close(self) -> None:
        """End the run and remove what a run without a folder of its own left."""
        self._end()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def _end(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def _observation(step: int, left: dict[str, float], message: str) -> Observation:
    amounts: NDArray[np.float64] = np.array([left[name] for name in SUMMED], np.float64)
    return {"step": np.array(step, np.int64), "left": amounts, "message": message[:MOST_TEXT]}
