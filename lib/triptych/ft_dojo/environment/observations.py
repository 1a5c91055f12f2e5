"""What an agent gets back: a result or a typed error, what it cost, and what is left. Never an exception."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from triptych.ft_dojo.environment.budget import Charge, Measured, Spent

Code = Literal["schema", "path", "budget", "timeout", "memory", "data", "nan", "leak", "state"]


class ErrorObservation(BaseModel):
    """Why an action did not do what was asked, and what it cost all the same.

    `schema`: not an action, or wrong types. `path`: names something outside, or something that does not exist.
    `budget`: over a cap; nothing was done. `timeout`: killed by a clock. `memory`: killed, or would not fit. `data`:
    rows that cannot be trained on, or a script that failed. `nan`: the loss left the finite. `leak`: hidden items in
    the data. `state`: not now (episode over, no sandbox, nobody to ask, tampered files).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    message: str
    hint: str
    charged: Charge


class Outcome(BaseModel):
    """One step as the agent sees it. `measured` holds what differs from machine to machine and is not in the chain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    action: str
    result: dict[str, JsonValue] | None = None
    error: ErrorObservation | None = None
    charged: Charge
    left: Spent
    flags: tuple[str, ...] = ()
    reward: float = 0.0
    done: bool = False
    measured: Measured | None = Field(default=None)

    @property
    def ok(self) -> bool:
        """Whether the action did what was asked."""
        return self.error is None


class Refusal(Exception):
    """Inside the environment: an action ends here. The session turns it into an ErrorObservation."""

    def __init__(self, code: Code, message: str, hint: str, charge: Charge | None = None, flag: str = "") -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.hint = hint
        self.charge = charge
        self.flag = flag
