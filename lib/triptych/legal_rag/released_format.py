"""The door for results made elsewhere: per-question JSONL, the released code's own or anybody's, into `runs.table`.

What is known of the released format: its judge answers with `correct` and `grounded` and a reason, in one call; the
data set calls its columns `id`, `question`, `answer` and `relevant_passage_id`; a judge's answer that cannot be parsed
is stored as null. The names of the other fields were not read. So every column is looked for under a list of names,
dots reaching into nested objects ("judgement.correct"); `Columns(...)` replaces a list where a file says it otherwise,
and what a file does not hold (one file a cell holds no embedder) is given as a constant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import pandas as pd

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import runs

Names = tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Under which names each column is looked for, first match wins. Give a tuple to replace the defaults.

    A hit is computed from `passages` (ids, or objects with an `id`, best first) and `gold` by *equality* of ids where a
    file holds both; the flag `retrieved`, which the released code makes by its own rule, is taken only where it does
    not. `Columns(passages=())` takes the flag all the same.
    """

    question: Names = ("question_id", "qa_id", "question.id", "qid", "id")  # a bare id may be the run's own
    retriever: Names = ("embedder", "embedding_model", "retriever", "retrieval_model")
    generator: Names = ("generator", "generative_model", "llm", "model")
    correct: Names = ("correct", "judgement.correct", "judgment.correct", "evaluation.correct", "judge.correct")
    grounded: Names = ("grounded", "judgement.grounded", "judgment.grounded", "evaluation.grounded", "judge.grounded")
    retrieved: Names = ("retrieved", "retrieval_correct", "retrieval_accurate", "hit")
    passages: Names = ("retrieved_passage_ids", "passage_ids", "retrieved_ids", "retrieved_passages", "passages")
    gold: Names = ("relevant_passage_id", "gold_passage_id", "gold", "question.relevant_passage_id")
    repeat: Names = ("repeat", "run", "sample")
    judge: Names = ("judge_model", "evaluator", "judge.model")
    abstained: Names = ("abstained", "judgement.abstained", "judgment.abstained")
    answerable: Names = ("answerable",)


@dataclass(frozen=True)
class Read:
    """The tidy table, and what the file did that a reader should know.

    `substring_hits` are the runs that only the released code's rule counts as retrieved: the gold id occurs *inside*
    another passage's id, as 2.1-c1-s1 in 1.2.1-c1-s1. `unparsed` are the verdicts that were null. `flag_disagrees` are
    the runs whose flag says otherwise than the ids of all their passages; of those, the substring rule explains
    `explained_by_substring`, the rest had another k, another gold or a fault.
    """

    runs: pd.DataFrame
    substring_hits: int
    unparsed: int
    flag_disagrees: int
    explained_by_substring: int


_ABSENT = object()
_NAMES = ("question", "retriever", "generator")  # never null: another name may hold them


def substring_hit(gold: str, found: Sequence[str]) -> bool:
    """The released code's rule: whether the gold id occurs *inside* the id of a passage found."""
    return any(gold in name for name in found)


def read(paths: Path | Sequence[Path], columns: Columns | None = None, k: int | None = None, **constants: Any) -> Read:
    """Read per-question JSONL files into one checked table.

    `constants` fill columns of `runs.Run` that the files do not hold: `read(path, retriever="Kanon 2", …)`. `k` counts
    only the first k passages. Raises DataError that names file, line, the missing column, the names tried and the
    fields that are there, also when k is given and a line has a flag and no passages to count; ParameterError for a
    constant that is no column.
    """
    columns = columns or Columns()
    known = {field.name for field in fields(columns)} | set(runs.Run.model_fields)
    if unknown := set(constants) - known:
        raise ParameterError(f"no column is called {', '.join(sorted(unknown))}", f"one of {', '.join(sorted(known))}")
    rows: list[dict[str, Any]] = []
    notes: list[_Hit] = []
    for path in [paths] if isinstance(paths, Path) else paths:
        try:
            lines = path.read_text("utf-8").split("\n")  # splitlines would also cut at separators inside a text
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path.name} cannot be read: {error}", "a UTF-8 file of one JSON object a line") from None
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path.name}, line {number}"
            row, hit = _row(_object(line, where), columns, constants, k, where)
            rows.append(row)
            notes.append(hit)
    table = runs.table(rows)
    return Read(
        table,
        substring_hits=sum(hit.only_inside for hit in notes),
        unparsed=table["verdict"].tolist().count("unparsed"),
        flag_disagrees=sum(hit.disagrees for hit in notes),
        explained_by_substring=sum(hit.explained for hit in notes),
    )


@dataclass(frozen=True)
class _Hit:
    """Whether a run retrieved its gold; whether only the substring rule says so; and what the file's flag says."""

    retrieved: bool | None = None
    only_inside: bool = False
    disagrees: bool = False
    explained: bool = False


def _hit(found: Sequence[str], gold: str, flag: bool | None, k: int | None) -> _Hit:
    whole, inside = gold in found, substring_hit(gold, found)  # the flag knows nothing of k
    first = found[:k]
    disagrees = flag is not None and flag != whole
    return _Hit(
        gold in first, gold not in first and substring_hit(gold, first), disagrees, disagrees and flag == inside
    )


def _row(
    record: Mapping[str, Any], columns: Columns, constants: Mapping[str, Any], k: int | None, where: str
) -> tuple[dict[str, Any], _Hit]:
    def value(column: str, default: Any = _ABSENT) -> Any:
        if column in constants:
            return constants[column]
        names = cast("Names", getattr(columns, column))
        for name in names:
            found = _reach(record, name)
            if found is not _ABSENT and not (column in _NAMES and found in (None, "")):
                return found
        if default is not _ABSENT:
            return default
        raise DataError(
            f"{where}: no {column} under {', '.join(names)}; there are {', '.join(map(str, record))}",
            f'name it: Columns({column}=("…",)), or give it: read(…, {column}=…)',
        )

    answerable = _flag(value("answerable", True), "answerable", where)
    gold = value("gold", None)
    correct, grounded = (_flag(value(name), name, where) for name in ("correct", "grounded"))
    judged = correct is not None and grounded is not None
    hit = _Hit()
    if answerable:
        flag = _flag(value("retrieved", None), "retrieved", where)
        found = None if "retrieved" in constants else value("passages", None)
        if flag is not None and (gold is None or found is None):
            if k is not None and "retrieved" not in constants:
                raise DataError(f"{where}: a flag and no ids, so the first {k} passages cannot be told", "leave k out")
            hit = _Hit(flag)
        else:
            found = _ids(value("passages"), where)
            if gold is None:
                raise DataError(f"{where}: no gold passage to look for", 'Columns(gold=("…",)) or Columns(retrieved=…)')
            hit = _hit(found, str(gold), flag, k)
    row = {
        "question": str(value("question")),
        "retriever": str(value("retriever")),
        "generator": str(value("generator")),
        "repeat": value("repeat", 0),
        "judge": str(value("judge", "") or ""),
        "gold": None if gold is None else str(gold),
        "answerable": bool(answerable),
        "verdict": "judged" if judged else "unparsed",  # half a verdict is none
        "correct": correct if judged else None,
        "grounded": grounded if judged else None,
        "retrieved": hit.retrieved,
        "abstained": _flag(value("abstained", None), "abstained", where),
    }
    return {**row, **{name: constants[name] for name in ("chunker", "phrasing") if name in constants}}, hit


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg}", "one object a line") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: not a JSON object", "one object a line")
    return cast("dict[str, Any]", record)


def _reach(record: Mapping[str, Any], name: str) -> Any:
    """The value under a name, or under a dotted path; null parents give null, so that a null judgement is unparsed."""
    if name in record:
        return record[name]
    head, dot, rest = name.partition(".")
    if not dot or head not in record:
        return _ABSENT
    inner = record[head]
    if inner is None:
        return None
    return _reach(cast("Mapping[str, Any]", inner), rest) if isinstance(inner, Mapping) else _ABSENT


_WORDS: dict[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _flag(value: Any, column: str, where: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if (word := str(value).strip().lower()) in _WORDS:
        return _WORDS[word]
    raise DataError(f"{where}: {column} is {value!r}, which is neither true, false nor null", "map another column")


def _ids(value: Any, where: str) -> list[str]:
    """Passage ids, as strings: the real data set mixes strings and numbers."""
    if not isinstance(value, list):
        raise DataError(f"{where}: the passages are not a list", 'Columns(passages=("…",)) or Columns(retrieved=…)')
    found: list[str] = []
    for item in cast("list[Any]", value):
        if isinstance(item, Mapping):
            if "id" not in item:
                raise DataError(f"{where}: a passage has no id", 'Columns(passages=("…",)) or Columns(retrieved=…)')
            item = cast("Mapping[str, Any]", item)["id"]
        found.append(str(item))
    return found
