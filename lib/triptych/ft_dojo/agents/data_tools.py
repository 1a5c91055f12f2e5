"""Steps that clean raw rows of any task, from what the rows show by themselves. Standard library only.

This file is sent into the sandbox as the beginning of a data script (see `scripts`), so it imports nothing of ours. A
step takes rows and returns rows; a row is a dictionary of `question`, `answer` and `options`. `EXPECTED` holds answers
in the form that scoring expects, as feedback on val has shown them; it may be empty.
"""

from __future__ import annotations

import collections
import itertools
import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Rows = list[Row]

EXPECTED: list[str] = []
COMMON_END = 0.05  # share of questions that end in a word, from which it counts as an ending
ODD = 0.15  # share of answers of one form, below which it may be damage
UNEXPECTED = 0.35  # the same where expected answers are known and none has the form
FEW = 0.1  # share of rows that may say the same in other words; where there are more, the task has few questions
OFTEN = 0.08  # share of questions that hold a word, from which it belongs to the wording
AGREED = 0.6  # share of a wording's rows that one calculation must explain


def exchange(rows: Rows) -> Rows:
    """Question and answer were exchanged: the answer ends like a question, and the question does not."""
    ends = endings(rows)

    def swapped(row: Row) -> bool:
        question, answer = row["question"].split(), row["answer"].split()
        return len(answer) > 3 and answer[-1] in ends and bool(question) and question[-1] not in ends

    return [{**row, "question": row["answer"], "answer": row["question"]} if swapped(row) else row for row in rows]


def drop_blank(rows: Rows) -> Rows:
    """No question or no answer: nothing can be learned from it."""
    return [row for row in rows if row["question"].strip() and row["answer"].strip()]


def drop_cut(rows: Rows) -> Rows:
    """The question does not end as the others do: it was cut off."""
    ends = endings(rows)
    return [row for row in rows if row["question"].split()[-1:] and row["question"].split()[-1] in ends]


def to_option(rows: Rows) -> Rows:
    """The answer is none of the options: take the one that it holds, or leave the row out."""
    kept: Rows = []
    for row in rows:
        if row["options"] and row["answer"] not in row["options"]:
            held = [option for option in row["options"] if f" {option} " in f" {row['answer']} "]
            if len(held) != 1:
                continue
            row = {**row, "answer": held[0]}
        kept.append(row)
    return kept


def unwrap(rows: Rows) -> Rows:
    """Words stand before or behind some answers and nowhere else: take them away if what is left begins and ends like
    the other answers, else leave the row out."""
    answers = [row["answer"].split() for row in rows if not row["options"]]
    seen = collections.Counter(word for words in answers for word in set(words))
    # In the middle of an answer, or all of it: then it is no wrapping.
    inside = collections.Counter(word for words in answers for word in set(words if len(words) == 1 else words[2:-1]))
    expected = {word for answer in EXPECTED for word in answer.split()}
    around = {
        word
        for word, count in seen.items()
        if 0.004 * len(answers) < count < ODD * len(answers)
        and not (word.isdigit() or word in expected or inside[word] > 0.02 * count)
    }
    plain = [words for words in answers if words and not around & set(words)]
    if not around or len(plain) < len(answers) / 2:
        return rows
    first, last = {form(words[0]) for words in plain}, {form(words[-1]) for words in plain}
    kept: Rows = []
    for row in rows:
        words = row["answer"].split()
        if not row["options"] and around & set(words):
            while words and words[0] in around:
                words = words[1:]
            while words and words[-1] in around:
                words = words[:-1]
            if not words or around & set(words) or form(words[0]) not in first or form(words[-1]) not in last:
                continue
            row = {**row, "answer": " ".join(words)}
        kept.append(row)
    return kept


def drop_odd(rows: Rows) -> Rows:
    """The answer has a form that few answers have and no expected one: another unit, notation or column."""
    known = {shape(answer) for answer in EXPECTED}
    share = collections.Counter(shape(row["answer"]) for row in rows if not row["options"])
    most = (UNEXPECTED if len(EXPECTED) > 4 else ODD) * sum(share.values())
    return [
        row for row in rows if row["options"] or shape(row["answer"]) in known or share[shape(row["answer"])] > most
    ]


def drop_repeats(rows: Rows) -> Rows:
    """The same question with the same answer again: it would count twice."""
    return list({(row["question"], row["answer"]): row for row in rows}.values())


def drop_near(rows: Rows) -> Rows:
    """The same numbers and rare words with the same answer again, in another wording."""
    often = common(rows)
    kept: dict[Any, Row] = {}
    for place, row in enumerate(rows):
        rare = sorted(word for word in row["question"].split() if word.isdigit() or word not in often)
        kept.setdefault((*rare, "→", row["answer"]) if len(rare) > 1 else place, row)
    return list(kept.values()) if len(kept) >= (1 - FEW) * len(rows) else rows


def drop_echo(rows: Rows) -> Rows:
    """The answer stands in the question word for word, which few answers do and no expected one needs to."""
    echo = [f" {row['answer']} " in f" {row['question']} " and len(row["answer"].split()) > 2 for row in rows]
    return (
        [row for row, found in zip(rows, echo, strict=True) if not found]
        if sum(echo) < UNEXPECTED * len(rows)
        else rows
    )


def drop_conflicts(rows: Rows) -> Rows:
    """The same question with different answers: only the answer of a majority is kept."""
    groups: dict[str, Rows] = collections.defaultdict(list)
    for row in rows:
        groups[" ".join(sorted(row["question"].lower().split()))].append(row)
    kept: Rows = []
    for group in groups.values():
        ((answer, count),) = collections.Counter(row["answer"] for row in group).most_common(1)
        kept += [row for row in group if row["answer"] == answer] if 2 * count > len(group) else []
    return kept


def drop_miscalculated(rows: Rows) -> Rows:
    """Numbers asked for in one wording mostly follow from its numbers by one calculation: leave out what does not."""
    often = common(rows)
    groups: dict[tuple[str, ...], Rows] = collections.defaultdict(list)
    for row in rows:
        words = row["question"].split()
        key = tuple("#" if word.isdigit() else word if word in often else "_" for word in words)
        groups[key].append(row)
    kept: Rows = []
    for group in groups.values():
        ways = [ways_to(row) for row in group]
        votes = collections.Counter(way for found in ways for way in found)
        best = max(votes, key=lambda way: (votes[way], way), default=None)
        if best is None or len(group) < 4 or votes[best] < AGREED * len(group):
            kept += group
        else:
            kept += [row for row, found in zip(group, ways, strict=True) if best in found]
    return kept


STEPS = {
    step.__name__: step
    for step in (
        exchange, drop_blank, drop_cut, to_option, unwrap, drop_odd, drop_echo, drop_repeats, drop_near,
        drop_conflicts, drop_miscalculated,
    )
}  # fmt: skip


def endings(rows: Rows) -> set[str]:
    """The words that questions end in."""
    last = collections.Counter(words[-1] for row in rows if (words := row["question"].split()))
    return {word for word, count in last.items() if count >= COMMON_END * sum(last.values())}


def common(rows: Rows) -> set[str]:
    """The words of the wordings: those that many questions hold."""
    held = collections.Counter(word for row in rows for word in set(row["question"].split()))
    return {word for word, count in held.items() if count >= OFTEN * len(rows) and not word.isdigit()}


def form(word: str) -> str:
    """A number is a number whatever its value."""
    return "#" if word.isdigit() else word


def shape(answer: str) -> tuple[str | int, ...]:
    """How an answer is built: which kinds of words it holds, and whether they are one, two or more."""
    words = answer.split()
    kinds = {"#" if word.isdigit() else "A" if len(word) == 1 and word.isupper() else "w" for word in words}
    return (*sorted(kinds), min(len(words), 3))


def ways_to(row: Row) -> set[str]:
    """The calculations with the question's numbers (at most four) that give its answer."""
    numbers = [int(word) for word in row["question"].split() if word.isdigit()][:4]
    if not row["answer"].isdigit() or not numbers:
        return set()
    wanted, found = int(row["answer"]), set[str]()
    for (i, a), (j, b) in itertools.combinations(enumerate(numbers), 2):
        for name, value in (("+", a + b), ("-", a - b), ("~", b - a), ("*", a * b)):
            if value == wanted:
                found.add(f"{i}{name}{j}")
    for (i, a), (j, b), (k, c) in itertools.combinations(enumerate(numbers), 3):
        for name, value in (("++", a + b + c), ("+-", a + b - c), ("-+", a - b + c), ("--", a - b - c)):
            if value == wanted:
                found.add(f"{i}{j}{k}{name}")
    return found


def load(path: str = "public/train.jsonl") -> Rows:
    """The public rows, fields that are missing or no text made empty."""
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").split("\n") if line.strip()]
    fields = [{name: row.get(name) for name in ("question", "answer")} for row in rows]
    texts = [{name: value if isinstance(value, str) else "" for name, value in row.items()} for row in fields]
    return [{**text, "options": row.get("options") or []} for text, row in zip(texts, rows, strict=True)]


def clean(rows: Rows, names: list[str]) -> tuple[Rows, dict[str, int]]:
    """Rows after the named steps, and how many rows each changed or left out."""
    changed: dict[str, int] = {}
    for name in names:
        before = [(row["question"], row["answer"]) for row in rows]
        rows = STEPS[name](rows)
        after = collections.Counter((row["question"], row["answer"]) for row in rows)
        changed[name] = sum((collections.Counter(before) - after).values())
    return rows, changed


def write(rows: Rows, most: int, path: str = "out/train.jsonl") -> None:
    """At most `most` rows as training samples, those without a text left out."""
    whole = [row for row in rows if row["question"].strip() and row["answer"].strip()]
    with Path(path).open("w", encoding="utf-8") as out:
        for row in whole[:most]:
            sample = {"prompt": f"{row['question']}\nanswer :", "completion": f" {row['answer']} ."}
            out.write(json.dumps(sample, ensure_ascii=False) + "\n")
