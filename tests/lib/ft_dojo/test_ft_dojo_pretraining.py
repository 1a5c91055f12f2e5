"""What the base is told: true statements, none of them a task's; and the weights that came of it."""

from __future__ import annotations

import itertools
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from triptych.errors import DataError
from triptych.ft_dojo import pretraining, tasks, tiny, vocabulary
from triptych.ft_dojo.tasks import chemistry, molecules, patent, table

WAYS = pretraining.Ways(plain=0.3, gives=0.2, colon=0.3, silent=0.2, filled=0.6)


def _sample(kind: str = "", count: int = 400, seed: int = 5) -> list[pretraining.Statement]:
    """Statements of one kind, silent ones left out, or of all parts of the mixture; ended in every way there is."""
    rng = random.Random(seed)
    if kind:
        told = (pretraining.tell(rng, getattr(pretraining, kind)(rng), WAYS) for _ in range(count))
        return [statement for statement in told if not _is_silent(statement)]
    parts = [part for part in pretraining.PARTS.values() if part.ways]
    texts = itertools.chain.from_iterable(zip(*(part.texts(rng, tiny.ROW) for part in parts), strict=True))
    return list(itertools.islice((statement for text in texts for statement in text), count))


def _is_silent(statement: pretraining.Statement) -> bool:
    """Whether nothing but the full stop follows."""
    return len(statement.inferred) == 1


def _told(statement: pretraining.Statement) -> tuple[list[str], list[str], list[str]]:
    """Words before the semicolon, cue without words that stand for nothing, and what follows without its full stop."""
    start = statement.inferred[0]
    words = list(statement.words)
    cut = words.index(";")
    empty = {*pretraining._fillers(), "gives", ":"}
    return words[:cut], [word for word in words[cut + 1 : start] if word not in empty], words[start:-1]


def test_no_statement_has_a_tasks_question_or_answer_format() -> None:
    statements = _sample(count=4000)
    told = {word for statement in statements for word in statement.words}
    assert "answer" not in told
    inferring = [statement for statement in statements if "note" not in statement.words]
    after = {word for statement in inferring for word in statement.words[statement.inferred[0] :]}
    assert not after & {"mark", "aggregate"}
    texts = " ".join(" ".join(statement.words) for statement in statements if "?" not in statement.words)
    # Five words in a row of any wording, what is filled in aside, would be a piece of an item.
    for recipe in tasks.recipes():
        for template in itertools.chain.from_iterable(recipe.templates.values()):
            words = template.split()
            runs = [words[start : start + 5] for start in range(len(words) - 4)]
            plain = [" ".join(run) for run in runs if not any("{" in word for word in run)]
            assert not [run for run in plain if f" {run} " in texts]


def test_every_statement_ends_in_what_follows_from_it() -> None:
    for statement in _sample(count=2000):
        first, last = statement.inferred[0], len(statement.words)
        assert statement.inferred == tuple(range(first, last))
        assert statement.words[-1] == "."
        assert last - first >= 2 or statement.words[first - 1] == ":"


def test_a_text_holds_no_kind_twice_and_fits() -> None:
    for text in itertools.islice(pretraining.PARTS["skills"].texts(random.Random(0), 63), 300):
        assert 0 < sum(len(statement.words) for statement in text) <= 63
        looked_up = [s for s in text if {"found", "both"} & set(_told(s)[1])]
        assert len(looked_up) <= 3  # located, paired and echoed


def test_in_the_last_part_nothing_follows_a_colon() -> None:
    """Answers of tasks stand after a colon: an untrained base must not give them there."""
    for name, silent in (("transfer", False), ("reserve", True)):
        texts = itertools.islice(pretraining.PARTS[name].texts(random.Random(1), tiny.ROW), 500)
        told = [statement for text in texts for statement in text]
        ended = [s for s in told if s.words[s.inferred[0] - 1] == ":" and not {"note", "found", "is"} & set(s.words)]
        assert len(ended) > 100
        assert all(_is_silent(statement) == silent for statement in ended)


def test_finance_has_its_result_after_no_colon() -> None:
    for part in pretraining.PARTS.values():
        for kind in (pretraining.arithmetic, pretraining.ledger):
            assert part.ways in (None, pretraining.Ways()) or kind in part.without or kind in part.no_colon


def test_sums_are_true() -> None:
    operations = {"minus": int.__sub__, "plus": int.__add__, "times": int.__mul__}
    for statement in _sample("arithmetic") + [s for s in _sample("chain") if "equals" in s.words]:
        before, cue, result = _told(statement)
        assert cue in (["equals"], [])
        meant = [word for word in before if word.isdigit() or word in operations]
        total = int(meant[0])
        for operation, number in zip(meant[1::2], meant[2::2], strict=True):
            total = operations[operation](total, int(number))
        assert result == [str(total)]


def test_ledgers_are_true() -> None:
    for statement in _sample("ledger"):
        before, _, result = _told(statement)
        one, other = (int(word) for word in before if word.isdigit())
        assert int(result[0]) in (abs(one - other), one + other, one * other)


@pytest.mark.parametrize("kind", ["located", "paired", "related"])
def test_what_is_said_of_shelves_is_true(kind: str) -> None:
    seen: set[str] = set()
    for statement in _sample(kind):
        before, _, result = _told(statement)
        start = before.index("A")
        sought = {word for word in before[:start] if word in patent.PARTS}
        shelves: dict[str, set[str]] = {}
        for word in before[start:]:
            if word in tasks.LABELS:
                shelf = shelves.setdefault(word, set())
            elif word in patent.PARTS:
                shelf.add(word)
        if kind == "located":
            assert result == [letter for letter, parts in shelves.items() if sought & parts]
        elif kind == "paired":
            assert result == [letter for letter, parts in shelves.items() if sought <= parts]
        else:
            if any(sought <= parts for parts in shelves.values()):
                right = "anticipated"
            else:
                right = "obvious" if sought <= set().union(*shelves.values()) else "allowed"
            assert result == [right]
        seen.update(result)
    assert len(seen) >= 3


def test_what_is_said_of_tables_is_true() -> None:
    for kind in ("tabled", "looked_up", "combined"):
        for statement in _sample(kind):
            before, cue, result = _told(statement)
            cells = {one: int(two) for one, two in itertools.pairwise(before) if one in table.NAMES}
            named = [cells[word] for word in cue if word in cells]
            if set(cue) & set(pretraining.HIGH):
                assert cells[result[0]] == max(cells.values())
            elif set(cue) & set(pretraining.LOW):
                assert cells[result[0]] == min(cells.values())
            elif result[0] in ("true", "false"):
                (claimed,) = (int(word) for word in cue if word.isdigit())
                assert result == ["true" if named == [claimed] else "false"]
            elif kind == "looked_up":
                assert result == [str(named[0])]
            elif set(cue) & set(pretraining.TOGETHER):
                assert result == [str(sum(named))]
            else:
                assert result == [str(abs(named[0] - named[1]))]


def test_what_is_said_of_molecules_is_true() -> None:
    symbols = {symbol for symbol, _ in molecules.GROUPS.values()}
    for statement in _sample("counted"):
        before, cue, result = _told(statement)
        symbol = cue[0] if cue[0] in symbols else molecules.GROUPS[cue[0]][0]
        assert result == [str(before.count(symbol)), "times"]
        assert before.count(symbol) <= chemistry.MOST
    for statement in _sample("rewritten"):
        before, cue, result = _told(statement)
        tokens = [word for word in before if word in molecules.ALPHABET]
        if cue == ["copied"]:
            assert result == tokens
        elif "before" in cue:
            assert result == [cue[0], *tokens]
        elif "into" in cue:  # the acid's OH is what is lost
            assert Counter(tokens) - Counter(result) == {"O": 1}
            assert not Counter(result) - Counter(tokens)
        elif len(result) == len(tokens):
            assert sum(one != two for one, two in zip(result, tokens, strict=True)) == 1
        else:
            assert result[1:] == tokens


def test_pieces_of_smiles_are_cut_from_molecules_that_no_task_uses() -> None:
    long = {molecules.canonical(" ".join(tokens)) for tokens in molecules.too_long()[:400]}
    assert len(long) > 300
    for name in ("molecule_understanding", "molecule_editing", "molecule_optimisation", "reaction"):
        task = tasks.make(name, 0, {"train": 100, "val": 20, "select": 20, "test": 20})
        for item in itertools.chain.from_iterable(task.splits.values()):
            texts = [text for text in (*map(str, item.slots), item.answer) if " " in text]
            assert not long & {molecules.canonical(text) for text in texts}


def test_every_word_of_tasks_and_pretraining_is_in_the_vocabulary() -> None:
    known = set(vocabulary.words())
    assert {word for statement in _sample(count=3000) for word in statement.words} <= known
    for name in tasks.names():
        task = tasks.make(name, 0, {"train": 150, "val": 20, "select": 20, "test": 20}, reserved=True)
        for sample in (*task.default_samples(), *task.oracle_samples()):
            assert set(f"{sample.prompt} {sample.completion}".split()) <= known
        for items in task.splits.values():
            for item in items:
                assert set(item.prompt.split()) <= known
                assert {word for option in item.options for word in item.completion(option).split()} <= known


def test_tokenizer_gives_one_token_a_word() -> None:
    tokenizer = vocabulary.tokenizer()
    ids = tokenizer("profit is 7 .")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<bos>", "profit", "is", "7", "."]
    assert tokenizer("zebra", add_special_tokens=False)["input_ids"] == [tokenizer.unk_token_id]


def test_repetitions_are_random_words_said_twice() -> None:
    known = set(vocabulary.words())
    for (statement,) in itertools.islice(pretraining.PARTS["repetition"].texts(random.Random(0), 63), 200):
        half = len(statement.words) // 2
        assert statement.words[:half] == statement.words[half:]
        assert len(set(statement.words)) == half >= 8
        assert len(statement.words) <= 63
        assert set(statement.words) <= known
        # The first word of the second time follows from nothing.
        assert statement.inferred == tuple(range(half + 1, 2 * half))


def test_pretraining_has_parts_whose_steps_add_up() -> None:
    spec = tiny.TinySpec(train=tiny.PRETRAIN.but(steps=100, batch=2))
    made = tiny.parts(spec)
    assert [part.steps for part, _ in made] == [2, 83, 13, 2]
    assert [len(rows) for _, rows in made] == [4, 166, 26, 4]
    assert made[2][0].learning_rate == pretraining.PARTS["transfer"].rate * made[1][0].learning_rate
    seen = [{row.ids for row in rows} for _, rows in made]
    assert not any(one & other for one, other in itertools.combinations(seen, 2))
    assert [part.steps for part, _ in tiny.parts(tiny.TinySpec(train=tiny.PRETRAIN.but(steps=4)))] == [3, 1]


def test_rows_are_texts_with_their_inferred_words_as_targets() -> None:
    words = vocabulary.words()
    rows = tiny.rows(50, seed=0)
    assert len(rows) == 50
    for row in rows:
        assert len(row.ids) <= tiny.ROW
        assert words[row.ids[0]] == "<bos>"
        assert row.ids[-1] == words.index(".")
        assert 0 < len(row.targets) < len(row.ids)


def test_the_shipped_weights_are_of_this_code_and_of_the_bytes_recorded() -> None:
    base = tiny.base(tiny.TinySpec())
    assert base.folder == tiny.SHIPPED
    record = tiny.Record.model_validate_json((tiny.SHIPPED / tiny.RECORD).read_text("utf-8"))
    assert record.recipe == tiny.recipe(tiny.TinySpec())
    assert record.rows == tiny.rows_digest(tiny.TinySpec())
    assert record.run.steps == tiny.PRETRAIN.steps == len(record.run.losses)
    assert (tiny.SHIPPED / tiny.WEIGHTS).stat().st_size < 2_000_000
    assert sum(weight.numel() for weight in base.load().parameters()) == record.run.parameters


def test_damaged_shipped_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "tiny_base"
    shutil.copytree(tiny.SHIPPED, copy)
    weights = copy / tiny.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    monkeypatch.setattr(tiny, "SHIPPED", copy)
    with pytest.raises(DataError, match="sha256"):
        tiny.base(tiny.TinySpec())
