"""Our own questions: the schema, and the file they are kept in (questions.jsonl, beside this module).

Every item is checked against the corpus by `validate`; how the items were written is told in DATASHEET.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from triptych.errors import DataError

FILE = Path(__file__).with_name("questions.jsonl")
Phrasing = Literal["distant", "plain"]
PHRASINGS: tuple[Phrasing, ...] = ("distant", "plain")
RowT = TypeVar("RowT", bound=BaseModel)


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(_Row):
    """Characters [start, end) of an article, and the text they must be."""

    article: str
    start: int
    end: int
    quote: str

    def __str__(self) -> str:
        return f"{self.article}:{self.start}-{self.end}"


class Claim(_Row):
    """One thing that a correct answer must say, and the words of the gold spans that say it."""

    text: str
    support: tuple[Span, ...]


class Question(_Row):
    """One benchmark item.

    `distant` is a practitioner's situation in everyday words, lexically unlike the passage that decides it (the paper's
    recipe); `plain` asks the same as a colleague would type it, statutory terms allowed. `gold` holds every span that
    an answer needs, all of them together; empty: the corpus has no answer, and the right one is to say so. Each entry
    of `sufficient` is another set of spans that would do instead of `gold`. `answer` is the long-form reference.
    """

    id: str
    distant: str
    plain: str | None = None
    answer: str
    gold: tuple[Span, ...] = ()
    sufficient: tuple[tuple[Span, ...], ...] = ()
    claims: tuple[Claim, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the corpus holds an answer."""
        return bool(self.gold)

    @property
    def acts(self) -> tuple[str, ...]:
        """The acts of the gold spans, in order, each once."""
        return tuple(dict.fromkeys(span.article.split("/")[0] for span in self.gold))

    def phrased(self, phrasing: Phrasing) -> str:
        """The question in one of its phrasings. Raises DataError when it has no plain one."""
        text = self.distant if phrasing == "distant" else self.plain
        if text is None:
            raise DataError(f"question {self.id} has no plain phrasing", "ask the distant one")
        return text


def load(path: Path = FILE) -> list[Question]:
    """The questions of a JSONL file, in order. Raises DataError that names the line and what is wrong with it."""
    return rows(path, Question, "question")


def rows(path: Path, schema: type[RowT], what: str) -> list[RowT]:
    """The rows of a JSONL file, in order, each a `schema`; `what` is one of them in words.

    Raises DataError that names the line and what is wrong with it, or says that the file is missing or empty.
    """
    if not path.exists():
        raise DataError(f"there is no {what} file {path.name} in {path.parent}", "git checkout lib/triptych/legal_rag")
    found: list[RowT] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(schema.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the line"
            module = schema.__module__.rpartition(".")[2]
            raise DataError(
                f"{path.name}, line {number}: {where}: {first['msg']}",
                f"see {module}.{schema.__name__} for the schema",
            ) from None
    if not found:
        raise DataError(f"{path.name} holds no {what}", "one JSON object a line")
    return found


def save(items: Iterable[Question], path: Path = FILE) -> None:
    """Write questions as JSONL, one a line, in the given order."""
    path.write_text("".join(f"{item.model_dump_json()}\n" for item in items), "utf-8")


def within(items: Sequence[Question], articles: Iterable[str]) -> list[Question]:
    """The answerable questions whose every gold span lies in one of `articles`, in order."""
    allowed = set(articles)
    return [item for item in items if item.answerable and all(span.article in allowed for span in item.gold)]
