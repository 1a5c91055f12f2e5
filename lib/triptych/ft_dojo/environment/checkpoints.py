"""Weights are loaded only if they are exactly what the environment's own trainer could have written.

A model's folder holds `model.safetensors` and nothing that is executed: no pickle, no code, no tokenizer, no template.
Tensors must have the base's names, shapes and types and finite values; the configuration used is always the base's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from triptych.ft_dojo.environment.observations import Refusal

WEIGHTS = "model.safetensors"
MOST_HEADER = 1_000_000  # bytes


class Tensor(BaseModel):
    """Type and shape of one tensor, in safetensors' words."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dtype: str
    shape: tuple[int, ...]


def tensors(path: Path) -> dict[str, Tensor]:
    """Names, types and shapes in a safetensors file. Raises Refusal (`schema`) when it is none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > MOST_HEADER:
                raise ValueError("header too long")
            header: Any = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("header is no object")
        return {name: Tensor.model_validate(value) for name, value in header.items() if name != "__metadata__"}
    except (OSError, ValueError, RecursionError) as error:
        raise Refusal(
            "schema", f"{path.name} is no safetensors file", "only models that Train made are accepted",
            flag="foreign_tensors",
        ) from error  # fmt: skip


def verify(folder: Path, wanted: Mapping[str, Tensor], digest: str | None = None) -> str:
    """sha256 (hex) of a model's weights after all checks.

    Raises Refusal: `schema` for a file that is no safetensors file or has other tensors, `nan` for values that are not
    finite, `state` when the weights are not those of `digest`.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = folder / WEIGHTS
    found = tensors(path)
    if found != dict(wanted):
        names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        raise Refusal(
            "schema", f"not the base's tensors: {', '.join(names[:3])}", "only models that Train made are accepted",
            flag="foreign_tensors",
        )  # fmt: skip
    size = sum(_bytes(tensor) for tensor in wanted.values())
    if path.stat().st_size > size + MOST_HEADER:
        raise Refusal(
            "schema", f"{path.name} holds more than its tensors", "only models that Train made are accepted",
            flag="foreign_tensors",
        )  # fmt: skip
    raw = path.read_bytes()
    now = hashlib.sha256(raw).hexdigest()
    if digest is not None and now != digest:
        raise Refusal("state", "the weights are not those that Train wrote", "train again", flag="swapped_weights")
    try:
        values = load(raw)
    except SafetensorError as error:
        raise Refusal("schema", f"{path.name} is damaged: {error}", "train again") from error
    bad = sorted(name for name, value in values.items() if not np.isfinite(value).all())
    if bad:
        raise Refusal("nan", f"weights are not finite: {', '.join(bad[:3])}", "lower learning_rate")
    return now


def alone(folder: Path) -> None:
    """Raises Refusal (`schema`) when a model's folder holds anything besides its weights: code, a tokenizer, a pickle.

    Nothing else would be read; whoever puts it there does not know that.
    """
    others = sorted(path.name for path in folder.iterdir() if path.name != WEIGHTS)
    if others:
        raise Refusal("schema", f"{folder.name} also holds {', '.join(others[:3])}", "train again", flag="foreign_file")


def _bytes(tensor: Tensor) -> int:
    width = int("".join(filter(str.isdigit, tensor.dtype)) or 8) // 8
    return width * int(np.prod(tensor.shape, dtype=np.int64))
