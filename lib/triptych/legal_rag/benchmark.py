"""Corpus, passages and questions together: our EU-law benchmark, or the paper's own data set from the Hugging Face hub.

The paper's data set is licensed for non-commercial use (its card says both BY-NC and BY-NC-SA): it is downloaded when
asked for, kept in the cache, and never part of the project.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
KINDS = (".jsonl", ".parquet")
HINT = "the profiles smoke, quick and full need no network; for paper, connect and unset HF_HUB_OFFLINE"


@dataclass(frozen=True)
class Pinned:
    """A data set of the paper's schema on the Hugging Face hub, pinned to a revision and to the bytes of two files.

    `files` maps the names of the corpus file and of the question file, in this order, to their sha256 (hex), or to None
    where the revision, a commit, is pin enough.
    """

    repository: str
    revision: str
    files: Mapping[str, str | None]

    def __post_init__(self) -> None:
        if len(self.files) != 2:
            raise ParameterError(
                f"{self.repository}: {len(self.files)} files are named", "the corpus, then the questions"
            )


@dataclass(frozen=True)
class Benchmark:
    """What an experiment needs: texts, passages, questions in one or two phrasings, and what is wrong with the data.

    `questions` have an answer in the texts, `unanswerable` ones have none. `chunker` says how the passages were cut.
    `digest` is the sha256 (hex) of the files that the texts and questions of somebody else were read from.
    """

    name: str
    corpus: Corpus
    passages: list[Passage]
    questions: list[Question]
    phrasings: tuple[Phrasing, ...]
    defects: list[Defect]
    unanswerable: list[Question] = field(default_factory=list[Question])
    chunker: str = "as given"
    digest: str = ""


def named(name: str, articles: Sequence[str] = (), tokens: int = 200) -> Benchmark:
    """The benchmark called `name`: "eu-law" (`articles` and `tokens` as in `eu_law`), "legal-rag-bench", a data set of
    the paper's schema on the Hugging Face hub ("owner/name@revision", the revision a commit of 40 hex digits), or a
    local folder with such a data set (corpus.jsonl and qa.jsonl, or .parquet; relative to the repository).

    Raises ParameterError for any other name, and for `articles` of a benchmark that is not ours; DataError as `read`.
    """
    if name == "eu-law":
        return eu_law(articles, tokens)
    if articles:
        raise ParameterError(f"articles are those of eu-law; {name} is searched whole", "-p 'articles=[]'")
    if name == "legal-rag-bench":
        return legal_rag_bench()
    if found := re.fullmatch(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})", name):
        return _at_commit(found[1], found[2])
    folder = paths.root() / Path(name).expanduser()
    if name and folder.is_dir():
        corpus_file, qa_file = (_only(folder.iterdir(), stem, name) for stem in ("corpus", "qa"))
        return read(corpus_file, qa_file, folder.resolve().name)
    raise ParameterError(
        f"no benchmark is called {name!r}",
        "eu-law, legal-rag-bench, owner/name@revision (hub; the revision is a commit of 40 hex digits), or a folder "
        "with corpus and qa as .jsonl or .parquet",
    )


def _only(files: Iterable[Path], stem: str, where: str) -> Path:
    """The one file called `stem` among these. Raises DataError when there is none, or one of each kind."""
    fitting = sorted(path for path in files if path.stem == stem and path.suffix in KINDS)
    if len(fitting) != 1:
        said = " and ".join(path.name for path in fitting) or f"no {stem}.jsonl or {stem}.parquet"
        raise DataError(f"{where} holds {said}", f"exactly one file of passages and one of questions: {stem}.jsonl, …")
    return fitting[0]


def _at_commit(repository: str, revision: str) -> Benchmark:
    kept = _folder(repository, revision)
    listed = [path.name for path in kept.iterdir() if path.suffix in KINDS] if kept.exists() else []
    if len(listed) < 2:
        listed = _listed(repository, revision)
    names = [_only(map(Path, listed), stem, f"{repository} at {revision[:12]}").name for stem in ("corpus", "qa")]
    return from_hub(Pinned(repository, revision, dict.fromkeys(names)))


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
        unanswerable=[item for item in items if not item.answerable],
        chunker=f"semchunk {tokens}",
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


def _folder(repository: str, revision: str) -> Path:
    return paths.cache() / "hub" / repository.replace("/", "--") / revision


def _fetch(source: Pinned, name: str, digest: str | None, endpoint: str | None) -> Path:
    kept = _folder(source.repository, source.revision) / name
    if not kept.exists():
        downloaded = _download(source, name, endpoint)
        _verify(source, downloaded, digest)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        shutil.copyfile(downloaded, partial)
        partial.replace(kept)
    _verify(source, kept, digest)
    return kept


def _listed(repository: str, revision: str, endpoint: str | None = None) -> list[str]:
    """Paths of all files of a data set on the hub."""
    from huggingface_hub import HfApi

    with _explained(f"could not list the files of {repository}"):
        return HfApi(endpoint=endpoint).list_repo_files(repository, repo_type="dataset", revision=revision)


def _download(source: Pinned, name: str, endpoint: str | None) -> Path:
    from huggingface_hub import HfApi

    with _explained(f"could not download {name} of {source.repository}"):
        hub = HfApi(endpoint=endpoint)
        listed = hub.list_repo_files(source.repository, repo_type="dataset", revision=source.revision)
        found = [path for path in listed if Path(path).name == name]
        if len(found) != 1:
            raise DataError(f"{source.repository} has {len(found)} files called {name} at {source.revision[:12]}", HINT)
        return Path(hub.hf_hub_download(source.repository, found[0], repo_type="dataset", revision=source.revision))


@contextmanager
def _explained(what: str) -> Generator[None]:
    """What the hub's library raises without a network or without the data set, as DataError."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except (httpx.HTTPError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise DataError(f"{what}: {_first_line(error)}", HINT) from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _verify(source: Pinned, path: Path, digest: str | None) -> None:
    got = data.sha256(path)
    if digest is not None and got != digest:
        raise DataError(
            f"{path.name} of {source.repository} is not the pinned file\n  expected sha256 {digest}\n"
            f"  got             {got}",
            f"rm {path} and run again; the pinned revision is {source.revision[:12]}",
        )


def read(corpus_file: Path, qa_file: Path, name: str = REPOSITORY) -> Benchmark:
    """A benchmark in the paper's schema, from local files: .parquet, anything else is read as JSON lines.

    corpus: id, title, text, footnotes; qa: id, question, answer, relevant_passage_id. Only the text is used. Ids are
    compared as strings, because some files hold them as numbers; a whole number is the same id with a decimal point,
    as pandas writes a column with gaps. A passage with the very text of the gold one would do as well: it is another
    sufficient one. Raises DataError for a double, missing or blank id, a question without an answer, or a gold passage
    that the corpus does not have.
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
        digest=hashlib.sha256((data.sha256(corpus_file) + data.sha256(qa_file)).encode()).hexdigest(),
    )


def _asked(qa_file: Path, texts: Corpus) -> list[Question]:
    same: dict[str, list[str]] = defaultdict(list)
    for article in texts:
        same[article.text].append(article.id)
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
        twins = [other for other in same[text] if other != gold]
        found[name] = Question(
            id=name,
            distant=asked,
            answer=answer,
            gold=(whole,),
            sufficient=tuple((whole.model_copy(update={"article": other}),) for other in twins),
            claims=(claim,),
        )
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
