"""A task on disk: what an agent may see in one folder, what it may not in another.

    FOLDER/task.toml         id, metric, base, limits, prices, chance levels, a commitment to each hidden split
    FOLDER/instruction.md    what is asked, in words
    FOLDER/public/           raw, deliberately dirty training rows
    HIDDEN/prompts/SPLIT.jsonl   prompts and options without answers: what a model is given to be scored
    HIDDEN/gold/SPLIT.jsonl      the items; only the scorer's process opens them

Neither folder names the generator's seed: who knows it can make every hidden item.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from triptych.errors import DataError
from triptych.ft_dojo.environment.budget import Limits, Rates
from triptych.ft_dojo.tasks import SPLITS, Item, Task

HIDDEN_SPLITS = SPLITS[1:]
TRAIN = "train.jsonl"
DEBUG_ROWS = 100  # that a script sees of a public file in a debug run


class BaseModelCard(BaseModel):
    """The model that is fine-tuned: its name, and the sha256 (hex) of its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str


class TaskCard(BaseModel):
    """What task.toml says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    domain: str
    metric: str
    direction: Literal["higher is better"] = "higher is better"
    base: BaseModelCard
    sizes: dict[str, int]
    chance: dict[str, float]
    commitment: dict[str, str]  # sha256 (hex) of the bytes of each hidden split
    limits: Limits = Limits()
    rates: Rates = Rates()

    def normalised(self, score: float, split: str) -> float:
        """100·(score − chance)/(1 − chance)."""
        return 100 * (score - self.chance[split]) / (1 - self.chance[split])


class Prompt(BaseModel):
    """One item as a model sees it. `choices` are completions of which the likeliest is the answer; none: generate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    prompt: str
    choices: list[str]


@dataclass(frozen=True)
class TaskFolder:
    """A task on disk: its card, the agent's folder, and the hidden one."""

    card: TaskCard
    folder: Path
    hidden: Path

    def prompts(self, split: str, count: int | None = None) -> list[Prompt]:
        """The first `count` prompts of a hidden split, without gold."""
        lines = (self.hidden / "prompts" / f"{split}.jsonl").read_text("utf-8").splitlines()
        return [Prompt.model_validate_json(line) for line in lines[:count]]


def write(
    task: Task,
    folder: Path,
    hidden: Path,
    base: BaseModelCard,
    limits: Limits | None = None,
    rates: Rates | None = None,
) -> TaskFolder:
    """Write a generated task; same task, same bytes."""
    gold = {split: task.jsonl(split) for split in HIDDEN_SPLITS}
    card = TaskCard(
        id=task.id,
        domain=task.domain,
        metric=task.metric,
        base=base,
        sizes={split: len(task.splits[split]) for split in HIDDEN_SPLITS},
        chance={split: task.chance(split) for split in HIDDEN_SPLITS},
        commitment={split: hashlib.sha256(raw).hexdigest() for split, raw in gold.items()},
        limits=limits or Limits(),
        rates=rates or Rates(),
    )
    for part in (folder / "public", hidden / "prompts", hidden / "gold"):
        part.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(toml(card.model_dump()), "utf-8")
    (folder / "instruction.md").write_text(instruction(task, card), "utf-8")
    (folder / "public" / TRAIN).write_bytes(task.public_jsonl())
    for split, raw in gold.items():
        (hidden / "prompts" / f"{split}.jsonl").write_text(_lines(map(_prompt, task.splits[split])), "utf-8")
        (hidden / "gold" / f"{split}.jsonl").write_bytes(raw)
    (hidden / "gold").chmod(0o700)
    return TaskFolder(card, folder.resolve(), hidden.resolve())


def read(folder: Path, hidden: Path) -> TaskFolder:
    """A task that was written before. Raises DataError when task.toml is missing or is none."""
    try:
        card = TaskCard.model_validate(tomllib.loads((folder / "task.toml").read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise DataError(
            f"{folder} holds no task: {str(error).splitlines()[0]}", "write it again from its generator"
        ) from error
    return TaskFolder(card, folder.resolve(), hidden.resolve())


def instruction(task: Task, card: TaskCard) -> str:
    """instruction.md: what is asked, how answers are read, what a script may use and what everything costs."""
    example = task.splits["train"][0]
    limits = card.limits
    return f"""# Task `{card.id}` ({card.domain})

{task.instruction or "Fine-tune the base model so that it answers the questions of this domain."}

Scored by {card.metric}, higher is better, on hidden items of the same kind. A score that needs no skill is worth 0, a
perfect one 100.

## What the model is given, what it must say
A prompt ends in a line `answer :`. Train on rows of `prompt` and `completion` that look exactly like this one:

    {json.dumps({"prompt": example.prompt, "completion": example.completion("ANSWER")}, ensure_ascii=False)}

## Data
`public/{TRAIN}` holds raw rows, one JSON object a line. They were gathered carelessly: look before you train.

## Data scripts
Python with numpy and pandas, no network, in a folder with `public/` and `data/` (both read-only; `data/` holds your
earlier data sets). Write at most {limits.samples} rows, each `{{"prompt": …, "completion": …}}`, to `out/{TRAIN}`.
What a script prints comes back shortened. Rows that repeat a hidden item are left out and reported.

## Limits
{limits.nominal_cpu:g} nominal CPU-seconds, {limits.training_tokens} training tokens, {limits.evaluations} evaluations,
{limits.actions} actions, {limits.llm_tokens} language-model tokens, {limits.wall:g} s of wall time and
{limits.memory / 1e6:.0f} MB of memory. A data script costs {limits.full_script.nominal:g} nominal seconds,
{limits.debug_script.nominal:g} with `debug`.
"""


def toml(value: Mapping[str, Any], prefix: str = "") -> str:
    """A nested mapping of strings and numbers as TOML."""
    plain = [f"{key} = {json.dumps(item)}" for key, item in value.items() if not isinstance(item, Mapping)]
    tables = [(f"{prefix}{key}", item) for key, item in value.items() if isinstance(item, Mapping)]
    parts = ["\n".join(plain)] if plain else []
    for name, item in tables:
        inner = toml(item, f"{name}.")
        parts.append(inner if inner.startswith("[") else f"[{name}]\n{inner}")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _prompt(item: Item) -> dict[str, JsonValue]:
    return {"id": item.id, "prompt": item.prompt, "choices": [item.completion(option) for option in item.options]}


def _lines(rows: Iterable[Mapping[str, JsonValue]]) -> str:
    return "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in rows)
