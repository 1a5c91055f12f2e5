"""A passage is exactly the text at its place, and nothing but white space is lost between passages."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from triptych.errors import ParameterError
from triptych.legal_rag import chunk
from triptych.legal_rag.corpus import Corpus


def words(text: str) -> int:
    """A counter that needs no model: at least one token for anything visible, more for longer words."""
    return sum(1 + len(word) // 8 for word in text.split())


PROSE = st.text(st.sampled_from("ab (1)é‘’.;:\n\t 9"), max_size=300) | st.lists(
    st.sampled_from(["shall", "the controller", "Article 5(1).", "(a)", "notwithstanding;", "\n\n", "€", "e\u0301"])
).map(" ".join)


@given(text=PROSE, size=st.integers(1, 12))
@example(text="12. Financial entities shall. (a) one; (b) two.", size=3)
def test_spans_are_in_order_and_lose_only_white_space(text: str, size: int) -> None:
    found = chunk.spans(text, size, words)
    place = 0
    for start, end in found:
        assert place <= start < end <= len(text)
        assert not text[place:start].strip()
        assert text[start:end].strip()
        place = end
    assert not text[place:].strip()


@given(text=PROSE, size=st.integers(1, 12))
def test_no_span_is_longer_than_asked(text: str, size: int) -> None:
    for start, end in chunk.spans(text, size, words):
        one_sign = end - start == 1  # cannot be cut further
        assert words(text[start:end]) <= size or one_sign


@pytest.mark.parametrize("size", [200, 60])
def test_every_passage_of_the_corpus_stands_at_its_place(eu_law: Corpus, size: int) -> None:
    part = eu_law if size == 200 else eu_law.only_acts(["csrd", "nis2"])
    passages = chunk.semantic(part, size)
    assert all(part.text(p.article)[p.start : p.end] == p.text for p in passages)
    assert max(p.tokens for p in passages) <= size
    assert len({p.id for p in passages}) == len(passages)
    visible = sum(len("".join(article.text.split())) for article in part)
    assert sum(len("".join(p.text.split())) for p in passages) == visible


def test_tokens_are_counted_to_the_end() -> None:
    """The tokenizer file switches on truncation at 128 tokens; a count that stops there would cut nothing."""
    assert chunk.count_tokens("controller " * 500) == 500
    assert chunk.count_tokens("") == 0
    assert chunk.count_tokens("unaffable") == 3  # un ##aff ##able, the example of the BERT paper's tokenizer


def test_a_size_of_nought_is_refused() -> None:
    with pytest.raises(ParameterError, match="0 tokens"):
        chunk.spans("text", 0, words)


def test_as_given_keeps_documents_whole(eu_law: Corpus) -> None:
    part = eu_law.only(["gdpr/1", "gdpr/2"])
    assert [p.text for p in chunk.as_given(part)] == [article.text for article in part]


@pytest.mark.parametrize("name", chunk.CHUNKERS)
def test_every_chunker_keeps_every_passage_at_its_place(eu_law: Corpus, name: str) -> None:
    part = eu_law.only_acts(["nis2"])
    passages = chunk.CHUNKERS[name](part)
    assert all(part.text(p.article)[p.start : p.end] == p.text for p in passages)
    assert len({p.id for p in passages}) == len(passages)
    for article in part:
        covered: set[int] = set()
        for p in passages:
            if p.article == article.id:
                covered.update(range(p.start, p.end))
        assert not "".join(sign for place, sign in enumerate(article.text) if place not in covered).strip()
    if limit := [int(word) for word in name.replace(",", "").split() if word.isdigit()]:
        assert max(p.tokens for p in passages) <= limit[0]


def test_windows_overlap_by_what_was_asked(eu_law: Corpus) -> None:
    part = eu_law.only(["gdpr/17"])
    tokens = chunk.tokenizer().encode(part.text("gdpr/17"), add_special_tokens=False)
    passages = chunk.fixed(part, 50, 20)
    assert [p.start for p in passages] == [tokens.offsets[first][0] for first in range(0, len(passages) * 30, 30)]
    assert passages[-1].end == tokens.offsets[-1][1]
    assert all(p.tokens == 50 for p in passages[:-1])
    with pytest.raises(ParameterError, match="overlap"):
        chunk.fixed(part, 50, 50)


def test_a_hierarchy_cuts_passages_into_leaves(eu_law: Corpus) -> None:
    part = eu_law.only(["gdpr/17", "gdpr/4"])
    tree = chunk.hierarchy(part, 60, 240)
    assert [*dict.fromkeys(tree.parent[leaf.id] for leaf in tree.leaves)] == chunk.semantic(part, 240)
    for leaf in tree.leaves:
        whole = tree.parent[leaf.id]
        assert whole.article == leaf.article
        assert whole.start <= leaf.start < leaf.end <= whole.end
        assert leaf.tokens <= 60
        assert part.text(leaf.article)[leaf.start : leaf.end] == leaf.text
    with pytest.raises(ParameterError, match="no parts"):
        chunk.hierarchy(part, 200, 200)
