"""Tasks: one right option, no overlap between splits, the same bytes for the same seed, chance that is chance."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.errors import ParameterError
from triptych.ft_dojo import tasks
from triptych.ft_dojo.tasks import LABELS, SPLITS, Item, Task
from triptych.ft_dojo.tasks.finance import CONCEPTS, TEMPLATES_PER_SPLIT, WHO

SMALL = {"train": 120, "val": 40, "select": 40, "test": 60}
seeds = st.integers(min_value=0, max_value=10**6)


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


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_every_label_is_right_by_the_text_alone(seed: int) -> None:
    for items in tasks.make("finance", seed, SMALL).splits.values():
        for item in items:
            assert item.options.count(str(solve(item.question))) == 1
            assert item.answer == str(solve(item.question))
            assert len(set(item.options)) == len(LABELS)
            assert all(0 <= int(option) <= 99 for option in item.options)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_splits_share_no_item_template_or_amounts(seed: int) -> None:
    task = tasks.make("finance", seed, SMALL)
    for position, one in enumerate(SPLITS):
        for other in SPLITS[position + 1 :]:
            ours, theirs = task.splits[one], task.splits[other]
            assert not {item.id for item in ours} & {item.id for item in theirs}
            assert not {item.template for item in ours} & {item.template for item in theirs}
            assert not {_fact(item) for item in ours} & {_fact(item) for item in theirs}


def _fact(item: Item) -> tuple[str, frozenset[int]]:
    """What an item asks, order of the amounts aside: 3 + 4 in one split would give away 4 + 3 in another."""
    return item.template.split("/")[0], frozenset(map(int, re.findall(r"\d+", item.question)))


def test_same_seed_same_bytes_and_other_seed_other_items() -> None:
    one, again, other = (tasks.make("finance", seed, SMALL) for seed in (3, 3, 4))
    for split in SPLITS:
        assert one.jsonl(split) == again.jsonl(split)
    texts = [{(item.question, item.options) for item in task.splits["test"]} for task in (one, other)]
    assert not texts[0] & texts[1]


def test_bytes_do_not_depend_on_the_sizes_of_other_splits() -> None:
    assert tasks.make("finance", 0, {"train": 10}).jsonl("test") == tasks.make("finance", 0).jsonl("test")


def test_no_rank_or_position_beats_chance_by_much() -> None:
    """Shortcuts that need no reading: always the k-th largest option, always the same label."""
    items = tasks.make("finance", 1, {"test": 800}).splits["test"]
    ranks = Counter(sorted(map(int, item.options)).index(int(item.answer)) for item in items)
    assert max(ranks.values()) / len(items) < 0.33
    assert set(Counter(item.label for item in items).values()) == {200}


def test_chance_is_the_better_of_constant_and_random() -> None:
    item = tasks.make("finance", 0, SMALL).splits["test"][0]
    made = {label: Item("x", "t", (), "q ?", item.options, label) for label in LABELS}
    skewed = Task("x", "x", "exact match", 0, {"test": (made["A"], made["A"], made["A"], made["B"])})
    even = Task("x", "x", "exact match", 0, {"test": tuple(made.values())})
    assert skewed.chance() == 0.75
    assert even.chance() == 0.25
    assert even.normalised(0.25) == 0
    assert even.normalised(1.0) == 100
    assert even.normalised(0.0) < 0


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(0, 0.25), st.floats(0, 0.25))
def test_planted_defects_are_those_reported_and_stay_in_training(seed: int, wrong: float, duplicate: float) -> None:
    clean = tasks.make("finance", seed, SMALL)
    dirty = tasks.make("finance", seed, SMALL, {"wrong_label": wrong, "exact_duplicate": duplicate})
    for split in SPLITS[1:]:
        assert dirty.jsonl(split) == clean.jsonl(split)
    mislabelled = {item.id for item in dirty.splits["train"] if item.answer != str(solve(item.question))}
    assert mislabelled == {name for kind, name in dirty.planted if kind == "wrong_label"}
    texts = Counter((item.question, item.options) for item in dirty.splits["train"])
    repeats = sum(count - 1 for count in texts.values())
    assert repeats == sum(kind == "exact_duplicate" for kind, _ in dirty.planted)
    assert len(dirty.splits["train"]) == SMALL["train"]


def test_every_concept_has_a_template_for_every_share_dealt() -> None:
    for concept in CONCEPTS:
        assert len(concept.templates) == len(set(concept.templates)) == sum(TEMPLATES_PER_SPLIT.values())
        for template in concept.templates:
            words = template.split()
            assert words.count("{a}") == words.count("{b}") == words.count("{who}") == 1
    assert len(set(WHO)) == len(WHO)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"name": "poetry", "seed": 0}, "finance"),
        ({"name": "finance", "seed": 0, "sizes": {"exam": 5}}, "test"),
        ({"name": "finance", "seed": 0, "sizes": {"test": 0}}, "at least 1"),
        ({"name": "finance", "seed": 0, "sizes": {"test": 10**6}}, "at most"),
        ({"name": "finance", "seed": 0, "defects": {"typos": 0.1}}, "wrong_label"),
        ({"name": "finance", "seed": 0, "defects": {"wrong_label": 0.9}}, "half"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_way_out(arguments: dict, named: str) -> None:
    with pytest.raises(ParameterError) as error:
        tasks.make(**arguments)
    assert named in (error.value.hint or "")
