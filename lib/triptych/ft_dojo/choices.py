"""What each choice in a training does: one factor changed at a time, paired by seed with the same reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from triptych.errors import ModelError
from triptych.figures import COLOURS
from triptych.ft_dojo import comparison, tasks
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import TrainSpec

REFERENCE = "reference"


@dataclass(frozen=True)
class Arm:
    """A changed training: its name, and the fields of the reference that it changes.

    `length` and `rate` multiply the reference's steps and learning rate.
    """

    name: str
    changes: Mapping[str, Any]

    def spec(self, reference: TrainSpec) -> TrainSpec:
        """The reference with this arm's changes."""
        changes = dict(self.changes)
        if "length" in changes:
            changes["steps"] = max(round((reference.steps or 1) * changes.pop("length")), 1)
        if "rate" in changes:
            changes["learning_rate"] = reference.learning_rate * changes.pop("rate")
        return reference.but(**changes)

    @property
    def missing(self) -> bool:
        """Whether this project's trainer has no such field."""
        return not set(self.changes) - {"length", "rate"} <= set(TrainSpec.model_fields)


ARMS = (
    Arm("learning rate ÷ 4", {"rate": 0.25}),
    Arm("learning rate × 4", {"rate": 4.0}),
    Arm("learning rate × 100", {"rate": 100.0}),
    Arm("a third of the steps", {"length": 1 / 3}),
    Arm("twice the steps", {"length": 2.0}),
    Arm("LoRA, rank 16, rate × 4", {"method": "lora", "rate": 4.0}),
    Arm("packing", {"packing": True}),
    Arm("NEFTune, noise 5", {"neftune_alpha": 5.0}),
    Arm("label smoothing 0.1", {"label_smoothing": 0.1}),
)


def available() -> tuple[list[Arm], list[str]]:
    """The arms that the trainer can carry out, and the names of those that it cannot."""
    return [arm for arm in ARMS if not arm.missing], [arm.name for arm in ARMS if arm.missing]


def sweep(
    base: Base,
    task: str,
    reference: TrainSpec,
    seeds: Sequence[int],
    test_items: int,
    on_run: Callable[[str, int], None] | None = None,
) -> tuple[pd.DataFrame, list[comparison.Comparison]]:
    """Every arm with every seed: accuracy on test with its exact interval, and the reference's runs.

    A seed draws the task (other wordings and amounts held out) and the order of training; arms share both. A training
    that diverged has no accuracy and says so.
    """
    rows: list[dict[str, Any]] = []
    runs: list[comparison.Comparison] = []
    for seed in seeds:
        made = tasks.make(task, seed, {"test": test_items})
        for arm in (Arm(REFERENCE, {}), *available()[0]):
            if on_run is not None:
                on_run(arm.name, seed)
            row: dict[str, Any] = {"arm": arm.name, "seed": seed, "chance": made.chance()}
            try:
                done = comparison.tiny(base, made, arm.spec(reference).but(seed=seed))
            except ModelError:
                rows.append({**row, "accuracy": None, "low": None, "high": None, "last_loss": None, "diverged": True})
                continue
            low, high = done.after.interval
            rows.append(
                {**row, "accuracy": done.after.value, "low": low, "high": high,
                 "last_loss": float(np.mean(done.run.losses[-5:])), "diverged": False}
            )  # fmt: skip
            if arm.name == REFERENCE:
                runs.append(done)
    return pd.DataFrame(rows), runs


def paired(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Each arm against the reference: mean difference over seeds (points) with its Student t interval.

    Seeds are the repetitions: the interval speaks for other wordings, amounts and orders, not only for other items. It
    is blank with fewer than two seeds that both arms finished.
    """
    from scipy.stats import t

    reference = {row["seed"]: row["accuracy"] for row in _rows(table) if row["arm"] == REFERENCE}
    rows: list[dict[str, Any]] = []
    for arm in dict.fromkeys(row["arm"] for row in _rows(table)):
        mine = [row for row in _rows(table) if row["arm"] == arm]
        gaps = [
            100 * (row["accuracy"] - reference[row["seed"]])
            for row in mine
            if not row["diverged"] and reference.get(row["seed"]) is not None
        ]
        reach = None
        if len(gaps) > 1 and arm != REFERENCE:
            reach = float(t.ppf(0.5 + level / 2, len(gaps) - 1) * np.std(gaps, ddof=1) / np.sqrt(len(gaps)))
        mean = float(np.mean(gaps)) if gaps else None
        rows.append(
            {"arm": arm, "difference": mean, "low": mean - reach if mean is not None and reach is not None else None,
             "high": mean + reach if mean is not None and reach is not None else None, "seeds": len(gaps),
             "diverged": sum(row["diverged"] for row in mine)}
        )  # fmt: skip
    return pd.DataFrame(rows)


def figure(table: pd.DataFrame) -> Figure:
    """Accuracy of every arm and seed, and beside it the paired difference from the reference."""
    differences = _rows(paired(table))
    arms = [row["arm"] for row in differences]
    drawn = Figure(figsize=(7.6, 1.3 + 0.36 * len(arms)), layout="constrained")
    chance = float(np.mean(table["chance"].to_numpy(float)))
    left, right = drawn.subplots(1, 2, sharey=True, width_ratios=[1.1, 1])
    for place, arm in enumerate(arms):
        for row in (row for row in _rows(table) if row["arm"] == arm and not row["diverged"]):
            left.plot(row["accuracy"], place, "o", color=COLOURS[0], alpha=0.7)
    left.axvline(chance, color=COLOURS[7], linestyle="--", linewidth=1)
    left.annotate("chance", (chance, -0.75), (3, 0), textcoords="offset points", fontsize=8)
    left.set(xlim=(0, 1), ylim=(len(arms) - 0.5, -1.0), xlabel="accuracy on test, one point a seed")
    left.set_yticks(range(len(arms)), arms)
    for place, row in enumerate(differences):
        if row["diverged"]:
            text = f"diverged with {row['diverged']} of {row['diverged'] + row['seeds']} seeds"
            right.text(0.98, place - 0.32, text, transform=right.get_yaxis_transform(), fontsize=7.5, ha="right")
        if row["seeds"] and row["arm"] != REFERENCE:
            right.plot(row["difference"], place, "o", color=COLOURS[1])
            if row["seeds"] > 1:
                right.plot([row["low"], row["high"]], [place, place], color=COLOURS[1])
    right.axvline(0, color=COLOURS[7], linewidth=0.8)
    right.set(xlabel="points against the reference,\n95 % interval over seeds")
    return drawn


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    found: Any = table.to_dict("records")
    return found
