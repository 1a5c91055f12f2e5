"""Read a run after it, or while it goes on: what was done in which order, what it cost, what came of it.

Everything is taken from the run's folder: the hash-chained journal, what a clock said beside it, the data sets, and the
notes of agents that keep some. Reading changes nothing. It shows more than the agent saw: a journal also keeps which
hidden items a data set repeated, and the scores on `select`.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from triptych.errors import DataError
from triptych.ft_dojo.environment import journal
from triptych.ft_dojo.environment.budget import SUMMED, Measured
from triptych.ft_dojo.environment.observations import Outcome
from triptych.ft_dojo.environment.task_folder import TaskCard

NOTES = "notes.jsonl"  # beside the journal, written by the agent, not part of the chain
LANGUAGE_MODEL = "language_model"  # the rows that `Session.charge_llm` writes


@dataclass(frozen=True)
class Note:
    """What an agent thought before its action number `before`: a hypothesis, a verdict, a repair."""

    before: int
    kind: str
    text: str


@dataclass(frozen=True)
class Step:
    """One line of the journal. `action` is None for what was no action and for a language-model call."""

    outcome: Outcome
    action: Mapping[str, Any] | None
    given: str | None  # the beginning of what was no action
    private: Mapping[str, Any] | None  # what the environment knows and the agent was not told
    measured: Measured | None
    at: str | None  # when it ended, ISO 8601
    notes: tuple[Note, ...] = ()

    @property
    def result(self) -> Mapping[str, Any]:
        """What the action gave; empty after an error."""
        return self.outcome.result or {}

    @property
    def about(self) -> str:
        """The action in a few words."""
        action, result = self.action or {}, self.result
        match self.outcome.action:
            case "inspect":
                return f"{action['path']}, rows from {action['start']}"
            case "run_data_script":
                made = f" → {result['rows']} rows" if result else ""
                return ("debug run" if action["debug"] else "full run") + made
            case "train":
                spec = action["spec"]
                length = f"{spec['steps']} steps" if spec["steps"] else f"{spec['epochs']:g} epochs"
                start = "rehearsal, " if action["micro"] else ""
                return (
                    f"{start}{spec['method']}, {length}, learning rate {spec['learning_rate']:g}, seed {spec['seed']}"
                )
            case "evaluate":
                return f"{action['model']} on {action['n']} items of val"
            case "ab_test":
                return f"{action['factor']}: {', '.join(map(str, action['arms']))}; {len(action['seeds'])} seeds"
            case "ask_human":
                return str(action["question"])[:80]
            case "submit":
                return ", ".join([action["model"], *action["rivals"]])
            case "language_model":
                return f"{self.outcome.charged.llm_tokens} tokens"
            case "malformed":
                return (self.given or "")[:80]
            case _:
                return str(action.get("reason", ""))[:80]


@dataclass(frozen=True)
class DataDiff:
    """What changed from one data set to the next, prompt by prompt; rows are (prompt, completion)."""

    added: tuple[tuple[str, str], ...]
    removed: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, str, str], ...]  # prompt, completion before, completion after
    kept: int

    @property
    def summary(self) -> str:
        """The four counts in words."""
        parts = (("added", self.added), ("removed", self.removed), ("answered differently", self.changed))
        return ", ".join([*(f"{len(rows)} {name}" for name, rows in parts), f"{self.kept} kept"])


@dataclass(frozen=True)
class Trajectory:
    """A run: its task, the stamps on all of it (`unsandboxed`, …), the environment's digest, its steps."""

    folder: Path
    card: TaskCard
    stamps: tuple[str, ...]
    code: str
    steps: tuple[Step, ...]

    @property
    def reward(self) -> float:
        """Normalised test score over 100 of the submitted model; 0 when none was submitted."""
        return self.steps[-1].outcome.reward if self.steps else 0.0

    @property
    def flags(self) -> tuple[str, ...]:
        """Every flag that was raised, once, in order."""
        return tuple(dict.fromkeys(flag for step in self.steps for flag in step.outcome.flags))

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """One row a step; `start` is the nominal CPU-seconds that were spent before it."""
        rows: list[dict[str, Any]] = []
        spent = 0.0
        for step in self.steps:
            outcome, measured = step.outcome, step.measured
            rows.append(
                {
                    "step": outcome.step,
                    "action": outcome.action,
                    "about": step.about,
                    "start": spent,
                    "nominal": outcome.charged.nominal_cpu,
                    "error": outcome.error.code if outcome.error else "",
                    "flags": ", ".join(outcome.flags),
                    "wall": measured.wall if measured else None,
                    "cpu": measured.cpu if measured else None,
                }
            )
            spent = round(spent + outcome.charged.nominal_cpu, 6)
        columns = ["step", "action", "about", "start", "nominal", "error", "flags", "wall", "cpu"]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def budgets(self) -> pd.DataFrame:
        """One row a step and budget: what is left of it, and its share of the limit (None where nothing is limited)."""
        limits = self.card.limits
        rows = [
            (
                step.outcome.step,
                name,
                getattr(step.outcome.left, name),
                getattr(step.outcome.left, name) / limit if (limit := getattr(limits, name)) else None,
            )
            for step in self.steps
            for name in SUMMED
        ]
        return pd.DataFrame(rows, columns=["step", "budget", "left", "share"])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row a recorded loss (nats per predicted token) of each training; `at` counts the training's own steps."""
        rows: list[tuple[int, str, bool, int, float]] = []
        for step in self.steps:
            losses = step.result.get("losses", [])
            stride = math.ceil(step.result["steps"] / len(losses)) if losses else 1
            model, micro = str(step.result.get("model")), bool(step.result.get("micro"))
            rows += [(step.outcome.step, model, micro, place * stride, loss) for place, loss in enumerate(losses)]
        return pd.DataFrame(rows, columns=["step", "model", "micro", "at", "loss"])

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row a val score, those of A/B tests too, with its 95 % interval (see `interval`)."""
        rows: list[tuple[int, str, int, float, float, float, float]] = []
        for step in self.steps:
            result = step.result
            scores = [(result["model"], result["score"])] if "score" in result else []
            scores += [(run["model"], run["score"]) for run in result.get("runs", []) if run["score"] is not None]
            for model, score in scores:
                low, high = interval(score, result["n"])
                normalised = self.card.normalised(score, "val")
                rows.append((step.outcome.step, str(model), result["n"], score, low, high, normalised))
        return pd.DataFrame(rows, columns=["step", "model", "n", "score", "low", "high", "normalised"])

    def data(self, name: str) -> list[tuple[str, str]]:
        """The (prompt, completion) rows of a data set of this run. Raises DataError when its file is gone."""
        path = self.folder / "data" / f"{name}.jsonl"
        try:
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        except OSError as error:
            raise DataError(f"{path} is gone", "keep the folder of a run together") from error
        return [(row["prompt"], row["completion"]) for row in rows]

    @property
    def data_sets(self) -> list[tuple[int, str]]:
        """(step, name) of each data set of a full run, in order."""
        made = [(step.outcome.step, step.result) for step in self.steps if step.outcome.action == "run_data_script"]
        return [(number, str(result["data"])) for number, result in made if result and not result["debug"]]

    def diffs(self) -> list[tuple[str, str, DataDiff]]:
        """Each full data set against the one before it that differs: (before, after, difference)."""
        names = list(dict.fromkeys(name for _, name in self.data_sets))
        return [(a, b, difference(self.data(a), self.data(b))) for a, b in itertools.pairwise(names)]

    def wrong(self) -> list[tuple[int, Mapping[str, Any]]]:
        """(step, item) for each wrong val item that was shown."""
        return [(step.outcome.step, item) for step in self.steps for item in step.result.get("wrong", [])]


def read(folder: Path, clock: bool = True) -> Trajectory:
    """The run in `folder`; without `clock` what was measured is left out, and equal runs read equal.

    Raises DataError when there is none, or when its journal was tampered with.
    """
    if not (folder / journal.JOURNAL).exists():
        raise DataError(f"{folder} holds no run", "give the folder that a Session was opened in")
    rows = journal.read(folder)
    if not rows:
        raise DataError(f"the run in {folder} was killed before it began", "begin it again")
    measured = {row["step"]: row for row in _lines(folder / journal.MEASURED) if clock and "step" in row}
    notes = [Note(row["before"], row["kind"], row["text"]) for row in _lines(folder / NOTES)]
    try:
        header = rows[0]["header"]
        steps = tuple(_step(row, measured, notes) for row in rows[1:])
        return Trajectory(
            folder, TaskCard.model_validate(header["task"]), tuple(header["stamps"]), header["code"], steps
        )
    except (KeyError, TypeError, ValidationError) as error:
        raise DataError(
            f"the journal in {folder} is of another version", "read it with the code that wrote it"
        ) from error


def difference(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> DataDiff:
    """Compare two data sets. A prompt that stands in one of them several times is compared in order."""
    old, new = _grouped(before), _grouped(after)
    added: list[tuple[str, str]] = []
    removed: list[tuple[str, str]] = []
    changed: list[tuple[str, str, str]] = []
    kept = 0
    for prompt in dict.fromkeys([*old, *new]):
        left, right = list(old.get(prompt, [])), list(new.get(prompt, []))
        for completion in list(left):
            if completion in right:
                left.remove(completion)
                right.remove(completion)
                kept += 1
        pairs = min(len(left), len(right))
        changed += [(prompt, a, b) for a, b in zip(left, right, strict=False)]
        removed += [(prompt, completion) for completion in left[pairs:]]
        added += [(prompt, completion) for completion in right[pairs:]]
    return DataDiff(tuple(added), tuple(removed), tuple(changed), kept)


def interval(score: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson limits (JASA 22, 1927) of a score in [0, 1] on n items, half a unit of its rounding added on both sides.

    Exact in kind for a share of right answers; for a mean of partial credits it is too wide, never too narrow, because
    no variable in [0, 1] with this mean varies more; for a macro average of classes it is an approximation.
    """
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + level / 2))
    centre = (score + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(score * (1 - score) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(centre - reach - 0.005, 0.0), min(centre + reach + 0.005, 1.0)


def _step(row: Mapping[str, Any], measured: Mapping[int, Mapping[str, Any]], notes: Sequence[Note]) -> Step:
    outcome = Outcome.model_validate(row["outcome"])
    clock = measured.get(outcome.step)
    return Step(
        outcome=outcome,
        action=row["action"],
        given=row["given"],
        private=row["private"],
        measured=Measured.model_validate(clock["measured"]) if clock else None,
        at=datetime.fromtimestamp(clock["at"], UTC).isoformat(timespec="milliseconds") if clock else None,
        notes=tuple(note for note in notes if note.before == outcome.step),
    )


def _grouped(rows: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for prompt, completion in rows:
        groups.setdefault(prompt, []).append(completion)
    return groups


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSONL file; the one that a kill cut off is left out."""
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
