"""Rankings and other values kept by content: what is found again is what would be made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.errors import DataError
from triptych.legal_rag import benchmark, chunk, grid, kept, rankings
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.rankings import Rankings
from triptych.legal_rag.retrieve import Arm

ARTICLES = ["csrd/29", "nis2/12", "nis2/28"]
QUESTIONS = ["Who keeps the register of domain names?", "When must an auditor be told?", "xyzzy"]


@pytest.mark.parametrize("chunker", ["semchunk 100", "whole articles", grid.HIERARCHY])
@pytest.mark.parametrize("name", ["BM25", "BM25 + RM3", "wordllama", "BM25 + 0.5 wordllama", "BM25 → wordllama"])
def test_kept_rankings_are_those_of_a_fresh_search(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, chunker: str
) -> None:
    corpus = benchmark.eu_law(ARTICLES).corpus
    cut = chunk.hierarchy(corpus) if chunker == grid.HIERARCHY else chunk.CHUNKERS[chunker](corpus)
    (arm,) = grid.arms(Rankings(cut).leaves, [name])
    made = [Rankings(cut).of(arm, QUESTIONS, depth) for depth in (2, 7)]
    fresh = [
        [Rankings(cut)._searched(arm, question, depth) for question in QUESTIONS]  # pyright: ignore[reportPrivateUsage]
        for depth in (2, 7)  # private: the search itself, without what is kept, is what this test compares with
    ]
    assert made == fresh
    monkeypatch.setattr(Rankings, "_searched", None)  # nobody searches again
    assert [Rankings(cut).of(arm, QUESTIONS, depth) for depth in (2, 7)] == fresh


def test_another_arm_text_depth_or_code_is_searched_for(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = chunk.semantic(benchmark.eu_law(ARTICLES).corpus)
    bm25, dense = grid.arms(cut, ["BM25", "wordllama"])
    Rankings(cut).of(bm25, QUESTIONS, 3)
    asked: list[str] = []

    def noted(_found: Rankings, _arm: Arm, question: str, _depth: int) -> list[Passage]:
        asked.append(question)
        return []

    monkeypatch.setattr(Rankings, "_searched", noted)
    found = Rankings(cut)
    found.of(bm25, QUESTIONS, 3)
    assert not asked
    found.of(dense, QUESTIONS, 3)
    found.of(bm25, QUESTIONS, 4)
    found.of(bm25, [*QUESTIONS, "One more?"], 3)
    assert asked == [*QUESTIONS, *QUESTIONS, "One more?"]
    Rankings(cut[:-1]).of(bm25, QUESTIONS, 3)
    monkeypatch.setattr(rankings, "SEARCHING", ("retrieve.py",))
    Rankings(cut).of(bm25, QUESTIONS, 3)
    assert asked[7:] == [*QUESTIONS, *QUESTIONS]


def test_each_content_is_made_once_and_told_by_identity(own_cache: Path) -> None:
    made: list[int] = []

    def make(places: list[int]) -> list[int]:
        made.extend(places)
        return [10 * place for place in places]

    assert kept.Kept("toy", "one", []).values(["a", "b", "a"], make) == [0, 10, 0]
    assert kept.Kept("toy", "one", []).values([["c"], "a"], make) == [0, 0]
    assert kept.Kept("toy", "two", []).values(["a"], make) == [0]
    assert made == [0, 1, 0, 0]
    assert kept.Kept("toy", "one", []).values([], make) == []


def test_nothing_is_kept_of_a_maker_that_failed(own_cache: Path) -> None:
    def fails(places: list[int]) -> list[int]:
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        kept.Kept("toy", "one", []).values(["a"], fails)
    assert kept.Kept("toy", "one", []).values(["a"], lambda places: [7]) == [7]
    with pytest.raises(ValueError, match="shorter"):
        kept.Kept("toy", "one", []).values(["b"], lambda places: [])


def test_a_damaged_file_is_named(own_cache: Path) -> None:
    table = kept.Kept("toy", "one", [])
    table.file.parent.mkdir(parents=True)
    table.file.write_bytes(b"this is no database, but long enough to be taken for one" * 20)
    with pytest.raises(DataError, match=r"cannot be used.*\n.*rm "):
        table.values(["a"], lambda places: [1])
