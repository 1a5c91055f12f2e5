"""What counts as found, on cases small enough to check by eye."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import score
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.questions import Question, Span
from triptych.legal_rag.retrieve import Found

TEXT = "abcdefghij klmnopqrst uvwxyz"


def span(start: int, end: int, article: str = "a/1") -> Span:
    return Span(article=article, start=start, end=end, quote=TEXT[start:end])


def passage(start: int, end: int, article: str = "a/1") -> Passage:
    return Passage(article, start, end, TEXT[start:end], 1)


def question(*gold: Span, also: tuple[tuple[Span, ...], ...] = ()) -> Question:
    return Question(id="q", distant="?", answer="!", gold=gold, sufficient=also)


def test_coverage_by_hand() -> None:
    assert score.coverage(span(0, 10), [passage(0, 10)]) == 1.0
    assert score.coverage(span(0, 10), [passage(0, 5)]) == 0.5
    assert score.coverage(span(0, 10), [passage(0, 5), passage(3, 8)]) == 0.8  # the common part counts once
    assert score.coverage(span(0, 10), [passage(0, 10, "a/2")]) == 0.0  # same place, another article
    assert score.coverage(span(0, 10), []) == 0.0


def test_white_space_between_neighbours_is_not_missed() -> None:
    assert score.coverage(span(0, 21), [passage(0, 10), passage(11, 21)]) == 1.0


def test_half_is_enough_and_less_is_not() -> None:
    item = question(span(0, 10))
    assert score.is_hit(item, [passage(5, 10)])
    assert not score.is_hit(item, [passage(6, 10)])


def test_every_span_is_needed() -> None:
    item = question(span(0, 10), span(11, 21))
    assert not score.is_hit(item, [passage(0, 10)])
    assert score.is_hit(item, [passage(0, 10), passage(11, 16)])
    assert score.is_hit(item, [passage(0, 10)], score.ANY)
    assert not score.is_hit(item, [passage(0, 10), passage(11, 16)], score.WHOLE)


def test_other_sufficient_spans_count_only_under_their_rule() -> None:
    item = question(span(0, 10), also=((span(22, 28),),))
    assert not score.is_hit(item, [passage(22, 28)])
    assert score.is_hit(item, [passage(22, 28)], score.SUFFICIENT)


def test_the_papers_rule_is_a_special_case() -> None:
    """With whole passages as gold and as given, half of every span means: this very passage."""
    item = question(Span(article="2.1-c1-s1", start=0, end=10, quote=TEXT[:10]))
    assert score.is_hit(item, [Passage("2.1-c1-s1", 0, 10, TEXT[:10], 1)])
    assert not score.is_hit(item, [Passage("1.2.1-c1-s1", 0, 10, TEXT[:10], 1)])  # its id contains the other


def test_unanswerable_items_are_refused() -> None:
    with pytest.raises(DataError, match="unanswerable"):
        score.is_hit(question(), [passage(0, 10)])


def test_a_share_outside_its_range_is_refused() -> None:
    for share in (0.0, 1.1):
        with pytest.raises(ParameterError, match="cannot be covered"):
            score.Rule("odd", share=share)


@given(
    st.lists(st.tuples(st.integers(0, 27), st.integers(1, 10)), max_size=8),
    st.sampled_from(score.RULES),
)
def test_rank_is_the_smallest_k_that_is_a_hit(places: list[tuple[int, int]], rule: score.Rule) -> None:
    ranked = [passage(start, min(start + length, len(TEXT))) for start, length in places if start < len(TEXT)]
    item = question(span(2, 9), span(12, 20))
    hits = [k for k in range(1, len(ranked) + 1) if score.is_hit(item, ranked[:k], rule)]
    assert score.hit_rank(item, ranked, rule) == (hits[0] if hits else None)


class Fixed:
    """An arm that always gives the same ranking."""

    name = "fixed"

    def __init__(self, *ranking: Passage) -> None:
        self.ranking = [Found(passage, 1.0) for passage in ranking]

    def search(self, question: str, k: int) -> list[Found]:
        return self.ranking[:k]


def test_tables_by_hand() -> None:
    items = [question(span(0, 10)), question(span(22, 28)).model_copy(update={"id": "r"})]
    ranks = score.rank_table([Fixed(passage(11, 21), passage(0, 10))], items, ["distant"], depth=10)
    half = ranks[ranks["rule"] == score.HALF.name].set_index("question")["rank"]
    assert half["q"] == 2
    assert half["r"] is pd.NA
    recall = score.recall_table(ranks, [1, 2])
    row = recall[(recall["rule"] == score.HALF.name) & (recall["k"] == 2)].iloc[0]
    assert (row["hits"], row["n"], row["recall"]) == (1, 2, 0.5)


@given(st.integers(0, 30), st.integers(1, 30))
def test_interval_is_wilsons(hits: int, n: int) -> None:
    """Against the formula of Wilson (1927), eq. for the roots of (p − p̂)² = z² p (1 − p) / n."""
    hits = min(hits, n)
    ranks = pd.DataFrame({"arm": "a", "phrasing": "p", "rule": "r", "rank": [1] * hits + [pd.NA] * (n - hits)})
    row = score.recall_table(ranks.astype({"rank": "Int64"}), [1]).iloc[0]
    z, p = 1.959963984540054, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert row["low"] == pytest.approx(max(0.0, middle - reach), abs=1e-9)
    assert row["high"] == pytest.approx(min(1.0, middle + reach), abs=1e-9)


def test_gold_passages_are_those_that_touch_the_gold() -> None:
    item = question(span(8, 14))
    assert score.gold_passages(item, [passage(0, 10), passage(11, 21), passage(22, 28)]) == [
        passage(0, 10),
        passage(11, 21),
    ]


def test_an_interval_holds_its_own_proportion_whatever_the_rounding() -> None:
    for n in range(1, 60):
        for hits in (0, n):
            ranks = pd.DataFrame({"arm": "a", "phrasing": "p", "rule": "r", "rank": [1] * hits + [9] * (n - hits)})
            row = score.recall_table(ranks.astype({"rank": "Int64"}), [1]).iloc[0]
            assert 0 <= row["low"] <= row["recall"] <= row["high"] <= 1


def test_a_budget_of_tokens_is_filled_in_rank_order() -> None:
    ranked = [Passage("a/1", place, place + 1, "x", tokens) for place, tokens in enumerate([100, 60, 50, 10])]
    assert score.within_budget(ranked, 159) == ranked[:1]
    assert score.within_budget(ranked, 160) == ranked[:2]
    assert score.within_budget(ranked, 215) == ranked[:3]  # ten tokens more do not fit
    assert score.within_budget(ranked, 10_000) == ranked
    assert score.within_budget(ranked, 99) == []
