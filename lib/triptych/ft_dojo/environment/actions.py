"""What an agent may do: eight typed actions, read strictly from JSON.

`parse` is the only door. It takes text or bytes of any origin, never raises for what it is given, and lets nothing
through that is larger, deeper or otherwise typed than declared here.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from triptych.errors import ParameterError
from triptych.ft_dojo.trainer import TrainSpec, train_spec

MOST_BYTES = 256_000  # of one action
MOST_DEPTH = 16
LARGEST_STEPS, LARGEST_EPOCHS, LARGEST_BATCH = 100_000, 1000.0, 1024
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _trainable(spec: TrainSpec) -> TrainSpec:
    try:
        checked = train_spec(**spec.model_dump())
    except ParameterError as error:
        raise ValueError(error.message) from error
    if (checked.steps or 0) > LARGEST_STEPS or (checked.epochs or 0) > LARGEST_EPOCHS:
        raise ValueError(f"at most {LARGEST_STEPS} steps or {LARGEST_EPOCHS:.0f} epochs")
    if max(checked.batch, checked.lora_rank) > LARGEST_BATCH:
        raise ValueError(f"batch and rank are at most {LARGEST_BATCH}")
    return checked


Spec = Annotated[TrainSpec, AfterValidator(_trainable)]


class Inspect(_Action):
    """Look at rows of a file: `instruction.md`, `public/…` or `data/ID.jsonl`."""

    kind: Literal["inspect"] = "inspect"
    path: Name
    start: int = Field(default=0, ge=0, le=10**9)
    rows: int = Field(default=20, ge=1, le=100)


class RunDataScript(_Action):
    """Run Python that writes `out/train.jsonl`; with `debug` it sees 100 rows of each public file and costs less."""

    kind: Literal["run_data_script"] = "run_data_script"
    code: str = Field(min_length=1, max_length=100_000)
    debug: bool = False


class Train(_Action):
    """Fine-tune the base on a data set; `micro` is a rehearsal of two steps on ten rows."""

    kind: Literal["train"] = "train"
    spec: Spec
    data: Name
    micro: bool = False


class Evaluate(_Action):
    """Accuracy on the first `n` items of val, rounded, with at most ten wrong items."""

    kind: Literal["evaluate"] = "evaluate"
    model: Name
    split: Literal["val"] = "val"
    n: int = Field(default=100, ge=1, le=100_000)


class ABTest(_Action):
    """Train every arm with every seed, one factor changed at a time, and compare on val.

    `factor` is a field of the spec, or "data" (arms are then data sets).
    """

    kind: Literal["ab_test"] = "ab_test"
    factor: Name
    arms: list[str | int | float] = Field(min_length=2, max_length=4)
    seeds: list[int] = Field(min_length=1, max_length=8)
    spec: Spec
    data: Name
    n: int = Field(default=100, ge=1, le=100_000)


class AskHuman(_Action):
    """Ask a yes-or-no question."""

    kind: Literal["ask_human"] = "ask_human"
    question: str = Field(min_length=1, max_length=2000)


class Submit(_Action):
    """End the episode with a model; when rivals are named, the hidden select split chooses among them all."""

    kind: Literal["submit"] = "submit"
    model: Name
    rivals: list[Name] = Field(default=[], max_length=4)


class Stop(_Action):
    """End the episode without a model."""

    kind: Literal["stop"] = "stop"
    reason: str = Field(default="", max_length=2000)


Action = Annotated[
    Inspect | RunDataScript | Train | Evaluate | ABTest | AskHuman | Submit | Stop, Field(discriminator="kind")
]
AnyAction = Inspect | RunDataScript | Train | Evaluate | ABTest | AskHuman | Submit | Stop
_ADAPTER: TypeAdapter[AnyAction] = TypeAdapter(Action)
KINDS = ("inspect", "run_data_script", "train", "evaluate", "ab_test", "ask_human", "submit", "stop")


class Malformed(Exception):
    """What was given is no action. `args[0]` says why, in words for the agent."""


def parse(given: str | bytes) -> AnyAction:
    """The action that JSON text describes. Raises Malformed, and nothing else, for anything else."""
    raw = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
    if len(raw) > MOST_BYTES:
        raise Malformed(f"{len(raw)} bytes; an action has at most {MOST_BYTES}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from error
    if depth(text) > MOST_DEPTH:
        raise Malformed(f"nested deeper than {MOST_DEPTH}")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate has no UTF-8
        return _ADAPTER.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "action"
        raise Malformed(f"{where}: {first['msg']}") from error
    except UnicodeEncodeError as error:
        raise Malformed("a string holds half a surrogate pair") from error
    except (ValueError, RecursionError) as error:  # JSONDecodeError is a ValueError; so are over-long integers
        raise Malformed(f"not JSON: {str(error)[:200]}") from error


def depth(text: str) -> int:
    """Deepest nesting of brackets outside strings, found without recursion."""
    deepest = level = 0
    inside = escaped = False
    for character in text:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "[{":
            level += 1
            deepest = max(deepest, level)
        elif character in "]}":
            level -= 1
    return deepest


def dump(action: AnyAction) -> str:
    """An action as the JSON that `parse` reads."""
    return action.model_dump_json()


def digest(given: str | bytes) -> str:
    """sha256 (hex) of what was given, whether or not it is an action."""
    return hashlib.sha256(given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is given twice")
    return made


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number here")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large")
    return number
