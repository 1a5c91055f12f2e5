"""How much a question and a text have in common as words: the distance that the paper's recipe asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import Stemmer
from bm25s.stopwords import STOPWORDS_EN_PLUS

_TOKEN = re.compile(r"(?u)\b\w\w+\b")  # the tokens of our BM25 arm, so that both speak of the same words
_STOP = frozenset(STOPWORDS_EN_PLUS)
_STEMMER = Stemmer.Stemmer("english")


@dataclass(frozen=True)
class Overlap:
    """Shared content stems of a question and a text; `share` is of the question's, `jaccard` of both together's."""

    shared: tuple[str, ...]
    share: float
    jaccard: float


def tokens(text: str) -> list[str]:
    """The content stems of a text in order, with repetitions: what `stems` holds each of once."""
    return _STEMMER.stemWords([word for word in _TOKEN.findall(text.lower()) if word not in _STOP])


def stems(text: str) -> frozenset[str]:
    """The different content stems of a text: words and numbers of two characters or more, lower case, English Snowball.

    179 English stop words (bm25s's longer list) are left out. A typographic apostrophe ends a word as a plain one does.
    """
    return frozenset(tokens(text))


def overlap(question: str, text: str) -> Overlap:
    """Content stems that `question` shares with `text`. A question without content stems shares nothing."""
    asked, given = stems(question), stems(text)
    shared = asked & given
    return Overlap(
        shared=tuple(sorted(shared)),
        share=len(shared) / len(asked) if asked else 0.0,
        jaccard=len(shared) / len(asked | given) if asked | given else 0.0,
    )
