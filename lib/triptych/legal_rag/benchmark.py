"""Corpus, passages and questions together: our EU-law benchmark, or the paper's own data set from the Hugging Face hub.

The paper's data set is licensed for non-commercial use (its card says both BY-NC and BY-NC-SA): it is downloaded when
asked for, kept in the cache, and never part of the project.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych import data, paths
from triptych.errors import DataError, ParameterError
from triptych.legal_rag import chunk, corpus, questions, validate
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Act, Article, Corpus, Defect
from triptych.legal_rag.questions import PHRASINGS, Claim, Phrasing, Question, Span

REPOSITORY = "isaacus/legal-rag-bench"
REVISION = "db0b31dc6d195ce9916897e1ac5e4e6209736c8a"
FILES = {
    "corpus.jsonl": "3a3565bc5429f6cead90548e81f87352b449927e4be1cdd804c28d766bb9c246",
    "qa.jsonl": "e3b869a4e293d081ec5f5b39c2058c8d27b36f611aa9f8275eb1877a7c8b38b0",
}
HINT = "the profiles smoke, quick and full need no network; for paper, connect and unset HF_HUB_OFFLINE"


@dataclass(frozen=True)
class Pinned:
    """A data set of the paper's schema on the Hugging Face hub, pinned to a revision and to the bytes of two files.

    `files` maps the names of the corpus file and of the question file, in this order, to their sha256 (hex).
    """

    repository: str
    revision: str
    files: Mapping[str, str]

    def __post_init__(self) -> None:
        if len(self.files) != 2:
            raise ParameterError(
                f"{self.repository}: {len(self.files)} files are named", "the corpus, then the questions"
            )


@dataclass(frozen=True)
class Benchmark:
    """What an experiment needs: texts, passages, questions in one or two phrasings, and what is wrong with the data."""

    name: str
    corpus: Corpus
    passages: list[Passage]
    questions: list[Question]
    phrasings: tuple[Phrasing, ...]
    defects: list[Defect]


def eu_law(articles: Sequence[str] = (), tokens: int = 200) -> Benchmark:
    """Our questions over six EU acts, cut by semchunk into passages of at most `tokens` tokens.

    `articles` restricts the corpus, and with it the questions, to a few articles; empty: all. The whole question set is
    validated first: DataError tells every item that is unfit and why. ParameterError when no question is left.
    """
    whole = corpus.load()
    items = questions.load()
    validate.check(items, whole)
    part = whole.only(articles) if articles else whole
    asked = questions.within(items, part.articles)
    if not asked:
        deciding = sorted({span.article for item in items for span in item.gold})
        raise ParameterError("these articles decide none of the questions", f"articles that do: {', '.join(deciding)}")
    return Benchmark(
        name="EU law",
        corpus=part,
        passages=chunk.semantic(part, tokens),
        questions=asked,
        phrasings=PHRASINGS,
        defects=corpus.defects(whole),
    )


def legal_rag_bench(endpoint: str | None = None) -> Benchmark:
    """The paper's data set: 4,876 passages as given, 100 questions, one gold passage each.

    Verified by sha256 against the pinned revision. Raises DataError without a network on first use, or when a byte
    differs. `endpoint` is another Hugging Face hub (a mirror).
    """
    return from_hub(Pinned(REPOSITORY, REVISION, FILES), endpoint)


def from_hub(source: Pinned, endpoint: str | None = None) -> Benchmark:
    """Any data set of the paper's schema from a hub, JSONL or parquet. Errors as `legal_rag_bench` and `read`.

    The two files are fetched by name, so that the hub's default configuration (the paper's is `corpus`, with a
    `footnotes` column that its card does not declare) plays no part.
    """
    corpus_file, qa_file = (_fetch(source, name, digest, endpoint) for name, digest in source.files.items())
    return read(corpus_file, qa_file, source.repository)


def _fetch(source: Pinned, name: str, digest: str, endpoint: str | None) -> Path:
    kept = paths.cache() / "hub" / source.repository.replace("/", "--") / source.revision / name
    if not kept.exists():
        downloaded = _download(source, name, endpoint)
        _verify(source, downloaded, digest)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        shutil.copyfile(downloaded, partial)
        partial.replace(kept)
    _verify(source, kept, digest)
    return kept


def _download(source: Pinned, name: str, endpoint: str | None) -> Path:
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    hub = HfApi(endpoint=endpoint)
    try:
        listed = hub.list_repo_files(source.repository, repo_type="dataset", revision=source.revision)
        found = [path for path in listed if Path(path).name == name]
        if len(found) != 1:
            raise DataError(f"{source.repository} has {len(found)} files called {name} at {source.revision[:12]}", HINT)
        return Path(hub.hf_hub_download(source.repository, found[0], repo_type="dataset", revision=source.revision))
    except (httpx.HTTPError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise DataError(f"could not download {name} of {source.repository}: {_first_line(error)}", HINT) from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _verify(source: Pinned, path: Path, digest: str) -> None:
    got = data.sha256(path)
    if got != digest:
        raise DataError(
            f"{path.name} of {source.repository} is not the pinned file\n  expected sha256 {digest}\n"
            f"  got             {got}",
            f"rm {path} and run again; the pinned revision is {source.revision[:12]}",
        )


def read(corpus_file: Path, qa_file: Path, name: str = REPOSITORY) -> Benchmark:
    """A benchmark in the paper's schema, from local files: .parquet, anything else is read as JSON lines.

    corpus: id, title, text, footnotes; qa: id, question, answer, relevant_passage_id. Only the text is used. Ids are
    compared as strings, because some files hold them as numbers; a whole number is the same id with a decimal point,
    as pandas writes a column with gaps. Raises DataError for a double, missing or blank id, a question without an
    answer, or a gold passage that the corpus does not have.
    """
    articles: dict[str, Article] = {}
    for number, row in enumerate(_rows(corpus_file, ("id", "text"))):
        own = _id(row["id"], f"{corpus_file.name}: row {number + 1}: id")
        if own in articles:
            raise DataError(f"{corpus_file.name}: passage {own} is there twice", "ids are unique")
        text = _words(row["text"], f"{corpus_file.name}: text of passage {own}")
        articles[own] = Article(own, "book", number, text, len(text))
    if not articles:
        raise DataError(f"{corpus_file.name} holds no passages", "one JSON object a line")
    paper = name == REPOSITORY
    acts = {"book": Act("book", name, "book", "Criminal Charge Book" if paper else name, "")}
    texts = Corpus(name, acts, articles)
    return Benchmark(
        name="Legal RAG Bench" if paper else name,
        corpus=texts,
        passages=chunk.as_given(texts),
        questions=_asked(qa_file, texts),
        phrasings=("distant",),
        defects=_doubtful(texts),
    )


def _asked(qa_file: Path, texts: Corpus) -> list[Question]:
    found: dict[str, Question] = {}
    for number, row in enumerate(_rows(qa_file, ("id", "question", "answer", "relevant_passage_id")), start=1):
        name = _id(row["id"], f"{qa_file.name}: row {number}: id")
        gold = _id(row["relevant_passage_id"], f"{qa_file.name}: question {name}: relevant_passage_id")
        if name in found:
            raise DataError(f"{qa_file.name}: question {name} is there twice", "ids are unique")
        if gold not in texts.articles:
            raise DataError(
                f"{qa_file.name}: question {name} needs passage {gold}, which the corpus has not",
                "correct either file",
            )
        asked, answer = (_words(row[word], f"{qa_file.name}: {word} {name}") for word in ("question", "answer"))
        if not asked.strip() or not answer.strip():
            raise DataError(f"{qa_file.name}: question {name} has no text or no answer", "each needs both")
        text = texts.text(gold)
        if not text.strip():
            raise DataError(
                f"{qa_file.name}: question {name} needs passage {gold}, which is empty", "correct the corpus"
            )
        whole = Span(article=gold, start=0, end=len(text), quote=text)
        claim = Claim(text=answer, support=(whole,))
        found[name] = Question(id=name, distant=asked, answer=answer, gold=(whole,), claims=(claim,))
    if not found:
        raise DataError(f"{qa_file.name} holds no questions", "one JSON object a line")
    return list(found.values())


def _doubtful(texts: Corpus) -> list[Defect]:
    same = Counter(article.text for article in texts)
    doubles = [
        Defect("duplicate text", article.id, f"{same[article.text]} passages have this text", len(article.text))
        for article in texts
        if same[article.text] > 1
    ]
    empty = [Defect("empty", article.id, "no text", 0) for article in texts if not article.text.strip()]
    return doubles + empty


def _id(value: object, what: str) -> str:
    """An id as a string. Raises DataError for none, a blank one, or what is neither a word nor a whole number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise DataError(f"{what} is {value!r}", "every passage and question has an id: a word or a whole number")
    return str(value)


def _words(value: object, what: str) -> str:
    """A text; none is an empty one. Raises DataError for anything else."""
    if value is None or isinstance(value, str):
        return value or ""
    raise DataError(f"{what} is {value!r}, which is no text", "put it in quotation marks")


def _rows(path: Path, needed: Sequence[str]) -> list[Mapping[str, Any]]:
    kind = "parquet" if path.suffix == ".parquet" else "JSON lines"
    try:
        rows = _parquet(path) if path.suffix == ".parquet" else _json_lines(path)
    except Exception as error:  # datasets wraps every failure of its reader differently
        hint = "check the path, and that the file is whole"
        raise DataError(f"{path.name} cannot be read as {kind}: {_first_line(error)}", hint) from None
    columns = {name for row in rows for name in row}
    if missing := [name for name in needed if rows and name not in columns]:
        raise DataError(f"{path.name} has no column {missing[0]!r}", f"columns: {', '.join(sorted(columns))}")
    return [{**dict.fromkeys(needed), **row} for row in rows]


def _parquet(path: Path) -> list[dict[str, Any]]:
    from datasets import Dataset  # imports pyarrow and pandas: a second

    # In memory, with a cache of its own per content: datasets would serve older rows of a file that has changed.
    folder = paths.cache() / "datasets" / data.sha256(path)[:16]
    return list(Dataset.from_parquet(str(path), cache_dir=str(folder), keep_in_memory=True))  # pyright: ignore[reportReturnType, reportArgumentType]  # datasets does not type its rows


def _json_lines(path: Path) -> list[dict[str, Any]]:
    # Not by datasets: its reader guesses types, and makes timestamps of ids that look like dates.
    with path.open(encoding="utf-8") as lines:  # splitlines would also cut at separators inside a text
        rows = [json.loads(line) for line in lines if line.strip()]
    if any(not isinstance(row, dict) for row in rows):
        raise ValueError("a line is no object")
    return rows
