"""The second held-out set: frozen, valid, fresh, and written in many voices that do not give the truth away."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from triptych.legal_rag import perturbations, questions
from triptych.legal_rag.perturbations import KINDS, Kind

ITEMS = perturbations.load(perturbations.FILE_SECOND)
FIRST = perturbations.load()
QUESTIONS = {question.id: question for question in questions.load()}
HELD_OUT = {name for name, half in perturbations.splits(QUESTIONS).items() if half == "held-out"}
# Fixed before any judge was measured on it; a change of one byte here would be a different set.
FROZEN = "0332eed73afe3c903a638a43603d61dc64929b331488317425263387f256b9f2"
COUNTS: dict[Kind, int] = {
    "paraphrase": 88,
    "verbose but right": 44,
    "terse but right": 44,
    "right abstention": 18,
    "dropped claim": 31,
    "flipped negation": 31,
    "changed number": 28,
    "swapped article": 31,
    "unsupported addition": 29,
    "abstention": 26,
    "fabricated answer": 18,
}
VOICES = (
    "solicitor's letter",
    "in-house chat",
    "textbook",
    "chatbot list",
    "plain talk",
    "second language",
    "question restated",
    "case woven in",
    "article cited",
)
DATA_SHEET = perturbations.FILE.with_name("PERTURBATIONS.md").read_text("utf-8")


def voice(item: perturbations.Perturbation) -> str:
    """The voice an answer was written in: the words before the colon of its note."""
    return item.note.partition(":")[0]


def long(item: perturbations.Perturbation) -> int:
    return len(item.text.split())


def test_the_set_is_the_one_that_was_fixed() -> None:
    assert hashlib.sha256(perturbations.FILE_SECOND.read_bytes()).hexdigest() == FROZEN


def test_the_set_is_valid() -> None:
    assert perturbations.problems(ITEMS, list(QUESTIONS.values()), covers=("held-out",)) == []


def test_it_holds_the_held_out_questions_only() -> None:
    assert {item.question for item in ITEMS} == HELD_OUT
    assert {item.split for item in ITEMS} == {"held-out"}


def test_the_kinds_are_as_many_as_the_data_sheet_says() -> None:
    assert Counter(item.kind for item in ITEMS) == COUNTS
    assert set(COUNTS) == set(KINDS)
    for kind, count in COUNTS.items():
        assert f"| {kind} | {count} |" in DATA_SHEET, kind


def test_every_question_has_as_many_answers_to_accept_as_to_refuse() -> None:
    for name in HELD_OUT:
        count = Counter(item.positive for item in ITEMS if item.question == name)
        each = 4 if QUESTIONS[name].answerable else 3
        assert count == {True: each, False: each}, name


def test_no_text_stands_in_both_sets() -> None:
    def plain(text: str) -> str:
        return " ".join(text.lower().split())

    known = [plain(item.text) for item in FIRST]
    assert not {item.id for item in ITEMS} & {item.id for item in FIRST}
    for item in ITEMS:
        mine = plain(item.text)
        assert not any(mine in text or text in mine for text in known), item.id


def test_no_text_copies_its_reference_answer() -> None:
    for item in ITEMS:
        assert item.text not in QUESTIONS[item.question].answer, item.id


def test_an_answer_that_keeps_a_claim_keeps_its_numbers() -> None:
    # As for the first set: "one" and "two" are left out because they are also ordinary words.
    kept = {"paraphrase", "verbose but right", "terse but right", "unsupported addition", "dropped claim"}
    for item in ITEMS:
        if item.kind in kept:
            claims = [c for n, c in enumerate(QUESTIONS[item.question].claims, start=1) if n not in item.broken]
            needed = perturbations.numbers(" ".join(claim.text.replace("NIS2", "") for claim in claims)) - {1.0, 2.0}
            assert needed <= perturbations.numbers(item.text), item.id


@pytest.mark.parametrize("name", VOICES)
def test_a_voice_speaks_right_and_wrong_answers_alike(name: str) -> None:
    count = Counter(item.positive for item in ITEMS if voice(item) == name)
    assert min(count[True], count[False]) >= 19
    right, wrong = count[False], count[True]
    assert f"| {name} | {right} | {wrong} |" in DATA_SHEET


def test_every_note_names_a_voice() -> None:
    assert {voice(item) for item in ITEMS} == set(VOICES)


def test_who_cites_articles_does_so_and_who_does_not_does_not() -> None:
    # Other voices name an Article only where the claims do, or where a long answer repeats the passage's references.
    for item in ITEMS:
        if voice(item) == "article cited" and not item.truth.abstained:
            assert "Article" in item.text, item.id
        elif voice(item) != "article cited" and "Article" in item.text:
            spoken = " ".join(claim.text for claim in QUESTIONS[item.question].claims)
            assert "Article" in spoken or item.kind == "verbose but right", item.id


def test_length_does_not_give_the_truth_away() -> None:
    # The right answers come long and very short; so do wrong ones of every kind that answers at all.
    longest = min(long(item) for item in ITEMS if item.kind == "verbose but right")
    shortest = max(long(item) for item in ITEMS if item.kind == "terse but right")
    assert longest > shortest
    for kind in ("dropped claim", "flipped negation", "changed number", "swapped article", "unsupported addition"):
        words = [long(item) for item in ITEMS if item.kind == kind]
        assert sum(count >= 0.9 * longest for count in words) >= 3, kind
        assert sum(count <= shortest for count in words) >= 3, kind
