"""Tables as files: results that other stages read, numbers that stand behind a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Table = pd.DataFrame | dict[str, Any] | list[Any] | str


def write(value: Table, path: Path) -> Path:
    """Write a frame as parquet, a dictionary (or list) as JSON or text as HTML, by the suffix of `path`.

    Raises TypeError when the value does not fit the suffix, ValueError when JSON would hold NaN or infinity or when a
    frame has an index that would be lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        if not isinstance(value, pd.DataFrame):
            raise TypeError(f"{path.name} is declared as parquet: give a pandas frame, not {type(value).__name__}")
        _without_index(value).to_parquet(path, index=False)
    elif path.suffix == ".json":
        if isinstance(value, pd.DataFrame | str):
            raise TypeError(
                f"{path.name} is declared as JSON: give a dictionary or a list, not a {type(value).__name__.lower()}"
            )
        path.write_text(json.dumps(value, indent=1, sort_keys=True, default=plain, allow_nan=False) + "\n", "utf-8")
    elif path.suffix == ".html":
        if not isinstance(value, str):
            raise TypeError(f"{path.name} is declared as HTML: give its text, not a {type(value).__name__}")
        path.write_text(value.strip() + "\n", "utf-8")
    else:
        raise TypeError(f"{path.name}: results are .parquet, .json or .html")
    return path


def read(path: Path) -> Any:
    """Read what `write` wrote."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    text = path.read_text("utf-8")
    return text if path.suffix == ".html" else json.loads(text)


def write_numbers(frame: pd.DataFrame, path: Path) -> Path:
    """The numbers behind a figure, as CSV with six significant digits: readable, and stable between machines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _without_index(frame).to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
    return path


def _without_index(frame: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError(
            "the frame's index would be lost: call reset_index() first, with drop=True if it means nothing"
        )
    return frame


def plain(value: Any) -> Any:
    """JSON-native form of a numpy scalar or array; for `json.dumps(default=…)`."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
