"""What all thirteen tasks promise: right answers, splits that share nothing, the same bytes, chance that is chance."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from triptych.errors import ParameterError
from triptych.ft_dojo import tasks
from triptych.ft_dojo.tasks import LABELS, SPLITS, Item, Task, defects, molecules
from triptych.ft_dojo.tasks.base import CLASSES, split_of
from triptych.ft_dojo.tasks.finance import CONCEPTS, WHO
from triptych.ft_dojo.tasks.recipe import TEMPLATES_PER_SPLIT

SMALL = {"train": 160, "val": 24, "select": 24, "test": 48}
NAMES = tasks.names()
seeds = st.integers(min_value=0, max_value=10**6)


@cache
def made(name: str, seed: int = 0, reserved: bool = False) -> Task:
    return tasks.make(name, seed, SMALL, reserved=reserved)


def test_there_are_thirteen_tasks_in_five_domains() -> None:
    recipes = tasks.recipes()
    assert Counter(recipe.domain for recipe in recipes) == {
        "math": 1, "patent": 3, "chemistry": 4, "finance": 1, "table": 4
    }  # fmt: skip
    assert len({recipe.id for recipe in recipes}) == 13


@pytest.mark.parametrize("name", NAMES)
def test_gold_answers_score_one_and_what_needs_no_skill_at_most_chance(name: str) -> None:
    task = made(name)
    for split in SPLITS[1:]:
        items = task.splits[split]
        chance = task.chance(split)
        assert 0 <= chance < 0.65
        assert task.score([item.answer for item in items], split) == 1
        assert task.normalised(1.0, split) == pytest.approx(100)
        assert task.score([""] * len(items), split) == 0
        assert task.score(["zebra ( ("] * len(items), split) == 0
        majority = Counter(item.answer for item in items).most_common(1)[0][0]
        assert task.score([majority] * len(items), split) <= chance
        for place in range(max(len(item.options) for item in items)):
            assert task.score([item.options[place] for item in items], split) <= chance


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 5])
def test_splits_share_no_item_wording_slots_or_key(name: str, seed: int) -> None:
    task = made(name, seed)
    for position, one in enumerate(SPLITS):
        for other in SPLITS[position + 1 :]:
            ours, theirs = task.splits[one], task.splits[other]
            for part in ("id", "template", "slots", "question", "key"):
                assert not {getattr(item, part) for item in ours} & {getattr(item, part) for item in theirs}
    for split, items in task.splits.items():
        assert {split_of(task.id, item.key, seed) for item in items} == {split}
        assert len({item.question for item in items}) == len(items) == SMALL[split]


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes_and_another_seed_no_common_test_item(name: str) -> None:
    task, again, other = made(name), tasks.make(name, 0, {**SMALL, "test": 30, "val": 12}), made(name, 5)
    assert task.jsonl("train") == again.jsonl("train")
    assert task.jsonl("select") == again.jsonl("select")
    assert task.public_jsonl() == again.public_jsonl()
    assert task.planted == again.planted
    assert not {item.key for item in task.splits["test"]} & {item.key for item in other.splits["test"]}
    assert tasks.make(name, 0, SMALL).jsonl("test") == task.jsonl("test")


@given(st.text(max_size=20), seeds, seeds)
def test_no_key_is_a_test_key_of_two_seeds(key: str, one: int, other: int) -> None:
    assume((one - other) % CLASSES)
    assert "test" not in (split_of("finance", key, one), split_of("finance", key, other)) or split_of(
        "finance", key, one
    ) != split_of("finance", key, other)


@settings(deadline=None)
@given(st.text(max_size=20), seeds)
def test_every_key_has_one_test_seed_in_sixteen(key: str, start: int) -> None:
    given_to = Counter(split_of("finance", key, start + offset) for offset in range(CLASSES))
    assert given_to == {"test": 1, "val": 2, "select": 2, "train": 11}


# --- damage ---


@pytest.mark.parametrize("name", NAMES)
def test_what_is_planted_is_what_differs_from_the_clean_rows(name: str) -> None:
    task = made(name, reserved=True)
    planted = {row: kind for kind, row in task.planted}
    assert len(planted) == len(task.planted)
    clean = {item.id: (item.question, item.answer) for item in task.splits["train"]}
    assert [row.id for row in task.public] == [item.id for item in task.splits["train"]]
    for row in task.public:
        assert ((row.question, row.answer) == clean[row.id]) == (row.id not in planted)
    for row in task.public:
        question, answer = clean[row.id]
        match planted.get(row.id):
            case "wrong_label" | "shifted_scale" | "mixed_format" | "placeholder_answer" | "shifted_rows":
                assert row.question == question
                assert row.answer != answer
            case "missing_solution":
                assert (row.question, row.answer) == (question, "")
            case "truncated":
                assert question.startswith(row.question)
                assert len(row.question) < len(question)
            case "swapped_columns":
                assert (row.question, row.answer) == (answer, question)
            case "exact_duplicate":
                assert (row.question, row.answer) in {(q, a) for name_, (q, a) in clean.items() if name_ != row.id}
            case "near_duplicate":
                assert row.question not in {q for q, _ in clean.values()} or row.question != question
            case "conflicting_duplicate":
                assert clean_answer(task, row.question) != row.answer
            case kind:
                assert kind is None


def clean_answer(task: Task, question: str) -> str:
    (item,) = (item for item in task.splits["train"] if item.question == question)
    return item.answer


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers_are_worth_less_than_right_ones(name: str) -> None:
    """By the task's own metric: a `wrong_label` that happened to be right would be no defect."""
    task = made(name)
    by_id = {item.id: item for item in task.splits["train"]}
    rows = {row.id: row for row in task.public}
    checked = 0
    for kind, row in task.planted:
        if kind in ("wrong_label", "shifted_scale"):
            assert task.measure.credit(rows[row].answer, by_id[row]) < 1, (kind, rows[row], by_id[row].answer)
            checked += 1
    assert checked > 20


def test_eight_public_kinds_and_three_reserved_ones_are_used() -> None:
    kinds = {kind for name in NAMES for kind, _ in made(name).planted}
    assert kinds == set(defects.KINDS)
    assert len(kinds) >= 8
    with_reserved = {kind for name in NAMES for kind, _ in made(name, reserved=True).planted}
    assert with_reserved - kinds == set(defects.RESERVED)
    assert len(defects.RESERVED) == 3
    for name in NAMES:
        assert len({kind for kind, _ in made(name).planted}) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_public_rows_name_no_damage_slot_or_template(name: str) -> None:
    raw = made(name, reserved=True).public_jsonl().decode()
    for word in (*defects.KINDS, *defects.RESERVED, "slots", "template", "planted", "label"):
        assert word not in raw
    assert made(name).splits == made(name, reserved=True).splits


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_trains_on_right_rows_only_and_on_every_row_that_can_be_saved(name: str) -> None:
    task = made(name)
    right = {(item.prompt, item.completion(item.answer)) for item in task.splits["train"]}
    samples = [(sample.prompt, sample.completion) for sample in task.oracle_samples()]
    assert set(samples) <= right
    lost = sum(kind not in defects.REPAIRABLE for kind, _ in task.planted)
    assert len(samples) == len(task.splits["train"]) - lost
    assert len(task.default_samples()) == len(task.public)
    clean = tasks.make(name, 0, SMALL, {})
    assert clean.planted == ()
    assert [(s.prompt, s.completion) for s in clean.default_samples()] == [
        (s.prompt, s.completion) for s in clean.oracle_samples()
    ]


# --- finance ---


def solve(question: str) -> int:
    """Independent oracle: reads the text only, knows nothing of templates or slots."""
    numbers = [int(word) for word in re.findall(r"\d+", question)]
    assert len(numbers) == 2
    words = set(question.split())
    if words & {"share", "shares"}:
        return numbers[0] * numbers[1]
    if words & {"balance", "account"}:
        return numbers[0] + numbers[1]
    assert words & {"profit", "gain", "loan", "debt", "owed", "owe"}, question
    return max(numbers) - min(numbers)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_every_finance_label_is_right_by_the_text_alone(seed: int) -> None:
    for items in tasks.make("finance", seed, SMALL).splits.values():
        for item in items:
            assert item.options.count(str(solve(item.question))) == 1
            assert item.answer == str(solve(item.question))
            assert len(set(item.options)) == len(LABELS)
            assert all(0 <= int(option) <= 99 for option in item.options)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_finance_splits_share_no_amounts_in_either_order(seed: int) -> None:
    task = tasks.make("finance", seed, SMALL)
    for position, one in enumerate(SPLITS):
        for other in SPLITS[position + 1 :]:
            assert not {_fact(item) for item in task.splits[one]} & {_fact(item) for item in task.splits[other]}


def _fact(item: Item) -> tuple[str, frozenset[int]]:
    """What an item asks, order of the amounts aside: 3 + 4 in one split would give away 4 + 3 in another."""
    return item.template.split("/")[0], frozenset(map(int, re.findall(r"\d+", item.question)))


def test_no_rank_or_position_beats_chance_by_much() -> None:
    """Shortcuts that need no reading: always the k-th largest option, always the same label."""
    items = tasks.make("finance", 1, {"test": 400}).splits["test"]
    ranks = Counter(sorted(map(int, item.options)).index(int(item.answer)) for item in items)
    assert max(ranks.values()) / len(items) < 0.36
    assert set(Counter(item.label for item in items).values()) == {100}


def test_every_concept_has_a_template_for_every_share_dealt() -> None:
    for concept in CONCEPTS:
        for template in concept.templates:
            words = template.split()
            assert words.count("{a}") == words.count("{b}") == words.count("{who}") == 1
    for recipe in tasks.recipes():
        for templates in recipe.templates.values():
            assert len(templates) == len(set(templates)) == sum(TEMPLATES_PER_SPLIT.values())
    assert len(set(WHO)) == len(WHO)


# --- chance and errors ---


def test_chance_is_the_better_of_constant_and_random() -> None:
    options = ("5", "6", "7", "8")
    items = {label: Item("x", "t", (), "q ?", options, label) for label in LABELS}
    skewed = Task("x", "x", "exact match", 0, {"test": (items["A"], items["A"], items["A"], items["B"])})
    even = Task("x", "x", "exact match", 0, {"test": tuple(items.values())})
    assert skewed.chance() == 0.75
    assert even.chance() == 0.25
    assert even.normalised(0.25) == 0
    assert even.normalised(1.0) == 100
    assert even.normalised(0.0) < 0


def test_scoring_needs_an_answer_for_every_item() -> None:
    with pytest.raises(ParameterError):
        made("finance").score(["1"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"name": "poetry", "seed": 0}, "finance"),
        ({"name": "finance", "seed": 0, "sizes": {"exam": 5}}, "test"),
        ({"name": "finance", "seed": 0, "sizes": {"test": 0}}, "at least 1"),
        ({"name": "finance", "seed": 0, "sizes": {"train": 10, "test": 10**6}}, "at most"),
        ({"name": "finance", "seed": 0, "defects": {"typos": 0.1}}, "wrong_label"),
        ({"name": "finance", "seed": 0, "defects": {"wrong_label": 0.95}}, "90%"),
        ({"name": "finance", "seed": 0, "defects": {"wrong_label": -0.1}}, "90%"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_way_out(arguments: dict, named: str) -> None:
    with pytest.raises(ParameterError) as error:
        tasks.make(**arguments)
    assert named in (error.value.hint or "")


def test_no_split_has_another_splits_molecules() -> None:
    """Molecules of questions and answers, without their groups where a task adds or exchanges those."""
    for name in ("molecule_understanding", "molecule_editing", "molecule_optimisation", "reaction"):
        form = molecules.canonical if name == "reaction" else molecules.core_of
        found = {
            split: {form(text) for item in items for text in (*map(str, item.slots), item.answer) if " " in text}
            for split, items in made(name).splits.items()
        }
        for position, one in enumerate(SPLITS):
            for other in SPLITS[position + 1 :]:
                assert not found[one] & found[other]
