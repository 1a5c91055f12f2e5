"""What the base is told: true statements, none of them a task's."""

from __future__ import annotations

import itertools
import random

from triptych.ft_dojo import pretraining, tasks, tiny, vocabulary
from triptych.ft_dojo.tasks import SPLITS
from triptych.ft_dojo.tasks.finance import CONCEPTS


def _sample(count: int, seed: int = 5) -> list[pretraining.Statement]:
    return list(itertools.islice(pretraining.statements(random.Random(seed)), count))


def test_no_statement_has_a_tasks_question_or_answer_format() -> None:
    told = {word for statement in _sample(5000) for word in statement.words}
    assert not told & {"answer", "?", "what", "find"}
    # Five words in a row of any template, amounts and firms aside, would be a piece of an item.
    texts = [" ".join(statement.words) for statement in _sample(5000)]
    for concept in CONCEPTS:
        for template in concept.templates:
            words = template.split()
            runs = [words[start : start + 5] for start in range(len(words) - 4)]
            plain = [" ".join(run) for run in runs if not any("{" in word for word in run)]
            assert not [run for run in plain if any(run in text for text in texts)]


def test_what_can_be_inferred_is_true() -> None:
    operations = {"minus": int.__sub__, "plus": int.__add__, "times": int.__mul__}
    checked = 0
    for statement in _sample(3000):
        numbers = [int(word) for word in statement.words if word.isdigit()]
        (position,) = statement.inferred
        right = int(statement.words[position])
        assert numbers[-1] == right
        first, second = numbers[:2]
        if "equals" in statement.words:
            assert operations[statement.words[1]](first, second) == right
            checked += 1
        else:
            assert right in (abs(first - second), first + second, first * second)
    assert checked > 500


def test_every_word_of_task_and_pretraining_is_in_the_vocabulary() -> None:
    known = set(vocabulary.words())
    assert {word for statement in _sample(3000) for word in statement.words} <= known
    task = tasks.make("finance", 0)
    for split in SPLITS:
        for item in task.splits[split]:
            assert set(item.prompt.split()) <= known
            assert {word for option in item.options for word in item.completion(option).split()} <= known


def test_tokenizer_gives_one_token_a_word() -> None:
    tokenizer = vocabulary.tokenizer()
    ids = tokenizer("profit is 7 .")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<bos>", "profit", "is", "7", "."]
    assert tokenizer("zebra", add_special_tokens=False)["input_ids"] == [tokenizer.unk_token_id]


def test_rows_are_packed_statements_with_their_inferred_words_as_targets() -> None:
    words = vocabulary.words()
    rows = tiny.rows(50, seed=0)
    assert len(rows) == 50
    for row in rows:
        assert len(row.ids) <= tiny.ROW
        assert words[row.ids[0]] == "<bos>"
        assert all(words[row.ids[position]].isdigit() for position in row.targets)
        assert len(row.targets) == sum(words[token] == "." for token in row.ids)
