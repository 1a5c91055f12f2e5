"""How the rubric judge reads: sentences, numbers, negations, opposites, refusals; on texts of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.legal_rag import judge_text as read

TEXT = st.text(alphabet=st.sampled_from("abc ABC.,;:()’'10%!?\n"), max_size=80)


@given(TEXT)
def test_cutting_loses_no_word(text: str) -> None:
    pieces = [clause for sentence in read.sentences(text) for clause in read.clauses(sentence)]
    assert read.words(" ".join(pieces)) == read.words(text)


@given(TEXT)
def test_every_word_is_negated_or_not(text: str) -> None:
    if "’" not in text and "'" not in text:
        assert len(read.negated(text)) == len(read.words(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("within 72 hours", [(72.0, "h")]),
        ("within seventy-two hours or three days", [(72.0, "h"), (3.0, "d")]),
        ("EUR 12.6 million or 1,4 % of 10 000", [(12.6e6, ""), (1.4, "%"), (10000.0, "")]),
        ("under Article 46(1) of Regulation (EU) 2016/679", []),
        ("one of the two authorities", []),
        ("within a week", [(1.0, "w")]),
        ("NIS2 says so", []),
        ("Art. 13(1)–(11), not 13(12), and Articles 82, 83 and 84", []),
        ("Article 14, 24 hours at most", [(24.0, "h")]),
        ("one hundred and forty thousand euro", [(140000.0, "")]),
        ("EUR 900m, 72h, a fortnight", [(900e6, ""), (72.0, "h"), (2.0, "w")]),
        ("by 2030-01-06 or 6.1.2030", [(6.0, ""), (2030.0, ""), (6.0, ""), (2030.0, "")]),
    ],
)
def test_numbers(text: str, expected: list[tuple[float, str]]) -> None:
    assert read.numbers(text) == expected


def test_numbers_in_words_without_a_unit_need_not_count() -> None:
    assert read.numbers("three conditions within five years", counting=False) == [(5.0, "y")]


def test_items_of_a_list_are_sentences_without_their_marks() -> None:
    assert read.sentences("Two things:\n- tell the office (Art. 5)\n2. no charge, max. EUR 5\nat all") == [
        "Two things:",
        "tell the office (Art. 5)",
        "no charge, max. EUR 5 at all",
    ]
    assert read.numbers("2. within 24 hours") == [(24.0, "h")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The keeper need not report it.", {"frees", "denies"}),
        ("The keeper may not charge ships.", {"forbids", "denies"}),
        ("The keeper has to report it only in winter.", {"obliges", "narrows"}),
        ("Ships may stay regardless of the light.", {"allows", "widens"}),
        ("The lamp shines.", set()),
    ],
)
def test_the_force_of_a_statement(text: str, names: set[str]) -> None:
    assert {name for name, has in zip(read.FORCES, read.forces(text), strict=True) if has} == names


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ((1.0, "y"), (12.0, "m"), True),
        ((72.0, "h"), (3.0, "d"), True),
        ((5.0, ""), (5.0, "y"), True),
        ((5.0, "m"), (5.0, "y"), False),
        ((72.0, "h"), (48.0, "h"), False),
    ],
)
def test_quantities_are_compared_across_units(first: tuple[float, str], second: tuple[float, str], same: bool) -> None:
    assert read.same_number(first, second) is same
    assert read.same_number(second, first) is same


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It must be reported.", 0),
        ("It need not be reported.", 1),
        ("It has to be reported no later than noon, without undue delay.", 0),
        ("Neither the bank nor the agent is bound.", 1),
        ("No seller may sell it without a mark.", 2),
        ("It doesn’t apply.", 1),
    ],
)
def test_negations_are_counted(text: str, count: int) -> None:
    assert read.negations(text) == count


def test_a_negator_reaches_the_words_after_it_and_no_further_than_the_clause() -> None:
    text = "The bank does not notify clients; regulators decide."
    assert dict(zip(read.words(text), read.negated(text), strict=True)) == {
        "bank": False,
        "notify": True,
        "clients": True,
        "regulators": False,
        "decide": False,
    }


@pytest.mark.parametrize(
    ("claim", "opposite"),
    [
        ("The bank must notify.", "The bank need not notify."),
        ("The bank may notify.", "The bank may not notify."),
        ("The bank does not notify.", "The bank does notify."),
        ("The bank notifies.", "It is not the case that the bank notifies."),
    ],
)
def test_a_claim_has_an_opposite(claim: str, opposite: str) -> None:
    assert read.denied(claim) == opposite


@pytest.mark.parametrize(
    ("text", "declines"),
    [
        ("I cannot answer this from the passages.", True),
        ("Nothing in the documents I was shown bears on it.", True),
        ("No answer can be given.", True),
        ("The controller need not answer within a month.", False),
        ("The bank has to keep the records.", False),
    ],
)
def test_refusals_are_recognised(text: str, declines: bool) -> None:
    assert (read.declines(text) > 0) is declines
