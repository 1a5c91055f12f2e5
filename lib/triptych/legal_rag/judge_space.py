"""What the rubric judge knows of likeness: MiniLM's vectors of texts and of words in their place, wordllama's of words.

One pass of MiniLM over a text gives both its vector (the mean of its last hidden states, as everywhere in this study)
and a vector for each of its words, which depends on the words around it. A word of a claim is matched with a word of
an answer half by that vector and half by the word itself (the same stem, else wordllama's cosine), so that neither
"unintelligible" and "gibberish" nor "the provider" and "the deployer" are taken for what they are not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from triptych import data
from triptych.legal_rag import judge_text as read
from triptych.legal_rag.embed import Embedder

Floats = npt.NDArray[np.float64]
BATCH = 32
LENGTH = 256  # WordPiece tokens that MiniLM reads of a text
SIZE = 384
_WORD = re.compile(r"[a-z]+(?:[-’'][a-z]+)*|\d+(?:[.,]\d+)*|%", re.IGNORECASE)


def unique(texts: Iterable[str]) -> list[str]:
    """The texts that are not blank, in order, each once."""
    return list(dict.fromkeys(text for text in texts if text.strip()))


@dataclass(frozen=True)
class Words:
    """Content words in order (lower case) and their unit vectors in context, (n, 384)."""

    words: tuple[str, ...]
    vectors: Floats

    def __add__(self, other: Words) -> Words:
        return Words((*self.words, *other.words), np.concatenate([self.vectors, other.vectors]))


NOTHING = Words((), np.zeros((0, SIZE)))


class Space:
    """Vectors of texts and words. `learn` embeds whole batches; what is asked for afterwards must have been learned."""

    def __init__(self) -> None:
        self._statics = Embedder("wordllama")
        self._model: tuple[Any, Any] | None = None
        self._text: dict[str, Floats] = {}
        self._words: dict[str, Words] = {}
        self._static: dict[str, Floats] = {}

    def learn(self, texts: Iterable[str]) -> None:
        """Embed the texts that are not yet known, and their words."""
        fresh = sorted((text for text in unique(texts) if text not in self._text), key=len)
        for start in range(0, len(fresh), BATCH):
            self._read(fresh[start : start + BATCH])
        words = {word for text in fresh for word in (*self._words[text].words, *read.words(text))}
        new = sorted(word for word in words if word not in self._static)
        if new:
            vectors = self._statics.texts(new).astype(np.float64)
            self._static |= dict(zip(new, vectors, strict=True))

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of learned texts, (n, 384)."""
        return np.stack([self._text[text] for text in texts]) if texts else np.zeros((0, SIZE))

    def words(self, texts: Iterable[str]) -> Words:
        """The content words of learned texts, one text after the other."""
        found = [self._words[text] for text in texts if text.strip()]
        if not found:
            return NOTHING
        return Words(tuple(word for each in found for word in each.words), np.concatenate([e.vectors for e in found]))

    def static(self, wanted: Sequence[str], given: Sequence[str]) -> Floats:
        """How far words stand for one another out of context, (wanted, given): 1 for the same stem, else the cosine."""
        if not wanted or not given:
            return np.zeros((len(wanted), len(given)))
        cosines = np.stack([self._static[word] for word in wanted]) @ np.stack([self._static[word] for word in given]).T
        stems = np.array([read.stem(word) for word in given])
        same = np.array([read.stem(word) for word in wanted])[:, None] == stems[None, :]
        return np.where(same, 1.0, np.clip(cosines, 0, 1))

    def match(self, wanted: Words, given: Words) -> Floats:
        """How far words stand for one another in their places, (wanted, given), 0 to 1."""
        static = self.static(wanted.words, given.words)
        return 0.5 * static + 0.5 * np.clip(wanted.vectors @ given.vectors.T, 0, 1)

    def best(self, wanted: Words, given: Words) -> Floats:
        """For each wanted word how far the best of the given ones stands for it; 0 when none is given."""
        return self.match(wanted, given).max(axis=1, initial=0.0)

    def _read(self, texts: list[str]) -> None:
        import torch  # seconds

        tokenizer, model = self._loaded()
        coded = tokenizer(
            texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt", return_offsets_mapping=True
        )
        offsets = coded.pop("offset_mapping").numpy()
        with torch.no_grad():
            states = model(**coded).last_hidden_state.numpy().astype(np.float64)
        masks = coded["attention_mask"].numpy()
        for text, state, mask, places in zip(texts, states, masks, offsets, strict=True):
            self._text[text] = _unit(state[mask == 1].mean(axis=0))
            self._words[text] = _words(text, state, places)

    def _loaded(self) -> tuple[Any, Any]:
        if self._model is None:
            from transformers import AutoModel, AutoTokenizer
            from transformers.utils import logging as transformers_logging

            transformers_logging.disable_progress_bar()
            folder = str(data.member("minilm", "modules.json").parent)
            loader: Any = AutoModel
            self._model = AutoTokenizer.from_pretrained(folder), loader.from_pretrained(folder).eval()
        return self._model


def _unit(vector: Floats) -> Floats:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _words(text: str, state: Floats, places: npt.NDArray[np.int64]) -> Words:
    words: list[str] = []
    vectors: list[Floats] = []
    for word, start, end in content(text):
        rows = [k for k, (a, b) in enumerate(places.tolist()) if b > a and a < end and b > start]
        if rows:
            words.append(word)
            vectors.append(_unit(state[rows].mean(axis=0)))
    return Words(tuple(words), np.stack(vectors)) if words else NOTHING


def content(text: str) -> Iterator[tuple[str, int, int]]:
    """Content words and numbers of a text, lower case, with their places."""
    for found in _WORD.finditer(text):
        word = found[0].lower().replace("’", "'")
        if word not in read.STOP and (len(word) > 1 or word.isdigit() or word == "%"):
            yield word, found.start(), found.end()


class Language:
    """How common each stem is in a body of law: rare words weigh more, and only words of the law make a rule."""

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        total = 0
        for text in texts:
            total += 1
            counts.update({read.stem(word) for word in read.words(text)})
        self._counts, self._total = counts, total

    def weight(self, word: str) -> float:
        """Inverse document frequency of a word's stem, log((N + 1) / (n + 1)), and a little more: nothing is free."""
        return math.log((self._total + 1) / (self._counts[read.stem(word)] + 1)) + 0.3

    def weights(self, words: Sequence[str]) -> Floats:
        """The weight of each word."""
        return np.array([self.weight(word) for word in words])

    def legal(self, word: str) -> bool:
        """Whether the stem occurs in the body of law at all."""
        return read.stem(word) in self._counts
