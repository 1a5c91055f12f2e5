"""The grid of chunkers and arms: each number is one that `score` gives for the passages that were handed over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from triptych.errors import ModelError, ParameterError
from triptych.legal_rag import benchmark, chunk, grid, score
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.combine import Fusion, Hyde, Rerank, Rm3
from triptych.legal_rag.questions import Question, Span
from triptych.legal_rag.retrieve import Bm25, Dense, Found
from triptych.llm import Answer, Message

ARTICLES = ["csrd/29", "csrd/40", "nis2/12", "nis2/20", "nis2/28", "nis2/35"]


def test_names_make_arms_and_shared_ones_are_built_once(own_cache: Path) -> None:
    passages = chunk.semantic(benchmark.eu_law(ARTICLES).corpus)
    names = ["BM25", "wordllama", "BM25 + RM3", "BM25 + wordllama", "BM25 → wordllama"]
    bm25, dense, expanded, fused, reranked = grid.arms(passages, names)
    assert [arm.name for arm in (bm25, dense, expanded, fused, reranked)] == names
    assert isinstance(bm25, Bm25)
    assert isinstance(dense, Dense)
    assert isinstance(expanded, Rm3)
    assert expanded.bm25 is bm25
    assert isinstance(fused, Fusion)
    assert fused.arms == [bm25, dense]
    assert isinstance(reranked, Rerank)
    assert (reranked.first, reranked.second) == (bm25, dense)
    with pytest.raises(ParameterError, match="embeds nothing"):
        grid.arms(passages, ["wordllama → BM25"])
    with pytest.raises(ModelError, match="word2vec"):
        grid.arms(passages, ["word2vec"])


def test_a_fusion_is_weighted_by_its_name(own_cache: Path) -> None:
    passages = chunk.semantic(benchmark.eu_law(ARTICLES).corpus)
    names = ["BM25", "wordllama", "BM25 + wordllama", "0.25 BM25 + 2.0 wordllama", "BM25 + 1e-9 wordllama → wordllama"]
    bm25, dense, equal, weighted, reranked = grid.arms(passages, names)
    assert isinstance(equal, Fusion) and isinstance(weighted, Fusion) and isinstance(reranked, Rerank)
    assert (equal.weights, weighted.weights) == ([1, 1], [0.25, 2])
    assert weighted.arms == [bm25, dense]
    assert weighted.name == "0.25 BM25 + 2 wordllama"  # told apart from other weights in every table
    assert reranked.name == "BM25 + 1e-09 wordllama → wordllama"
    question = benchmark.eu_law(ARTICLES).questions[0].plain
    by_hand = Fusion([bm25, dense], [0.25, 2]).search(question, 10)
    assert weighted.search(question, 10) == by_hand != equal.search(question, 10)
    (only,) = grid.arms(passages, ["BM25 + 0 wordllama"])
    assert [hit.passage for hit in only.search(question, 10)] == [hit.passage for hit in bm25.search(question, 10)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("BM25 + -1 wordllama", "cannot be fused with the weights"),
        ("0 BM25 + 0 wordllama", "cannot be fused with the weights"),
        ("nan BM25 + wordllama", "cannot be fused with the weights"),
        ("BM25 + inf wordllama", "cannot be fused with the weights"),
        ("BM25 + 0,5 wordllama", "'0,5' in '0,5 wordllama' is no weight"),
        ("2 BM25", "a weight says nothing alone"),
        ("BM25 → 2 wordllama", "a weight says nothing alone"),
    ],
)
def test_weights_that_mean_nothing_are_refused_before_anything_is_embedded(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: str) -> None:
        raise AssertionError("an embedder was made")

    monkeypatch.setattr("triptych.legal_rag.retrieve.Embedder", never)
    with pytest.raises(ParameterError, match=said):
        grid.arms(chunk.semantic(benchmark.eu_law(ARTICLES[:1]).corpus), [name])


class Writer:
    """A model that makes up the same passage whatever it is asked, and counts how often."""

    model = "writer"

    def __init__(self, text: str) -> None:
        self.text, self.asked, self.defaults = text, 0, dict[str, float]()

    def ask(self, messages: Sequence[Message], **parameters: object) -> Answer:
        self.asked += 1
        return Answer(text=self.text, seconds=0)


def test_hyde_is_an_arm_by_name_alone_and_fused(own_cache: Path) -> None:
    passages = chunk.semantic(benchmark.eu_law(ARTICLES).corpus)
    writer = Writer(passages[7].text)
    hyde, dense, fused = grid.arms(passages, ["HyDE wordllama", "wordllama", "HyDE wordllama + BM25"], writer)
    assert isinstance(hyde, Hyde)
    assert hyde.name == "HyDE wordllama"
    assert hyde.dense is dense
    assert isinstance(fused, Fusion)
    assert fused.arms[0] is hyde
    assert hyde.search("What about it?", 1)[0].passage == passages[7]
    assert writer.asked == 1
    with pytest.raises(ParameterError, match="needs a language model that writes"):
        grid.arms(passages, ["HyDE wordllama"])
    with pytest.raises(ParameterError, match="BM25 embeds nothing and cannot search for what was written"):
        grid.arms(passages, ["HyDE BM25"], writer)


def test_hyde_in_the_table_needs_a_writer_and_what_it_did_not_write_is_counted(own_cache: Path) -> None:
    bench = benchmark.eu_law(ARTICLES[:2])
    pairs = [grid.Cell("semchunk 200", "HyDE wordllama"), grid.Cell("semchunk 200", "wordllama")]
    with pytest.raises(ParameterError, match="needs a language model that writes"):
        grid.table(bench.corpus, bench.questions, ["plain"], pairs, 2, 500)
    made = grid.table(bench.corpus, bench.questions, ["plain"], pairs, 2, 500, writer=Writer(" "))
    by = made[made["given"] == "passages"].set_index("arm")
    assert by["unwritten"].to_dict() == {"HyDE wordllama": len(bench.questions), "wordllama": 0}
    assert by.loc["HyDE wordllama", "hits"] == by.loc["wordllama", "hits"]  # nothing written: the question's own vector


def test_which_pairs_are_run() -> None:
    pairs = grid.cells(["semchunk 100", "semchunk 200"], ["BM25", "MiniLM"], ["BM25"])
    assert [(pair.chunker, pair.arm) for pair in pairs] == [
        ("semchunk 100", "BM25"),
        ("semchunk 200", "BM25"),
        ("semchunk 200", "MiniLM"),
    ]
    with pytest.raises(ParameterError, match="no chunker is called 'pages'"):
        grid.cells(["pages"], ["BM25"], [])


@pytest.mark.parametrize("chunker", ["semchunk 200", "fixed 200", "whole articles"])
def test_recall_is_that_of_the_first_k_and_of_what_fits_the_budget(own_cache: Path, chunker: str) -> None:
    bench = benchmark.eu_law(ARTICLES)
    made = grid.table(bench.corpus, bench.questions, ["plain"], [grid.Cell(chunker, "BM25")], k=2, budget=500)
    arm = Bm25(chunk.CHUNKERS[chunker](bench.corpus))
    by_k = by_budget = 0
    for item in bench.questions:
        found = [hit.passage for hit in arm.search(item.phrased("plain"), 100)]
        by_k += score.is_hit(item, found[:2])
        kept: list[Passage] = []
        for passage in found:
            if sum(each.tokens for each in kept) + passage.tokens > 500:
                break
            kept.append(passage)
        by_budget += score.is_hit(item, kept)
    assert made.set_index("given")["hits"].to_dict() == {"passages": by_k, "tokens": by_budget}
    assert (made["low"] <= made["recall"]).all()
    assert (made["recall"] <= made["high"]).all()
    assert (made[made["given"] == "tokens"]["context"] <= 500).all()


def test_a_hierarchy_hands_over_leaves_and_wholes_within_the_budget(own_cache: Path) -> None:
    bench = benchmark.eu_law(ARTICLES)
    made = grid.table(bench.corpus, bench.questions, ["plain"], [grid.Cell(grid.HIERARCHY, "BM25")], k=2, budget=600)
    by = made.set_index("given")
    assert by.loc["tokens", "context"] <= 600
    assert by.loc["passages", "passages"] == len(chunk.hierarchy(bench.corpus).leaves)


class Fixed:
    """An arm that always finds these documents."""

    name = "fixed"

    def __init__(self, *names: str) -> None:
        self.names = names

    def search(self, question: str, k: int) -> list[Found]:
        return [Found(Passage(name, 0, 1, "x", 1), 1.0) for name in self.names[:k]]


def test_the_substring_rule_finds_what_was_not_found() -> None:
    def asking(*articles: str) -> Question:
        gold = tuple(Span(article=name, start=0, end=1, quote="x") for name in articles)
        return Question(id=" ".join(articles), distant="?", answer="!", gold=gold)

    items = [asking("2.1-c1"), asking("7"), asking("1.2.1-c1", "2.1-c1")]
    made = grid.id_rules(Fixed("1.2.1-c1", "7"), items, ["distant"], [1, 2]).set_index("k")
    assert made["equal"].to_dict() == {1: 0, 2: 1}
    assert made["substring"].to_dict() == {1: 2, 2: 3}
    assert made.loc[1, "falsely"] == "1.2.1-c1 2.1-c1, 2.1-c1"
