"""The set by which judges are judged: frozen, valid, spread over all questions; and what its validator refuses."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import DataError
from triptych.legal_rag import perturbations, questions
from triptych.legal_rag.perturbations import BREAKING, KINDS, Altered, Perturbation, Truth

ITEMS = perturbations.load()
QUESTIONS = {question.id: question for question in questions.load()}
# The set was fixed before there was a judge; a change of one byte here would be a different set.
FROZEN = "fc3243c81d0069bc4bcaade2e59f63e84cc10351d11a471699ab2905f3ce13a1"


def test_the_set_is_the_one_that_was_fixed() -> None:
    assert hashlib.sha256(perturbations.FILE.read_bytes()).hexdigest() == FROZEN


def test_the_set_is_valid() -> None:
    assert perturbations.problems(ITEMS, list(QUESTIONS.values())) == []


def test_there_are_enough_of_every_kind() -> None:
    assert len(ITEMS) >= 300
    count = Counter(item.kind for item in ITEMS)
    assert set(count) == set(KINDS)
    # Only twelve questions have no answer in the corpus, so the two kinds that need one are smaller.
    for kind in KINDS:
        assert count[kind] >= (24 if kind in perturbations.UNANSWERABLE else 35), kind


def test_every_question_has_answers_to_accept_and_to_refuse() -> None:
    for name in QUESTIONS:
        mine = [item for item in ITEMS if item.question == name]
        assert {item.positive for item in mine} == {True, False}, name
        assert len(mine) >= 4, name


@pytest.mark.parametrize("split", perturbations.SPLITS)
def test_each_half_holds_half_the_questions_and_every_kind(split: perturbations.Split) -> None:
    mine = perturbations.only(ITEMS, split)
    assert len({item.question for item in mine}) == 50
    assert min(Counter(item.kind for item in mine).values()) >= 12
    assert {item.kind for item in mine} == set(KINDS)


def test_the_split_follows_the_hash_of_the_question_id() -> None:
    # First and last five of: for i in $(seq -f eu-%03g 100); do printf $i | sha256sum; done | sort
    half = perturbations.splits(QUESTIONS)
    assert {half[f"eu-{n}"] for n in ("017", "001", "098", "062", "077")} == {"dev"}
    assert {half[f"eu-{n}"] for n in ("010", "066", "043", "091", "054")} == {"held-out"}


@given(st.sets(st.text(min_size=1, max_size=6), max_size=30), st.randoms(use_true_random=False))
def test_the_split_depends_on_the_ids_alone(names: set[str], random: Any) -> None:
    shuffled = sorted(names)
    random.shuffle(shuffled)
    half = perturbations.splits(shuffled)
    assert half == perturbations.splits(names)
    assert sum(side == "dev" for side in half.values()) == len(names) // 2


def test_a_judge_has_to_object_to_a_wrong_or_unsupported_answer() -> None:
    for item in ITEMS:
        assert item.positive == (
            item.kind not in {"paraphrase", "verbose but right", "terse but right", "right abstention"}
        )


def test_an_answer_that_keeps_a_claim_keeps_its_numbers() -> None:
    # Written out or in digits; "one" and "two" are left out because they are also ordinary words.
    kept = {"paraphrase", "verbose but right", "terse but right", "unsupported addition", "dropped claim"}
    for item in ITEMS:
        if item.kind in kept:
            claims = [c for n, c in enumerate(QUESTIONS[item.question].claims, start=1) if n not in item.broken]
            needed = perturbations.numbers(" ".join(claim.text.replace("NIS2", "") for claim in claims)) - {1.0, 2.0}
            assert needed <= perturbations.numbers(item.text), item.id


def test_no_text_copies_its_reference_answer() -> None:
    for item in ITEMS:
        assert item.text not in QUESTIONS[item.question].answer


def test_a_long_answer_is_longer_than_a_short_one() -> None:
    words = {
        kind: [len(item.text.split()) for item in ITEMS if item.kind == kind]
        for kind in ("verbose but right", "paraphrase", "terse but right")
    }
    assert min(words["verbose but right"]) > max(words["terse but right"])
    assert sum(words["paraphrase"]) / len(words["paraphrase"]) < min(words["verbose but right"])


# --- reading numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up to EUR 140 000 or 1,4 %", {140000.0, 1.4}),
        ("EUR 12.6 million within two weeks", {12.6, 2.0}),
        ("by 6 January 2030, Twelve months", {6.0, 2030.0, 12.0}),
        ("someone of the tenth", set[float]()),
        ("72 hours; 24 hours.", {72.0, 24.0}),
    ],
)
def test_numbers_are_read_in_digits_and_words(text: str, expected: set[float]) -> None:
    assert perturbations.numbers(text) == expected


@given(st.integers(min_value=0, max_value=10**9))
def test_a_number_is_read_however_it_is_grouped(number: int) -> None:
    assert perturbations.numbers(f"EUR {number:,}".replace(",", " ")) == {float(number)}
    assert perturbations.numbers(f"EUR {number}") == {float(number)}


# --- what is refused -----------------------------------------------------------------------------------------------


def named(name: str) -> Perturbation:
    return next(item for item in ITEMS if item.id == name)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("eu-001-paraphrase", {"question": "eu-999"}, "there is no question eu-999"),
        ("eu-001-paraphrase", {"split": "held-out"}, "belongs to dev, not to held-out"),
        ("eu-001-paraphrase", {"note": " "}, "text and note may not be empty"),
        ("eu-001-paraphrase", {"truth": Truth(correct=True, grounded=False, abstained=False)}, "does not fit"),
        ("eu-001-paraphrase", {"broken": (1,)}, "names some broken claims"),
        ("eu-001-paraphrase", {"altered": Altered(was="1", now="2")}, "has an altered number"),
        ("eu-001-dropped-claim", {"broken": ()}, "names no broken claims"),
        ("eu-001-dropped-claim", {"broken": (5,)}, "eu-001 has 4 claims"),
        ("eu-001-dropped-claim", {"broken": (1, 2, 3, 4)}, "no claim is left"),
        ("eu-004-changed-number", {"altered": None}, "lacks an altered number"),
        ("eu-004-changed-number", {"altered": Altered(was="9 days", now="15 days")}, "gold spans say '9 days'"),
        ("eu-004-changed-number", {"altered": Altered(was="10 days", now="14 days")}, "does not say '14 days'"),
        ("eu-004-changed-number", {"text": "15 days, not 10 days"}, "still says '10 days'"),
        ("eu-004-changed-number", {"altered": Altered(was="10 days", now="days")}, "holds no number"),
        ("eu-045-fabricated-answer-1", {"question": "eu-001", "split": "dev"}, "that is answerable"),
        ("eu-001-paraphrase", {"question": "eu-045", "split": "held-out"}, "that is not answerable"),
    ],
)
def test_a_bad_item_is_refused(name: str, change: dict[str, Any], message: str) -> None:
    found = perturbations.problems([named(name).model_copy(update=change)], list(QUESTIONS.values()))
    assert any(complaint.startswith(f"{name}: ") and message in complaint for complaint in found), found


def test_double_ids_and_texts_and_forgotten_questions_are_refused() -> None:
    one = named("eu-001-paraphrase")
    found = perturbations.problems([one, one], [QUESTIONS["eu-001"], QUESTIONS["eu-002"]])
    assert "eu-001-paraphrase: 2 items have this id" in found
    assert "eu-001-paraphrase: the text is not unique" in found
    assert "eu-002: no answer to this question" in found


def test_a_set_for_one_half_answers_that_half_and_no_other() -> None:
    held_out = [item for item in ITEMS if item.split == "held-out"]
    every = list(QUESTIONS.values())
    assert perturbations.problems(held_out, every, covers=("held-out",)) == []
    assert any("no answer to this question" in found for found in perturbations.problems(held_out, every))
    found = perturbations.problems([*held_out, named("eu-001-paraphrase")], every, covers=("held-out",))
    assert found == ["eu-001-paraphrase: this set has no answers to dev questions"]
    missing = perturbations.problems(held_out[5:], every, covers=("held-out",))
    assert missing == [f"{held_out[0].question}: no answer to this question"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "typo"}, "line 2: kind"),
        ({"truth": {"correct": True}}, "line 2: truth.grounded"),
        ({"judge": "x"}, "line 2: judge"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    row = json.loads(ITEMS[0].model_dump_json())
    path = tmp_path / "set.jsonl"
    path.write_text(f"{json.dumps(row)}\n{json.dumps(row | change)}\n", "utf-8")
    with pytest.raises(DataError, match=message):
        perturbations.load(path)


def test_a_missing_or_empty_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no perturbation file"):
        perturbations.load(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n", "utf-8")
    with pytest.raises(DataError, match="holds no perturbation"):
        perturbations.load(tmp_path / "empty.jsonl")


def test_kinds_that_break_claims_say_which() -> None:
    assert {item.kind for item in ITEMS if item.broken} == BREAKING
