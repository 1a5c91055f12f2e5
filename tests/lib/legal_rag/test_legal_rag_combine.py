"""Arms made of arms: fusion against a hand calculation, reranking against numpy, RM3 against its formula, merging."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import ModelError, ParameterError
from triptych.legal_rag import chunk, combine, lexical
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.embed import Embedder
from triptych.legal_rag.retrieve import Bm25, Dense, Found
from triptych.llm import Answer, Message, TooLong


def passage(number: int, text: str = "") -> Passage:
    return Passage(f"act/{number}", 0, len(text) or 1, text or f"text {number}", 1)


class Ranked:
    """An arm that always finds the same passages."""

    def __init__(self, name: str, *numbers: int) -> None:
        self.name, self.passages = name, [passage(number) for number in numbers]

    def search(self, question: str, k: int) -> list[Found]:
        return [Found(one, 1.0 / rank) for rank, one in enumerate(self.passages, start=1)][:k]


def test_fusion_by_hand() -> None:
    fused = combine.Fusion([Ranked("x", 1, 2, 3), Ranked("y", 3, 1)], [2, 1], c=60)
    found = fused.search("anything", 5)
    assert [hit.passage.article for hit in found] == ["act/1", "act/3", "act/2"]
    assert [hit.score for hit in found] == pytest.approx([2 / 61 + 1 / 62, 2 / 63 + 1 / 61, 2 / 62])
    assert fused.name == "2 x + y"


@given(st.permutations(range(6)), st.permutations(range(6)), st.floats(0.1, 5))
def test_fusion_with_one_weight_of_nought_is_the_other_arm(
    first: Sequence[int], second: Sequence[int], weight: float
) -> None:
    arms = [Ranked("x", *first), Ranked("y", *second)]
    assert [hit.passage for hit in combine.Fusion(arms, [weight, 0]).search("q", 6)] == arms[0].passages
    assert [hit.passage for hit in combine.Fusion(arms, [0, weight]).search("q", 6)] == arms[1].passages


@pytest.mark.parametrize("weights", [[], [1], [1, -1], [0, 0], [1, float("nan")], [1, float("inf")]])
def test_fusion_refuses_weights_that_mean_nothing(weights: list[float]) -> None:
    with pytest.raises(ParameterError, match="one weight an arm"):
        combine.Fusion([Ranked("x", 1), Ranked("y", 2)], weights)


TEXTS = [
    "The controller erases personal data on request.",
    "Security updates for kettles are due for five years.",
    "A kettle is a product with digital elements, and the controller of its data is its maker.",
    "Banks report incidents to the supervisor; the supervisor keeps the report.",
]


@pytest.fixture(scope="module")
def passages() -> list[Passage]:
    return [passage(number, text) for number, text in enumerate(TEXTS)]


def test_reranking_is_the_order_of_the_cosines(own_cache: Path, passages: list[Passage]) -> None:
    dense = Dense(passages, Embedder("wordllama"))
    question = "who erases data of a kettle controller"
    first = Bm25(passages)
    candidates = [hit.passage for hit in first.search(question, 4)]
    found = combine.Rerank(first, dense, depth=4).search(question, 3)
    query = dense.embedder.queries([question])[0]
    cosines = {one.id: float(dense.embedder.texts([one.text])[0] @ query) for one in candidates}
    assert [hit.passage.id for hit in found] == sorted(cosines, key=lambda key: -cosines[key])[:3]
    assert combine.Rerank(first, dense).search("zzz", 3) == []


def test_rm3_by_its_formula(passages: list[Passage]) -> None:
    bm25 = Bm25(passages)
    expansion = combine.Rm3(bm25, documents=1, terms=3, original=0.4)
    (best,) = bm25.search("supervisor incidents", 1)
    stems = lexical.tokens(best.passage.text)
    model = {stem: stems.count(stem) / len(stems) for stem in stems}
    heaviest = sorted(model, key=lambda stem: (-model[stem], stem))[:3]
    mass = sum(model[stem] for stem in heaviest)
    wanted = dict.fromkeys(lexical.tokens("supervisor incidents"), 0.4 / 2)
    for stem in heaviest:
        wanted[stem] = wanted.get(stem, 0) + 0.6 * model[stem] / mass
    assert expansion.expanded("supervisor incidents") == pytest.approx(wanted)
    assert sum(wanted.values()) == pytest.approx(1)


def test_rm3_with_the_question_alone_is_bm25_and_unknown_words_find_nothing(passages: list[Passage]) -> None:
    bm25 = Bm25(passages)
    plain = combine.Rm3(bm25, original=1)
    question = "controller kettle report"
    assert [hit.passage for hit in plain.search(question, 4)] == [hit.passage for hit in bm25.search(question, 4)]
    assert combine.Rm3(bm25).search("xylophone", 4) == []
    with pytest.raises(ParameterError, match="undefined"):
        combine.Rm3(bm25, original=1.5)


class Writer:
    """A model that writes the same passage whatever it is asked."""

    model = "writer"

    def __init__(self, text: str) -> None:
        self.text, self.defaults = text, dict[str, float]()

    def ask(self, messages: Sequence[Message], **parameters: object) -> Answer:
        return Answer(text=self.text, seconds=0)


def test_hyde_searches_for_what_the_model_wrote(own_cache: Path, passages: list[Passage]) -> None:
    dense = Dense(passages, Embedder("wordllama"))
    written = combine.Hyde(dense, Writer(TEXTS[3])).search("hello", 1)
    assert written[0].passage == passages[3]
    silent = combine.Hyde(dense, Writer(" ")).search("kettle updates", 2)
    assert [hit.passage for hit in silent] == [hit.passage for hit in dense.search("kettle updates", 2)]
    assert [hit.score for hit in silent] == pytest.approx(
        [h.score for h in dense.search("kettle updates", 2)], abs=1e-4
    )


class Small(Writer):
    """A model with room for twenty signs, that cannot be reached when asked for a kettle."""

    def ask(self, messages: Sequence[Message], **parameters: object) -> Answer:
        if "kettle" in messages[-1].content:
            raise ModelError("nobody listens")
        if "a very long question" in messages[-1].content:
            raise TooLong("the request exceeds the context")
        assert parameters == {"max_tokens": 7}
        return super().ask(messages, **parameters)


def test_a_question_too_long_for_hydes_model_is_searched_as_it_is_and_counted(
    own_cache: Path, passages: list[Passage]
) -> None:
    dense = Dense(passages, Embedder("wordllama"))
    hyde = combine.Hyde(dense, Small(TEXTS[3]), {"max_tokens": 7})
    arms = [combine.Rerank(combine.Fusion([Bm25(passages), hyde]), dense)]
    assert hyde.search("hello", 1)[0].passage == passages[3]
    assert combine.unwritten(arms) == set()
    found = hyde.search("a very long question about updates", 2)
    alone = dense.search("a very long question about updates", 2)
    assert [hit.passage for hit in found] == [hit.passage for hit in alone]
    hyde.search("a very long question about updates", 1)  # asked again, counted once
    assert combine.unwritten(arms) == combine.unwritten([hyde]) == {"a very long question about updates"}
    with pytest.raises(ModelError, match="nobody listens"):  # a model that is away is a failure, not an outcome
        hyde.search("a kettle", 1)


def test_leaves_are_merged_when_most_of_a_passage_was_found() -> None:
    whole, other = Passage("act/1", 0, 30, "one two three", 3), Passage("act/2", 0, 10, "four", 1)
    leaves = [
        Passage("act/1", 0, 10, "one", 1),
        Passage("act/1", 10, 20, "two", 1),
        Passage("act/1", 20, 30, "three", 1),
    ]
    tree = chunk.Hierarchy([*leaves, other], {**{leaf.id: whole for leaf in leaves}, other.id: other})

    class Leaves:
        name = "leaves"

        def __init__(self, *found: Passage) -> None:
            self.found = found

        def search(self, question: str, k: int) -> list[Found]:
            return [Found(one, 1.0 - rank / 10) for rank, one in enumerate(self.found)][:k]

    merged = combine.AutoMerge(Leaves(leaves[2], leaves[0]), tree).search("q", 5)
    assert [hit.passage for hit in merged] == [whole]
    assert merged[0].score == pytest.approx(0.95)
    assert [hit.passage for hit in combine.AutoMerge(Leaves(leaves[1]), tree).search("q", 5)] == [leaves[1]]
    assert [h.passage for h in combine.AutoMerge(Leaves(leaves[2], leaves[0]), tree, ratio=0.9).search("q", 1)] == [
        leaves[2]
    ]


def test_merging_over_the_real_corpus_keeps_every_place(eu_law: Corpus) -> None:
    part = eu_law.only_acts(["nis2"])
    tree = chunk.hierarchy(part, 60, 240)
    arm = combine.AutoMerge(Bm25(tree.leaves), tree)
    found = arm.search("How fast must a registrar answer a request for registration data?", 5)
    assert 0 < len(found) <= 5
    assert all(part.text(hit.passage.article)[hit.passage.start : hit.passage.end] == hit.passage.text for hit in found)
    assert list(np.argsort([-hit.score for hit in found], kind="stable")) == list(range(len(found)))
