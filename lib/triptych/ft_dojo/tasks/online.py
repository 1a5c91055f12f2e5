"""The paper's own data sets in the layout of the generated tasks: pinned by repository, revision and sha256.

Nothing of them is part of the project; a file is downloaded when asked for, verified, and kept in the cache. Where no
public source that we could read names a data set's repository, revision or columns, they are left blank here and the
user gives them: a guess would be worse than a question.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from triptych import data, paths
from triptych.errors import DataError, ParameterError
from triptych.ft_dojo.tasks.base import LABELS, SPLITS, Item, Row, Task, checked_sizes, split_of
from triptych.ft_dojo.tasks.recipe import SIZES

HINT = "connect and unset HF_HUB_OFFLINE, or give a downloaded file with path="
READERS = {".json": "from_json", ".jsonl": "from_json", ".csv": "from_csv", ".parquet": "from_parquet"}


@dataclass(frozen=True)
class Pin:
    """Which bytes: a file of a Hugging Face data set at a revision (commit), and its sha256 (hex)."""

    repository: str = ""
    revision: str = ""
    file: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Source:
    """One task's data set as the paper names it, and what is known of where and how it lies.

    `columns` maps question, answer and (where there are any) options to the file's column names.
    """

    dataset: str
    domain: str
    metric: str
    pin: Pin = field(default_factory=Pin)
    columns: Mapping[str, str] = field(default_factory=dict[str, str])


_CHEMISTRY, _TABLE = "ChemCoTDataset", "TableInstruct"
# Repository, file and columns of DeepScaleR-Preview as its dataset card on huggingface.co says.
SOURCES = {
    "math": Source(
        "DeepScaleR-Preview",
        "math",
        "exact match",
        Pin(repository="agentica-org/DeepScaleR-Preview-Dataset", file="deepscaler.json"),
        {"question": "problem", "answer": "answer"},
    ),
    "patent_par4pc": Source("PANORAMA", "patent", "set F1"),
    "patent_pi4pc": Source("PANORAMA", "patent", "gold hit"),
    "patent_noc4pc": Source("PANORAMA", "patent", "macro F1"),
    "molecule_understanding": Source(_CHEMISTRY, "chemistry", "exact match"),
    "molecule_editing": Source(_CHEMISTRY, "chemistry", "same molecule"),
    "reaction": Source(_CHEMISTRY, "chemistry", "same molecule"),
    "finance": Source("FinanceIQ", "finance", "exact match"),
    "table_analysis": Source(_TABLE, "table", "exact match"),
    "table_fact_checking": Source(_TABLE, "table", "exact match"),
    "table_numerical": Source(_TABLE, "table", "within 1 %"),
    "table_visualisation": Source(_TABLE, "table", "same chart"),
}


def make(
    name: str,
    seed: int,
    pin: Pin | None = None,
    columns: Mapping[str, str] | None = None,
    sizes: Mapping[str, int] | None = None,
    path: Path | None = None,
    endpoint: str | None = None,
) -> Task:
    """The paper's data for one task, dealt to the splits by the digest of each question.

    `pin` and `columns` fill in or replace what SOURCES knows; `path` is a file already at hand, verified all the same.
    The public rows are the train rows as they are: what is wrong with real data nobody has recorded. Rows without a
    question or answer stay in `public` and are left out of the hidden splits. Raises ParameterError for a task
    that has no online data, a blank in the pin or columns, or more items than there are; DataError for bytes that
    cannot be had, cannot be read, or are others than pinned.
    """
    if name not in SOURCES:
        raise ParameterError(f"no data set of the paper is known for {name!r}", f"known: {', '.join(SOURCES)}")
    source = SOURCES[name]
    merged = _merged(source.pin, pin or Pin())
    where = {**source.columns, **(columns or {})}
    _require(source, merged, where, local=path is not None)
    file = path or _fetch(merged, endpoint)
    _verify(file, merged)
    rows = _rows(file, where, f"{name}-online")
    wanted = checked_sizes(sizes, SIZES)
    dealt: dict[str, list[tuple[Row, str]]] = {split: [] for split in SPLITS}
    for row in rows:
        key = " ".join(row.question.lower().split())
        dealt[split_of(f"{name}-online", key, seed)].append((row, key))
    splits: dict[str, tuple[Item, ...]] = {}
    public: tuple[Row, ...] = ()
    for split, found in dealt.items():
        if split != "train":  # the hidden splits: usable rows only, each question once
            found = list({key: (row, key) for row, key in found if _usable(row)}.values())
        if len(found) < wanted[split]:
            raise ParameterError(
                f"split {split} of {source.dataset} cannot have {wanted[split]} items", f"at most {len(found)}"
            )
        chosen = random.Random(f"{name}-online/{seed}/{split}").sample(found, wanted[split])
        if split == "train":
            public = tuple(row for row, _ in chosen)
        splits[split] = tuple(_item(row, key) for row, key in chosen if _usable(row))
    return Task(
        id=f"{name}-online",
        domain=source.domain,
        metric=source.metric,
        seed=seed,
        splits=splits,
        public=public,
        instruction=f"Items of {source.dataset}. Metric: {source.metric}.",
    )


def _merged(known: Pin, given: Pin) -> Pin:
    return Pin(
        given.repository or known.repository,
        given.revision or known.revision,
        given.file or known.file,
        given.sha256 or known.sha256,
    )


def _require(source: Source, pin: Pin, columns: Mapping[str, str], *, local: bool) -> None:
    needed = ("sha256",) if local else ("repository", "revision", "file", "sha256")
    if blank := [name for name in needed if not getattr(pin, name)]:
        raise ParameterError(
            f"{source.dataset}: {', '.join(blank)} not known here",
            f"give pin=Pin({', '.join(f'{name}=…' for name in blank)}) from the data set's page",
        )
    if blank := [name for name in ("question", "answer") if not columns.get(name)]:
        raise ParameterError(
            f"{source.dataset}: which columns hold {' and '.join(blank)} is not known here",
            'give columns={"question": …, "answer": …}, and "options" where there are any',
        )


def _fetch(pin: Pin, endpoint: str | None) -> Path:
    kept = paths.cache() / "ft_dojo" / "online" / pin.sha256[:16] / Path(pin.file).name
    if not kept.exists():
        downloaded = _download(pin, endpoint)
        _verify(downloaded, pin)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        shutil.copyfile(downloaded, partial)
        partial.replace(kept)
    return kept


def _download(pin: Pin, endpoint: str | None) -> Path:
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    away = (httpx.HTTPError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError, ValueError)
    try:
        hub = HfApi(endpoint=endpoint)
        return Path(hub.hf_hub_download(pin.repository, pin.file, repo_type="dataset", revision=pin.revision))
    except away as error:
        raise DataError(f"could not download {pin.file} of {pin.repository}: {_first_line(error)}", HINT) from None


def _verify(path: Path, pin: Pin) -> None:
    if not path.is_file():
        raise DataError(f"{path} is no file", "give the path of the downloaded data set")
    if (got := data.sha256(path)) != pin.sha256:
        raise DataError(
            f"{path.name} is not the pinned file\n  expected sha256 {pin.sha256}\n  got             {got}",
            "download it again at the pinned revision, or correct the pin",
        )


def _rows(path: Path, columns: Mapping[str, str], prefix: str) -> list[Row]:
    from datasets import Dataset  # imports pyarrow and pandas: a second

    if path.suffix not in READERS:
        raise DataError(f"{path.name} is of no kind that can be read", f"kinds: {', '.join(READERS)}")
    try:
        # In memory, with a cache of its own per content: datasets would serve older rows of a file that has changed.
        folder = paths.cache() / "datasets" / data.sha256(path)[:16]
        read = getattr(Dataset, READERS[path.suffix])
        table: Any = read(str(path), cache_dir=str(folder), keep_in_memory=True)
    except Exception as error:  # datasets wraps every failure of its reader differently
        raise DataError(f"{path.name} cannot be read: {_first_line(error)}", "one object or row an item") from None
    if missing := [name for name in columns.values() if name not in table.column_names]:
        raise DataError(f"{path.name} has no column {missing[0]!r}", f"columns: {', '.join(table.column_names)}")
    rows: list[Row] = []
    for number, raw in enumerate(cast("list[dict[str, Any]]", table)):
        options = raw[columns["options"]] if "options" in columns else ()
        rows.append(
            Row(
                id=f"{prefix}-{number:06d}",
                question=_text(raw[columns["question"]]),
                answer=_text(raw[columns["answer"]]),
                options=tuple(map(_text, options or ())),
            )
        )
    return rows


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _usable(row: Row) -> bool:
    if not row.question or not row.answer:
        return False
    # With options, the answer is the text of one of them or its letter.
    return not row.options or (len(row.options) <= len(LABELS) and _label(row) != "")


def _label(row: Row) -> str:
    if row.answer in row.options:
        return LABELS[row.options.index(row.answer)]
    return row.answer if row.answer in LABELS[: len(row.options)] else ""


def _item(row: Row, key: str) -> Item:
    label = _label(row) if row.options else row.answer
    return Item(row.id, "online/0", (key,), row.question, row.options, label, key)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
