"""The arms find what an independent search finds."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import bm25s
import numpy as np
import pytest
import Stemmer
from llama_index.core.base.embeddings.base import BaseEmbedding

from triptych.errors import DataError, ModelError, ParameterError
from triptych.legal_rag import chunk, questions, retrieve
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.embed import Embedder


class Random(BaseEmbedding):
    """384 random numbers for each text, the same for the same text: the hardest case for a neighbour graph."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return np.random.default_rng(list(text.encode())).standard_normal(384).tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def made_up(texts: list[str]) -> list[Passage]:
    return [Passage(f"a/{number}", 0, len(text), text, 1) for number, text in enumerate(texts)]


def random_embedder() -> Embedder:
    return Embedder("random", Random(model_name="random"), identity="seeded by the text")


def test_chroma_is_exact_on_random_vectors_with_doubles(own_cache: Path) -> None:
    texts = [f"text {number}" for number in range(1500)] + ["twin"] * 30
    arm = retrieve.Dense(made_up(texts), random_embedder())
    assert arm.disagreements([*(f"question {number}" for number in range(40)), "twin"], 10) == []
    twins = arm.search("twin", 30)
    assert {hit.passage.text for hit in twins} == {"twin"}
    assert [hit.score for hit in twins] == pytest.approx([1.0] * 30, abs=1e-5)


def test_scores_are_cosines(own_cache: Path) -> None:
    arm = retrieve.Dense(made_up([f"text {number}" for number in range(50)]), random_embedder())
    (query,) = arm.embedder.queries(["a question"])
    best = retrieve.exhaustive(arm.vectors, query, 5)
    found = arm.search("a question", 5)
    assert [hit.passage.id for hit in found] == [f"a/{row}:0-{len(f'text {row}')}" for row in best]
    assert [hit.score for hit in found] == pytest.approx((arm.vectors @ query)[best], abs=1e-5)


def test_real_questions_on_real_passages_are_exact(eu_law: Corpus) -> None:
    part = eu_law.only_acts(["csrd", "nis2"])
    arm = retrieve.Dense(chunk.semantic(part), Embedder("wordllama"))
    asked = [item.phrased(phrasing) for item in questions.load() for phrasing in questions.PHRASINGS]
    assert arm.disagreements(asked, 20) == []


def test_compare_sees_every_kind_of_error() -> None:
    similarity = {"a": 0.9, "b": 0.8, "c": 0.8, "d": 0.1}
    assert retrieve.compare(["a", "b"], similarity, 2, 1e-6) == []
    assert retrieve.compare(["a", "c"], similarity, 2, 1e-6) == []  # b and c are a tie
    assert retrieve.compare(["a", "d"], similarity, 2, 1e-6) == ["d is farther than rank 2"]
    assert "a is missing" in retrieve.compare(["b", "c"], similarity, 2, 1e-6)
    assert retrieve.compare(["b", "a"], similarity, 2, 1e-6) == ["not in order of falling similarity"]
    assert retrieve.compare(["a"], similarity, 2, 1e-6) == ["1 passages, 1 of them different, instead of 2"]
    assert retrieve.compare(["a", "a"], similarity, 2, 1e-6) == ["2 passages, 1 of them different, instead of 2"]
    assert retrieve.compare(["a", "b", "c", "d"], similarity, 9, 1e-6) == []


def test_a_collection_is_built_once_and_kept_apart_by_content(own_cache: Path) -> None:
    passages = made_up(["one", "two", "three"])
    vectors = random_embedder().texts([p.text for p in passages])
    first = retrieve.collection(passages, vectors, "model")
    again = retrieve.collection(passages, vectors, "model")
    assert first.id == again.id
    retrieve.collection(passages[:2], vectors[:2], "model")
    retrieve.collection(passages, vectors, "another model")
    assert len(list((own_cache / "chroma").iterdir())) == 3


def test_a_build_that_fails_leaves_nothing(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passages = made_up(["one", "two"])
    vectors = random_embedder().texts(["one", "two"])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(retrieve.ChromaVectorStore, "add", full)
        with pytest.raises(OSError, match="No space left"):
            retrieve.collection(passages, vectors, "model")
    assert list((own_cache / "chroma").iterdir()) == []
    assert len(retrieve.collection(passages, vectors, "model").get()["ids"]) == 2


def test_a_slower_process_leaves_the_faster_ones_collection(own_cache: Path) -> None:
    passages = made_up(["one", "two"])
    vectors = random_embedder().texts(["one", "two"])
    first = retrieve.collection(passages, vectors, "model")
    (folder,) = (own_cache / "chroma").iterdir()
    retrieve.build(folder, passages, vectors)  # as if begun before the first one was renamed into place
    assert list((own_cache / "chroma").iterdir()) == [folder]
    assert retrieve.collection(passages, vectors, "model").id == first.id


def test_a_collection_of_other_passages_is_told(own_cache: Path) -> None:
    passages = made_up(["one", "two"])
    made = retrieve.collection(passages, random_embedder().texts(["one", "two"]), "model")
    made.delete(ids=[passages[0].id])
    with pytest.raises(DataError, match="does not hold these passages"):
        retrieve.collection(passages, random_embedder().texts(["one", "two"]), "model")


def lucene(question: str, texts: list[str]) -> list[float]:
    """BM25 as Lucene has it (Kamphuis et al. 2020, table 1): k1 1.5, b 0.75, idf ln(1 + (N − df + ½) / (df + ½))."""

    def tokens(text: str) -> list[str]:
        words = list(bm25s.tokenize(text, stopwords="en", return_ids=False, show_progress=False)[0])
        return Stemmer.Stemmer("english").stemWords(words)

    documents = [Counter(tokens(text)) for text in texts]
    lengths = [sum(document.values()) for document in documents]
    mean = sum(lengths) / len(lengths)
    scores = [0.0] * len(texts)
    for word in tokens(question):
        df = sum(word in document for document in documents)
        idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
        for place, document in enumerate(documents):
            norm = 1.5 * (1 - 0.75 + 0.75 * lengths[place] / mean)
            scores[place] += idf * document[word] / (document[word] + norm) if document[word] else 0.0
    return scores


def test_bm25_by_hand() -> None:
    texts = [
        "The controller shall notify the breach within 72 hours.",
        "Notified bodies shall notify notifications to the notifying authority.",
        "Penalties shall be effective, proportionate and dissuasive.",
        "Controllers and processors keep records of processing.",
    ]
    arm = retrieve.Bm25(made_up(texts))
    for question in ("Who is notified of a breach?", "processor records", "effective penalties for controllers"):
        expected = {place: score for place, score in enumerate(lucene(question, texts)) if score > 0}
        found = {int(hit.passage.article[2:]): hit.score for hit in arm.search(question, 4)}
        assert found == pytest.approx(expected, rel=1e-5)
        assert list(found) == sorted(expected, key=lambda place: -expected[place])


def test_bm25_leaves_out_what_shares_no_word() -> None:
    arm = retrieve.Bm25(made_up(["controller", "processor", "records"]))
    assert [hit.passage.text for hit in arm.search("the controllers", 3)] == ["controller"]
    assert arm.search("nothing in common", 3) == []
    assert arm.search("of the", 3) == []


def test_only_the_text_is_indexed() -> None:
    """No id, title or other metadata: "gdpr" in a passage's id must not help it."""
    passages = [Passage("gdpr/1", 0, 7, "records", 1), Passage("nis2/1", 0, 9, "incidents", 1)]
    assert retrieve.Bm25(passages).search("gdpr", 2) == []


class Shorter(Random):
    """The same model after its server was set to fewer dimensions, for questions alone or for all."""

    passages: int = 384

    def _get_text_embedding(self, text: str) -> list[float]:
        return super()._get_text_embedding(text)[: self.passages]

    def _get_query_embedding(self, query: str) -> list[float]:
        return super()._get_text_embedding(query)[:96]


def test_vectors_of_another_length_are_refused_in_our_own_words(own_cache: Path) -> None:
    passages = made_up(["one", "two", "three"])
    mixed = retrieve.Dense(passages, Embedder("random", Shorter(model_name="random"), identity="x"))
    for search in (mixed.search, lambda question, k: mixed.nearest(mixed.embedder.queries([question])[0], k)):
        with pytest.raises(ModelError, match="96 now, 384 in its cache") as caught:
            search("a question", 1)
    mixed.embedder.file.unlink()  # as the hint says
    assert str(mixed.embedder.file) in str(caught.value)
    with pytest.raises(DataError, match="holds vectors of another length"):
        retrieve.Dense(passages, Embedder("random", Shorter(model_name="random", passages=96), identity="x"))


def test_bad_requests(own_cache: Path) -> None:
    arm = retrieve.Bm25(made_up(["one", "two"]))
    with pytest.raises(ParameterError, match="k = 0"):
        arm.search("one", 0)
    with pytest.raises(ParameterError, match="no passages"):
        retrieve.Bm25([])
    with pytest.raises(ParameterError, match="same id"):
        retrieve.Bm25([*made_up(["one"]), *made_up(["two"])])
    with pytest.raises(ParameterError, match="2 passages but 1 vectors"):
        retrieve.collection(made_up(["one", "two"]), random_embedder().texts(["one"]), "model")


def test_arms_come_in_the_order_asked(eu_law: Corpus) -> None:
    passages = chunk.semantic(eu_law.only(["gdpr/1", "gdpr/2"]))
    assert [arm.name for arm in retrieve.arms(passages, ["wordllama", "BM25"])] == ["wordllama", "BM25"]
