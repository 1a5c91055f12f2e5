"""Budgets in code: named limits, the charge of each action, and a ledger whose rows sum to its totals.

What decides what happens next is *nominal*: a fixed function of what was asked, the same on every machine. Wall and CPU
seconds are measured beside it; they never enter the hash chain and act only as outer limits that kill.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NominalSeconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # CPU-seconds by formula, not by clock
WallSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
CpuSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Samples = Annotated[int, Field(ge=1)]
Tokens = Annotated[int, Field(ge=0)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # in the currency of the model's price list
Count = Annotated[int, Field(ge=0)]
Bytes = Annotated[int, Field(gt=0)]

DIGITS = 6  # decimals kept of seconds and money, so that sums do not depend on their order


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spent(_Frozen):
    """Quantities that add up over a run, in the units of the limits of the same names."""

    actions: Count = 0
    nominal_cpu: NominalSeconds = 0.0
    training_tokens: Tokens = 0
    evaluations: Count = 0
    llm_tokens: Tokens = 0
    money: Money = 0.0


class Charge(Spent):
    """What one action costs."""

    def __add__(self, other: Spent) -> Charge:
        return total([self, other])


class Measured(_Frozen):
    """What a clock said of one action; kept outside the chain."""

    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0  # bytes, largest seen
    printed: int = 0  # bytes that a script printed


class ScriptLimits(_Frozen):
    """What one data script may take. `nominal` is its price, whatever it really used below the limit."""

    wall: WallSeconds
    cpu: CpuSeconds
    nominal: NominalSeconds


class Limits(_Frozen):
    """Every limit of a run. The first six add up over the run; the others bound each action."""

    actions: Count = 100
    nominal_cpu: NominalSeconds = 24.0
    training_tokens: Tokens = 1_000_000
    evaluations: Count = 30
    llm_tokens: Tokens = 200_000
    money: Money = 1.0
    wall: WallSeconds = 900.0
    cpu: CpuSeconds = 600.0
    samples: Samples = 2000  # rows of one training set, the paper's cap
    memory: Bytes = 1_500_000_000  # of one action, all its processes
    disk: Bytes = 64_000_000  # what a script may write
    output: Bytes = 1_000_000  # what a script may print
    processes: Count = 32  # of one script
    debug_script: ScriptLimits = ScriptLimits(wall=10.0, cpu=5.0, nominal=0.05)
    full_script: ScriptLimits = ScriptLimits(wall=30.0, cpu=15.0, nominal=0.25)


SUMMED = tuple(Spent.model_fields)


def total(rows: Sequence[Spent]) -> Charge:
    """The sum of rows, field by field."""
    sums = {name: math.fsum(getattr(row, name) for row in rows) for name in SUMMED}
    return Charge.model_validate({name: _like(name, value) for name, value in sums.items()})


def _like(name: str, value: float) -> float | int:
    return round(value, DIGITS) if Spent.model_fields[name].annotation is float else int(value)


class Rates(_Frozen):
    """Nominal CPU-seconds as a function of what is asked.

    A training of `steps` steps that reads `tokens` tokens with a model of `parameters` weights is charged
    steps·`step` + tokens·parameters·`train`; scoring the same without the backward pass is charged `forward` for each
    token and parameter and `batch` for each batch. Fitted once to the tiny base (see `nominal.calibrate`); they travel
    in task.toml, so a task is charged alike everywhere and for ever.
    """

    step: NominalSeconds = 0.012
    train: NominalSeconds = 1.2e-10
    batch: NominalSeconds = 0.003
    forward: NominalSeconds = 3.7e-11
    look: NominalSeconds = 0.01  # any other action, and every refusal

    def training(self, steps: int, tokens: int, parameters: int) -> float:
        """Nominal CPU-seconds of a training."""
        return round(steps * self.step + tokens * parameters * self.train, DIGITS)

    def scoring(self, batches: int, tokens: int, parameters: int) -> float:
        """Nominal CPU-seconds of scoring."""
        return round(batches * self.batch + tokens * parameters * self.forward, DIGITS)


class Ledger:
    """What each action cost. Totals are always recomputed from the rows."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.rows: list[tuple[int, str, Charge]] = []
        self.measured: list[Measured] = []

    def add(self, step: int, action: str, charge: Charge, measured: Measured | None = None) -> None:
        """Write one row."""
        self.rows.append((step, action, charge))
        if measured is not None:
            self.measured.append(measured)

    def total(self) -> Charge:
        """The sum of all rows."""
        return total([charge for _, _, charge in self.rows])

    def left(self) -> Spent:
        """What may still be spent, never below 0."""
        spent = self.total()
        rest = {name: max(getattr(self.limits, name) - getattr(spent, name), 0) for name in SUMMED}
        return Spent.model_validate({name: _like(name, value) for name, value in rest.items()})

    def over(self, charge: Charge) -> list[str]:
        """The limits that `charge` would break, none when it may be spent."""
        left = self.left()
        return [name for name in SUMMED if getattr(charge, name) > getattr(left, name)]

    def wall_left(self) -> float:
        """Measured wall seconds that are left for actions, never below 0."""
        return max(self.limits.wall - math.fsum(row.wall for row in self.measured), 0.0)

    def cpu_left(self) -> float:
        """Measured CPU seconds that are left for actions, never below 0."""
        return max(self.limits.cpu - math.fsum(row.cpu for row in self.measured), 0.0)
