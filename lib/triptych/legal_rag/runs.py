"""The tidy table of runs: one row a question × arm × repeat, whoever made it.

The inference (`taxonomy`, `linear_probability`, `paired`, `judge_error`) reads this table and nothing else, so that a
user's own results need only be brought into this form. Symbols of the paper: c = `correct`, g = `grounded`,
r = `retrieved`; its embedder is our `retriever`, because not every retriever embeds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from triptych.errors import DataError, ParameterError

Measure = Literal["correct", "grounded", "retrieved"]
Unparsed = Literal["wrong", "right"]
FLAGS = ("correct", "grounded", "retrieved", "abstained")
KEY = ("question", "retriever", "generator", "chunker", "phrasing", "judge", "repeat")


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Name = Annotated[str, AfterValidator(_not_blank)]


class Run(BaseModel):
    """One row: what one arm did with one question, and what the judge said of it.

    `gold` names the gold passage, for clustering questions that share one. `verdict` is "unparsed" when the judge's
    answer could not be read; such a row keeps its place, with `correct` and `grounded` empty. `retrieved` (the gold
    passage was among the k) is empty exactly for questions that the corpus cannot answer. An oracle arm retrieves
    always, a closed-book arm never.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: Name
    retriever: Name
    generator: Name
    repeat: int = 0
    chunker: str = ""
    phrasing: str = ""
    judge: str = ""
    gold: str | None = None
    answerable: bool = True
    verdict: Literal["judged", "unparsed"] = "judged"
    correct: bool | None = None
    grounded: bool | None = None
    retrieved: bool | None = None
    abstained: bool | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Run:
        judged = self.correct is not None and self.grounded is not None
        if self.verdict == "judged" and not judged:
            raise ValueError("a judged run needs correct and grounded; without a verdict say verdict='unparsed'")
        if self.verdict == "unparsed" and (self.correct is not None or self.grounded is not None):
            raise ValueError("an unparsed verdict has neither correct nor grounded")
        if self.answerable and self.retrieved is None:
            raise ValueError("an answerable question needs retrieved (an oracle arm: true, closed book: false)")
        if not self.answerable and self.retrieved is not None:
            raise ValueError("an unanswerable question has no retrieved: leave it empty")
        if not self.answerable and self.verdict == "judged" and self.abstained is None:
            raise ValueError("an unanswerable question needs abstained: abstention is its right outcome")
        return self


def table(rows: Iterable[Run | dict[str, Any]]) -> pd.DataFrame:
    """The tidy table of these rows, checked: booleans that can be missing, one row a key, at least one row.

    Raises DataError that names the row, the field and what is wrong, or the key that occurs twice.
    """
    checked: list[dict[str, Any]] = []
    for number, row in enumerate(rows, start=1):
        try:
            run = row if isinstance(row, Run) else Run.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the row"
            raise DataError(f"run {number}: {where}: {first['msg']}", "see legal_rag.runs.Run for the schema") from None
        checked.append(run.model_dump())
    if not checked:
        raise DataError("the table of runs is empty", "one row a question × arm × repeat")
    frame = pd.DataFrame(checked, columns=list(Run.model_fields))
    twice = frame[frame.duplicated(list(KEY), keep=False)]
    if len(twice):
        key = ", ".join(f"{name}={twice.iloc[0][name]}" for name in KEY if twice.iloc[0][name] != "")
        raise DataError(f"{len(twice)} rows share a key, for example {key}", "number the repeats, or drop the copies")
    return frame.astype(dict.fromkeys(FLAGS, "boolean"))


def check(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of the user's, checked and in the schema's types. Raises DataError as `table`."""
    records = [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
    return table(records)


def read(path: Path) -> pd.DataFrame:
    """The tidy table of a .jsonl or .parquet file, checked. Raises DataError when it cannot be read or is unfit."""
    try:
        if path.suffix == ".parquet":
            return check(pd.read_parquet(path))
        if path.suffix != ".jsonl":
            raise DataError(f"{path.name}: runs are read from .jsonl or .parquet", "rename or convert the file")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read: {error}", "check the path and the format") from None
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise DataError(f"{path.name}, line {number}: not JSON: {error.msg}", "one object a line") from None
    return table(rows)


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write a checked table as .jsonl or .parquet; `read` gives the same table back."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        rows = [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    else:
        raise DataError(f"{path.name}: runs are written as .jsonl or .parquet", "choose one of these suffixes")
    return path


def answerable(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs on questions that the corpus can answer; the others are tabled apart (`taxonomy.unanswerable`)."""
    return frame.loc[frame["answerable"]].reset_index(drop=True)


def only_answerable(frame: pd.DataFrame) -> None:
    """Raises DataError when the table holds an unanswerable question, which has no r and whose right outcome is to
    abstain."""
    if not frame["answerable"].to_numpy(dtype=bool).all():
        raise DataError("unanswerable questions are tabled apart", "pass runs.answerable(frame)")


def outcome(frame: pd.DataFrame, measure: Measure, unparsed: Unparsed = "wrong") -> npt.NDArray[np.float64]:
    """A measure as 0.0 and 1.0, one a row. An unparsed verdict counts as wrong or as right, and is never dropped.

    Reporting both bounds what the unread verdicts could change. Raises DataError when the table still holds
    unanswerable questions.
    """
    only_answerable(frame)
    missing = unparsed == "right"
    return cast("npt.NDArray[np.float64]", frame[measure].fillna(missing).astype(float).to_numpy())


def wide(
    frame: pd.DataFrame,
    measure: Measure,
    arms: Sequence[str] = ("retriever", "generator"),
    unparsed: Unparsed = "wrong",
) -> pd.DataFrame:
    """Questions × arms, the mean over repeats in each cell; complete, or DataError that names what is missing.

    Of what stands in no column of `arms`, retrievers, generators and repeats are averaged; raises ParameterError as
    `unpooled` for the rest.
    """
    unpooled(frame, arms)
    given = frame.assign(value=outcome(frame, measure, unparsed))
    matrix = given.pivot_table(index="question", columns=list(arms), values="value", aggfunc="mean", sort=False)
    if matrix.isna().to_numpy().any():
        question, arm = next((q, a) for a in matrix.columns for q in matrix.index if pd.isna(matrix.loc[q, a]))
        raise DataError(
            f"question {question} has no run in arm {arm}", "paired tests need every question in every arm compared"
        )
    return matrix


def unpooled(frame: pd.DataFrame, apart: Sequence[str] = ()) -> None:
    """Raises ParameterError for several judges, chunkers or phrasings in the table, unless `apart` names the column.

    Pooled, the same question (or the very same answer, judged twice) would count as several independent ones.
    """
    for name in ("judge", "chunker", "phrasing"):
        levels = list(dict.fromkeys(frame[name]))
        if name not in apart and len(levels) > 1:
            raise ParameterError(
                f"the runs have {len(levels)} values of {name}: {', '.join(map(repr, levels))}; pooled, one question "
                "would count several times",
                f'filter the column {name}: frame[frame["{name}"] == {levels[0]!r}]',
            )


def one_repeat(frame: pd.DataFrame) -> pd.DataFrame:
    """The first repeat of every question in every arm: what tests need that take one answer a question and arm."""
    key = [name for name in KEY if name != "repeat"]
    first = frame["repeat"] == frame.groupby(key)["repeat"].transform("min")
    return frame.loc[first].reset_index(drop=True)


def binary(values: pd.DataFrame | pd.Series) -> npt.NDArray[np.int64]:
    """The same values as integers 0 and 1. Raises ParameterError when repeats were averaged into fractions."""
    array = np.asarray(values, dtype=float)
    if not np.isin(array, (0.0, 1.0)).all():
        raise ParameterError("an exact test needs one answer a question and arm", "runs.one_repeat(frame)")
    return array.astype(np.int64)


RETRIEVES = {"weak": -0.5, "middling": 0.0, "strong": 0.8, "oracle": np.inf, "closed book": -np.inf}
"""Invented retrievers of `simulated`: how easily each finds what a question needs, in standard deviations."""


def simulated(questions: int = 60, seed: int = 0, unanswerable: int = 6) -> pd.DataFrame:
    """Invented runs of known truth, to try the inference on: three retrievers and two bounds, two generators.

    A question has an ease, shared by all its runs. Retrieval helps both generators alike (no interaction on the probit
    scale), the generator "two" is better grounded and as often correct. Two phrasings, two questions a gold passage.
    """
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number in range(questions + unanswerable):
        ease, answerable = random.normal(), number < questions
        for phrasing, shift in (("distant", -0.6), ("plain", 0.2)):
            for retriever, power in RETRIEVES.items():
                found = bool(0.8 * ease + power + shift + random.normal() > 0)
                for generator, care in (("one", 0.2), ("two", 0.9)):
                    grounded = bool(0.3 * ease + care + 0.7 * found + random.normal() > 0)
                    correct = bool(0.6 * ease - 0.9 + 1.4 * found + random.normal() > 0) and answerable
                    own: dict[str, Any] = {"question": f"q{number:03}", "retriever": retriever, "generator": generator}
                    own |= {"phrasing": phrasing, "answerable": answerable, "grounded": grounded, "correct": correct}
                    own |= {
                        "retrieved": found if answerable else None,
                        "gold": f"g{number // 2}" if answerable else None,
                    }
                    rows.append({**own, "judge": "none, invented", "abstained": bool(random.random() < 0.2)})
    return table(rows)


def _plain(value: Any) -> Any:
    """None for every kind of missing value, Python's own types for numpy's."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
