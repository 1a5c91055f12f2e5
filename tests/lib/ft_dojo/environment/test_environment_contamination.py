"""Hidden items in training data are found, and honest data is not accused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.ft_dojo import tasks
from triptych.ft_dojo.environment import contamination, slots
from triptych.ft_dojo.environment.contamination import Checker, Hidden, normal
from triptych.ft_dojo.tasks.finance import CONCEPTS

READ = slots.reader("finance")
WORDS = [f"{a}{b}" for a in "bdfgklmnprst" for b in "aeiou"]


def _text(rng: random.Random, count: int = 20) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def _hidden(task: tasks.Task) -> list[Hidden]:
    return [
        Hidden(item.id, split, item.prompt, READ(item.prompt))
        for split in ("val", "select", "test")
        for item in task.splits[split]
    ]


@pytest.mark.parametrize("name", tasks.names())
def test_slots_are_read_back_exactly(name: str) -> None:
    """Against the generator: equal slots read equal, different ones differ, in every wording of every split."""
    read = slots.reader(name)
    assert read is not None
    made = tasks.make(name, 5, {"train": 150, "val": 40, "select": 40, "test": 40})
    readings: dict[tuple[object, ...], set[frozenset[slots.Slots]]] = {}
    for items in made.splits.values():
        for item in items:
            asked = read(item.prompt)
            assert len(asked) == 1, (item.prompt, asked)
            assert read(f"Question 7. {item.prompt.replace(' ', '   ')}") == asked
            assert read(f"{item.prompt} 1 . {items[0].prompt}") == asked | read(items[0].prompt), "none hides another"
            readings.setdefault((item.template.split("/")[0], *item.slots), set()).add(asked)
    assert all(len(found) == 1 for found in readings.values())
    # Different slots read alike only where the generator itself says that they mean the same: by its keys.
    keys = {item.slots: item.key for items in made.splits.values() for item in items}
    alike: dict[frozenset[slots.Slots], set[str]] = {}
    for (_, *own), (asked,) in readings.items():
        alike.setdefault(asked, set()).add(keys[tuple(own)])
    assert all(len(found) == 1 for found in alike.values())


@pytest.mark.parametrize("name", tasks.names())
def test_honest_rows_of_no_task_are_accused(name: str) -> None:
    made = tasks.make(name, 3, {"train": 600, "val": 60, "select": 60, "test": 60})
    read = slots.reader(name)
    assert read is not None
    hidden = [
        Hidden(item.id, split, item.prompt, read(item.prompt))
        for split in ("val", "select", "test")
        for item in made.splits[split]
    ]
    checker = Checker(hidden, [row.question for row in made.public], made.instruction, read)
    assert checker.check([(sample.prompt, sample.completion) for sample in made.oracle_samples()]) == []
    raw = checker.check([(sample.prompt, sample.completion) for sample in made.default_samples()])
    assert len(raw) <= 1, "damage may turn a public row into a hidden item's, by accident"
    leaked = [(item.prompt, item.completion(item.answer)) for item in made.splits["val"]]
    assert {match.row for match in checker.check(leaked)} == set(range(60))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_public_rows_of_a_generated_task_are_never_accused_by_text(seed: int) -> None:
    task = tasks.make("finance", seed, {"train": 300, "val": 40, "select": 40, "test": 40})
    checker = Checker(_hidden(task), [row.question for row in task.public], "", READ)
    clean = [(item.prompt, item.completion(item.answer)) for item in task.splits["train"]]
    assert checker.check(clean) == []
    raw = [(sample.prompt, sample.completion) for sample in task.default_samples()]
    assert {match.method for match in checker.check(raw)} <= {"slots"}  # damage may turn numbers into a hidden item's


def test_a_hidden_item_in_other_words_is_found_by_its_slots() -> None:
    task = tasks.make("finance", 3, {"train": 100, "val": 40, "select": 40, "test": 40})
    checker = Checker(_hidden(task), [row.question for row in task.public], "", READ)
    concept = CONCEPTS[0]
    item = next(item for item in task.splits["test"] if item.slots[0] == concept.name)
    for template in concept.templates:
        text = template.format(who="nobody", a=item.slots[1], b=item.slots[2]) + "\nanswer :"
        (match,) = checker.check([(text, " 1 .")])
        assert match.method in ("slots", "exact") and match.split == "test" and match.span == text


@settings(max_examples=40)
@given(st.integers(0, 10**9))
def test_each_method_finds_its_kind_of_copy(seed: int) -> None:
    rng = random.Random(seed)
    items = [Hidden(f"i{number}", "test", _text(rng)) for number in range(20)]
    checker = Checker(items, [_text(rng) for _ in range(50)], "Answer the question.")
    target = rng.choice(items)
    words = target.prompt.split()
    typed = [
        (f"  {target.prompt.upper()} !!", "exact"),
        (f"{_text(rng, 5)} {' '.join(words[3:16])} {_text(rng, 5)}", "ngram"),
        (" ".join([*words[:10], *words[11:]]), "minhash"),
    ]
    matches = checker.check([(text, "x") for text, _ in typed])
    assert [(match.method, match.item) for match in matches] == [(method, target.id) for _, method in typed]
    assert matches[1].span in normal(target.prompt) and len(matches[1].span.split()) == 13
    assert checker.check([(_text(rng), _text(rng, 3)) for _ in range(20)]) == []


def test_a_leak_in_the_completion_is_found_too() -> None:
    rng = random.Random(5)
    item = Hidden("i", "val", _text(rng))
    (match,) = Checker([item], [], "").check([("say it", item.prompt)])
    assert match.method == "ngram"


def test_words_that_every_prompt_shares_are_no_evidence() -> None:
    rng = random.Random(6)
    frame = _text(rng, 15)
    hidden = [Hidden(f"i{number}", "test", f"{frame} {number} {_text(rng, 4)}") for number in range(30)]
    row = (f"{frame} 99 {_text(rng, 4)}", "x")
    assert Checker(hidden, [], "").check([row]), "without knowing that they are common they do match"
    public = [f"{frame} {_text(rng, 6)}" for _ in range(200)]
    assert Checker(hidden, public, "").check([row]) == []
    assert Checker(hidden, [], f"Every question begins: {frame}").check([row]) == []
    assert len(Checker(hidden, public, "").check([(hidden[3].prompt, "x")])) == 1


@given(st.text())
def test_normal_form_is_idempotent(text: str) -> None:
    assert normal(normal(text)) == normal(text)


@pytest.mark.parametrize(("one", "other"), [("Ａ ｂ", "a b"), ("ﬁne", "FINE"), ("a,b;c", "A B C"), ("x\n\ty", "x y")])
def test_normal_form_ignores_what_readers_ignore(one: str, other: str) -> None:
    assert normal(one) == normal(other)


def test_counts_name_the_methods() -> None:
    rng = random.Random(7)
    item = Hidden("i", "val", _text(rng))
    matches = Checker([item], [], "").check([(item.prompt, "x")] * 3)
    assert dict(contamination.counts(matches)) == {"exact": 3}
