"""Does training data repeat hidden items? Four methods, each with the span that matched.

`exact`: the normal forms of the prompts are equal. `slots`: a generated task's text asks the same thing in a wording of
the generator, read back exactly; where something was read, that alone decides. `ngram`: 13 words in a row are shared
(the usual length: Brown et al. 2020, appendix C). `minhash`: the sets of three-word shingles overlap by `JACCARD` or
more (candidates from MinHash, Broder 1997, confirmed exactly).

A templated task's prompts share most of their words. So word sequences that occur in the instruction, or in more than
1 % of the public rows, are evidence of nothing and are ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from triptych.ft_dojo.environment.slots import Reader, Slots

Method = Literal["exact", "slots", "ngram", "minhash"]
NGRAM, SHINGLE = 13, 3
JACCARD = 0.7
COMMON = 0.01  # share of public rows
# 32 bands of two hashes: a pair at JACCARD is missed as a candidate with probability (1 − 0.7²)³², below 1e-9.
PERMUTATIONS, BANDS = 64, (32, 2)


@dataclass(frozen=True)
class Hidden:
    """What is known of a hidden item: its split, its prompt, its slots where the task has some."""

    id: str
    split: str
    prompt: str
    slots: frozenset[Slots] = frozenset()


@dataclass(frozen=True)
class Match:
    """A training row that repeats a hidden item. `span` is the row's own text that matched."""

    row: int
    method: Method
    item: str
    split: str
    span: str


def normal(text: str) -> str:
    """Normal form: compatibility characters unified, lower case, words and numbers separated by one space."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", plain))


def grams(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """All runs of `length` words, in order."""
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]


class Checker:
    """An index of hidden items against which data sets are checked."""

    def __init__(
        self, hidden: Sequence[Hidden], public: Iterable[str], instruction: str, reader: Reader | None = None
    ) -> None:
        """`public` holds the texts of the public rows; `reader` reads slots out of a text of a generated task."""
        self._reader = reader
        rows = [normal(text).split() for text in public]
        words = normal(instruction).split()
        self._common = {length: _frequent(rows, length) | set(grams(words, length)) for length in (SHINGLE, NGRAM)}
        self._exact: dict[str, Hidden] = {}
        self._slots: dict[Slots, Hidden] = {}
        self._ngrams: dict[tuple[str, ...], Hidden] = {}
        self._shingles: dict[str, tuple[Hidden, frozenset[tuple[str, ...]]]] = {}
        from datasketch import MinHashLSH

        self._lsh: Any = MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
        for item in hidden:
            text = normal(item.prompt)
            self._exact.setdefault(text, item)
            for slots in item.slots:
                self._slots.setdefault(slots, item)
            for gram in self._rare(text.split(), NGRAM):
                self._ngrams.setdefault(gram, item)
            shingles = frozenset(self._rare(text.split(), SHINGLE))
            name = f"{item.split}/{item.id}"
            if shingles and name not in self._shingles:
                self._shingles[name] = (item, shingles)
                self._lsh.insert(name, _sketch(shingles))

    def check(self, rows: Sequence[tuple[str, str]]) -> list[Match]:
        """The first match of each (prompt, completion) row that has one; methods in the order of `Method`."""
        found = (self._match(number, prompt, completion) for number, (prompt, completion) in enumerate(rows))
        return [match for match in found if match is not None]

    def _match(self, number: int, prompt: str, completion: str) -> Match | None:
        text = normal(prompt)
        asked = self._reader(f"{prompt} {completion}") if self._reader else frozenset()
        if asked:
            # The slots decide: a text that was read, and asks something else, is not contaminated however similar.
            known = sorted(asked & self._slots.keys())
            if not known:
                return None
            item = self._slots[known[0]]
            return Match(number, "exact" if self._exact.get(text) else "slots", item.id, item.split, prompt)
        if item := self._exact.get(text):
            return Match(number, "exact", item.id, item.split, prompt)
        words = normal(f"{prompt} {completion}").split()
        for gram in self._rare(words, NGRAM):
            if item := self._ngrams.get(gram):
                return Match(number, "ngram", item.id, item.split, " ".join(gram))
        shingles = frozenset(self._rare(text.split(), SHINGLE))
        if not shingles:
            return None
        for name in sorted(map(str, self._lsh.query(_sketch(shingles)))):
            item, other = self._shingles[name]
            shared = shingles & other
            if len(shared) >= JACCARD * len(shingles | other):
                return Match(number, "minhash", item.id, item.split, " / ".join(map(" ".join, sorted(shared))))
        return None

    def _rare(self, words: Sequence[str], length: int) -> list[tuple[str, ...]]:
        common = self._common[length]
        return [gram for gram in grams(words, length) if gram not in common]


def counts(matches: Sequence[Match]) -> Mapping[str, int]:
    """How many rows each method found."""
    return dict(sorted(Counter(match.method for match in matches).items()))


def _frequent(rows: Sequence[Sequence[str]], length: int) -> set[tuple[str, ...]]:
    """Runs of words in more than `COMMON` of the rows; with few rows, in more than one."""
    times = Counter(gram for words in rows for gram in set(grams(words, length)))
    most = max(COMMON * len(rows), 1)
    return {gram for gram, count in times.items() if count > most}


def _sketch(shingles: Iterable[tuple[str, ...]]) -> Any:
    from datasketch import MinHash

    sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
    sketch.update_batch([" ".join(shingle).encode() for shingle in shingles])
    return sketch
