"""The factorial: complete and balanced wherever it is cut off, every row once, nothing that came back is dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from triptych import keys, stages, tables
from triptych.errors import DataError, ModelError, ParameterError
from triptych.legal_rag import benchmark, chunk, factorial, generate, grid, questions, runs, score
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.judge import Case, Verdict
from triptych.legal_rag.questions import Question
from triptych.legal_rag.retrieve import Found
from triptych.llm import Answer, Cached, InProcess, Message, Recorder, Replay, Taken, TooLong, user


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
        self.seeds: list[int | None] = []

    def ask(self, messages: Sequence[Message], **parameters: Any) -> Answer:
        self.seeds.append(parameters.get("seed"))
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


class Other(Model):
    model = "another"


def cells_of(todo: list[factorial.Context]) -> int:
    """How many different questions the design puts to a model: two arms may find the same passages."""
    return len({(each.text, each.passages) for each in todo})


def test_every_model_is_crossed_with_every_arm_and_repeat(todo: list[factorial.Context], eu_law: Corpus) -> None:
    clients = {"one": Model(), "two": Other(refuses="[2]")}
    kept = factorial.record(todo, clients, eu_law, [], repeats=3, seed=4, max_tokens=9)
    answers = factorial.replay(todo, clients, eu_law, kept, repeats=3, seed=4, max_tokens=9)
    cells = Counter(
        (each.generator, each.repeat, each.context.question.id, each.context.phrasing, each.context.retriever)
        for each in answers
    )
    assert set(cells.values()) == {1}
    assert len(cells) == 2 * 3 * len(todo)
    assert {each.author for each in answers} == {"stand-in", "another"}
    different = cells_of(todo)
    assert Counter(clients["one"].seeds) == {4: different, 5: different, 6: different}  # repeat r: seed + r


@pytest.mark.parametrize("reuse", [True, False])
def test_without_reuse_every_cell_is_asked_again(reuse: bool, todo: list[factorial.Context], eu_law: Corpus) -> None:
    before = factorial.record(todo, {"one": Model()}, eu_law, [], repeats=2, seed=0)
    again = Model()
    kept = factorial.record(todo, {"one": again}, eu_law, before if reuse else [], repeats=2, seed=0)
    assert again.calls == (0 if reuse else 2 * cells_of(todo))
    assert [row.key for row in kept] == [row.key for row in before]


def test_models_that_are_one_and_repeats_that_are_none_are_refused(
    todo: list[factorial.Context], eu_law: Corpus
) -> None:
    with pytest.raises(ParameterError, match="no list of different models"):
        factorial.record(todo, {"one": Model(), "two": Model()}, eu_law, [])
    with pytest.raises(ParameterError, match="no list of different models"):
        factorial.record(todo, {}, eu_law, [])
    with pytest.raises(ParameterError, match="0 repeats"):
        factorial.record(todo, {"one": Model()}, eu_law, [], repeats=0)


def test_the_default_design_finds_the_recorded_answers_under_their_digests() -> None:
    """The committed file is the oracle: a replay raises for every digest that it does not hold."""
    spec = stages.get("legal_rag/02_factorial")
    design = stages.resolve(spec, "full")
    assert (design["models"], design["repeats"], design["reuse"]) == (["smollm2-135m"], 1, True)
    bench = benchmark.named(design["benchmark"], design["articles"], design["tokens"])
    kept = factorial.taken(tables.read(keys.recorded_files(spec, "replies.parquet")[0]))
    arms = grid.arms(bench.passages, ["BM25"])
    items = [*bench.questions, *bench.unanswerable]
    order = {"seed": design["seed"], "limit": 5}
    todo = list(factorial.contexts(items, design["phrasings"], arms, bench.passages, design["k"], **order))
    asked = generate.sampling(design["temperature"], design["max_tokens"], design["seed"])
    answers = factorial.replay(todo, {"SmolLM2-135M": InProcess()}, bench.corpus, kept, **asked)
    assert len(answers) == len(todo) >= 5 * 2 * 2
    assert all(each.reply.replayed for each in answers)


class Even:
    """A judge that finds every second answer right."""

    name = "even"

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        return [Verdict("even", place % 2 == 0, True, False) for place, _ in enumerate(cases)]


def test_repeats_are_rows_and_no_further_questions(
    todo: list[factorial.Context], passages: list[Passage], eu_law: Corpus
) -> None:
    own = [each for each in todo if each.retriever == "first" and each.phrasing == "plain"]
    client = {"one": Model()}
    kept = factorial.record(own, client, eu_law, [], repeats=2)
    frame = factorial.tidy(
        factorial.judged(factorial.replay(own, client, eu_law, kept, repeats=2), Odd(), passages, "semchunk 200")
    )
    assert frame.groupby("question")["repeat"].agg(list).tolist() == [[0, 1]] * len(own)
    half = frame[frame["answerable"]].assign(verdict="judged", correct=lambda rows: rows["repeat"] == 0, grounded=True)
    by = factorial.rates(half.astype({"correct": "boolean", "grounded": "boolean"})).set_index("measure")
    assert by.loc["correct", ["hits", "n", "share"]].tolist() == [1.5, 3, 0.5]  # three questions, half right each
    assert by.loc["grounded", ["hits", "n"]].tolist() == [3, 3]
    once = factorial.rates(runs.one_repeat(half)).set_index("measure")
    assert once.loc["correct", ["hits", "n"]].tolist() == [3, 3]
    for name in ("low", "high"):  # as wide as three questions asked once, not as narrow as six
        assert by.loc["grounded", name] == once.loc["grounded", name]


def test_pipelines_go_through_the_whole_design(
    items: list[Question], passages: list[Passage], eu_law: Corpus, own_cache: Path
) -> None:
    names = ["BM25 + RM3", "BM25 + 0.5 wordllama", "BM25 → wordllama", "HyDE wordllama"]
    arms = grid.arms(passages, names, Model())
    todo = list(factorial.contexts(items, ["distant"], arms, passages, k=2))
    frame = factorial.judged(
        factorial.answer(todo, generate.ExtractiveReader(), eu_law), Even(), passages, "semchunk 200"
    )
    assert set(factorial.tidy(frame)["retriever"]) == {*names, *factorial.BOUNDS}
    assert (factorial.crossed(frame).groupby("retriever").size() == 3).all()


def test_when_an_answer_was_made_is_kept_or_said_to_be_unknown(
    todo: list[factorial.Context], eu_law: Corpus, tmp_path: Path
) -> None:
    file = tmp_path / "answers.jsonl"
    old = Model()
    factorial.record(todo[:4], {"m": Cached(old, file, remake="…")}, eu_law, [])  # kept before there were dates
    dated = Cached(generate.Dated(Model(refuses="[2]"), generate.dates_file(file), "a machine"), file, remake="…")
    kept = factorial.record(todo, {"m": dated}, eu_law, [])
    table = factorial.origins(kept, generate.dates(generate.dates_file(file)), None)
    assert list(table)[-2:] == ["generated", "place"]
    assert table["generated"].isna().sum() == old.calls == 4
    assert set(table["place"].dropna()) == {"a machine"}
    assert factorial.taken(table) == kept
    said = factorial.when(table)
    assert said.startswith(f"generated {str(table['generated'].dropna().iloc[0])[:10]} on a machine; ")
    assert said.endswith(f"date of generation not kept for 4 of {len(kept)} answers")
    assert "not kept for any" in factorial.when(table.drop(columns=["generated", "place"]))
    table.to_parquet(tmp_path / "replies.parquet")
    again = factorial.origins(kept, {}, pd.read_parquet(tmp_path / "replies.parquet"))  # taken over with their dates
    assert again["generated"].fillna("").tolist() == table["generated"].fillna("").tolist()


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(DataError, match="no recorded answer"):
        factorial.taken(pd.DataFrame([{"key": "a", "text": "b"}]))
    assert factorial.taken(pd.DataFrame([Taken(key="a", model="m", text="").model_dump()]))[0].finish is None
