"""The factorial: complete and balanced wherever it is cut off, every row once, nothing that came back is dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from triptych.errors import DataError, ModelError
from triptych.legal_rag import chunk, factorial, generate, questions, runs, score
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.judge import Case, Verdict
from triptych.legal_rag.questions import Question
from triptych.legal_rag.retrieve import Found
from triptych.llm import Answer, Cached, Message, Recorder, Replay, Taken, TooLong, user


class Fixed:
    """A retriever that always finds the same passages."""

    def __init__(self, name: str, passages: Sequence[Passage]) -> None:
        self.name, self.passages = name, passages

    def search(self, question: str, k: int) -> list[Found]:
        return [Found(passage, 1.0) for passage in self.passages[:k]]


class Model:
    """A model that numbers its answers, refuses some questions, says nothing to one, and fails at one."""

    model = "stand-in"

    def __init__(self, refuses: str = "", fails_at: int = 0, silent_at: int = 0) -> None:
        self.defaults: dict[str, Any] = {}
        self.refuses, self.fails_at, self.silent_at, self.calls = refuses, fails_at, silent_at, 0

    def ask(self, messages: Sequence[Message], **parameters: Any) -> Answer:
        if self.refuses and self.refuses in messages[-1].content:
            raise TooLong("the request exceeds the context")
        self.calls += 1
        if self.calls == self.fails_at:
            raise ModelError("the server is gone")
        text = "" if self.calls == self.silent_at else f"Answer {self.calls}."
        return Answer(text=text, finish="stop", prompt_tokens=5, completion_tokens=2, seconds=0.5)


class Odd:
    """A judge that reads no answer with a 3 in it."""

    name = "odd"

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        return [
            Verdict("odd", None, None, None, error="no JSON")
            if "3" in case.text
            else Verdict("odd", True, bool(case.passages), False, ("because",))
            for case in cases
        ]


@pytest.fixture(scope="module")
def items() -> list[Question]:
    loaded = questions.load()
    answerable = [item for item in loaded if item.answerable and item.gold[0].article.startswith("gdpr/")]
    return [*answerable[:3], next(item for item in loaded if not item.answerable)]


@pytest.fixture(scope="module")
def passages(eu_law: Corpus, items: list[Question]) -> list[Passage]:
    return chunk.semantic(eu_law.only({span.article for item in items for span in item.gold}))


@pytest.fixture(scope="module")
def todo(items: list[Question], passages: list[Passage]) -> list[factorial.Context]:
    arms = [Fixed("first", passages), Fixed("last", passages[::-1])]
    return list(factorial.contexts(items, ["distant", "plain"], arms, passages, k=2))


def test_the_design_is_complete_and_every_cell_once(todo: list[factorial.Context], items: list[Question]) -> None:
    wanted = {
        (item.id, phrasing, arm)
        for item in items
        for phrasing in ("distant", "plain")
        for arm in ("first", "last", "oracle", "closed book")
        if item.answerable or arm != "oracle"
    }
    cells = Counter((each.question.id, each.phrasing, each.retriever) for each in todo)
    assert set(cells) == wanted
    assert set(cells.values()) == {1}


def test_wherever_it_is_cut_off_at_most_one_question_is_incomplete(todo: list[factorial.Context]) -> None:
    answerable = {each.question.id for each in todo if each.question.answerable}
    for length in range(len(todo) + 1):
        cells = Counter((each.question.id, each.phrasing) for each in todo[:length])
        short = [key for key, count in cells.items() if count < (4 if key[0] in answerable else 3)]
        assert len(short) <= 1
    half = len(todo) // 2
    assert {each.phrasing for each in todo[:half]} == {"distant"}


def test_the_bounds(todo: list[factorial.Context], passages: list[Passage]) -> None:
    for each in todo:
        if each.retriever == factorial.ORACLE:
            assert score.is_hit(each.question, each.passages, score.WHOLE)
            assert each.retrieved
        elif each.retriever == factorial.CLOSED_BOOK:
            assert each.passages == ()
            assert each.retrieved is (False if each.question.answerable else None)


def test_a_question_whose_gold_is_not_among_the_passages_is_refused(
    items: list[Question], passages: list[Passage]
) -> None:
    elsewhere = [passage for passage in passages if passage.article != items[0].gold[0].article]
    with pytest.raises(DataError, match="none of the passages holds the gold"):
        list(factorial.contexts(items[:1], ["distant"], [Fixed("first", passages)], elsewhere, k=2))


def test_one_row_an_answer_and_unread_verdicts_keep_theirs(
    todo: list[factorial.Context], passages: list[Passage], eu_law: Corpus
) -> None:
    answers = factorial.answer(todo, generate.ModelReader("model", Model()), eu_law)
    frame = factorial.judged(answers, Odd(), passages, "semchunk 200")
    assert len(frame) == len(todo)
    assert list(frame["text"]) == [f"Answer {number}." for number in range(1, len(todo) + 1)]
    unread = frame["text"].str.contains("3")
    assert (frame["verdict"] == "unparsed").tolist() == unread.tolist()
    assert set(frame.loc[unread, "reasons"]) == {"no JSON"}
    tidy = factorial.tidy(frame)
    assert list(tidy) == list(runs.Run.model_fields)
    assert len(tidy) == len(frame)
    assert set(factorial.crossed(frame)["retriever"]) == {"first", "last"}
    assert factorial.crossed(frame)["answerable"].all()
    with pytest.raises(DataError, match="share a key"):
        factorial.judged([*answers, answers[0]], Odd(), passages, "semchunk 200")


def test_gold_clusters_questions_by_passage(
    todo: list[factorial.Context], passages: list[Passage], eu_law: Corpus
) -> None:
    frame = factorial.judged(
        factorial.answer(todo, generate.ExtractiveReader(), eu_law), Odd(), passages, "semchunk 200"
    )
    answerable = frame[frame["answerable"]]
    assert set(answerable["gold"]) <= {passage.id for passage in passages}
    assert len(answerable[["question", "gold"]].drop_duplicates()) == answerable["question"].nunique()
    assert frame.loc[~frame["answerable"], "gold"].isna().all()


def test_too_long_a_prompt_is_an_outcome_with_a_row(
    todo: list[factorial.Context], passages: list[Passage], eu_law: Corpus
) -> None:
    model = Model(refuses="[2]")
    frame = factorial.judged(
        factorial.answer(todo, generate.ModelReader("m", model), eu_law), Odd(), passages, "semchunk 200"
    )
    long = frame["shown"].str.contains("\n")
    assert long.any()
    assert (frame["outcome"] == "too long").tolist() == long.tolist()
    assert set(frame.loc[long, "text"]) == {""}


class Declining:
    """A judge that takes every answer for an abstention, and one without text for a mistake of the caller."""

    name = "declining"

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        assert all(case.text for case in cases)
        return [Verdict("declining", not case.question.answerable, True, True) for case in cases]


def test_a_reply_without_text_is_a_wrong_row_and_no_abstention(
    todo: list[factorial.Context], passages: list[Passage], eu_law: Corpus
) -> None:
    answers = factorial.answer(todo, generate.ModelReader("m", Model(refuses="[2]", silent_at=2)), eu_law)
    frame = factorial.judged(answers, Declining(), passages, "semchunk 200")
    assert len(frame) == len(todo)
    silent = frame["text"] == ""
    assert set(frame.loc[silent, "outcome"]) == {"empty", "too long"}
    assert not frame.loc[silent, "correct"].any()
    assert not frame.loc[silent, "abstained"].any()
    assert frame.loc[~silent, "abstained"].all()
    assert frame.loc[silent, "reasons"].str.startswith("there is no text to judge: ").all()
    assert set(frame["verdict"]) == {"judged"}


def test_a_refusal_in_the_middle_keeps_what_was_answered(
    todo: list[factorial.Context], eu_law: Corpus, tmp_path: Path
) -> None:
    def reader(model: Model) -> generate.ModelReader:
        return generate.ModelReader("m", Cached(model, tmp_path / "answers.jsonl", remake="…"))

    different = len({(each.text, each.passages) for each in todo})
    first = Model(fails_at=6)
    with pytest.raises(ModelError, match="gone"):
        factorial.answer(todo, reader(first), eu_law)
    second = Model()
    answers = factorial.answer(todo, reader(second), eu_law)
    assert second.calls == different - 5
    assert len(answers) == len(todo)
    assert sum(each.reply.replayed for each in answers) >= 5


def test_recorded_answers_are_replayed_exactly(todo: list[factorial.Context], eu_law: Corpus, tmp_path: Path) -> None:
    recorder = Recorder(Model(refuses="[2]"))
    live = factorial.answer(todo, generate.ModelReader("m", recorder, temperature=0), eu_law)
    file = tmp_path / "answers.parquet"
    pd.DataFrame([row.model_dump() for row in recorder.taken]).to_parquet(file)
    kept = factorial.taken(pd.read_parquet(file))
    assert kept == recorder.taken
    replay = Replay("stand-in", {}, kept, remake="make it again")
    again = factorial.answer(todo, generate.ModelReader("m", replay, temperature=0), eu_law)
    assert [(each.reply.text, each.reply.outcome) for each in again] == [
        (each.reply.text, each.reply.outcome) for each in live
    ]
    assert all(each.reply.replayed for each in again if each.reply.outcome != "too long")
    with pytest.raises(ModelError, match="no recorded answer") as caught:
        replay.ask([user("something else")])
    assert caught.value.hint == "make it again"
    with pytest.raises(ModelError, match="no recorded answer"):
        replay.ask([user(todo[0].text)], temperature=1)


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(DataError, match="no recorded answer"):
        factorial.taken(pd.DataFrame([{"key": "a", "text": "b"}]))
    assert factorial.taken(pd.DataFrame([Taken(key="a", model="m", text="").model_dump()]))[0].finish is None
