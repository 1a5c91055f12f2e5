"""The tidy table: what it refuses, what it keeps, and the door for files made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legal_rag_tables import row

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import released_format, runs
from triptych.legal_rag.released_format import Columns


@st.composite
def valid_rows(draw: st.DrawFn) -> dict[str, object]:
    answerable, judged = draw(st.booleans()), draw(st.booleans())
    flag = st.booleans()
    return {
        "question": draw(st.sampled_from("abcde")),
        "retriever": draw(st.sampled_from(["x", "y ü"])),
        "generator": draw(st.sampled_from(["g", "h"])),
        "repeat": draw(st.integers(0, 3)),
        "gold": draw(st.none() | st.sampled_from(["p1", "p2"])),
        "answerable": answerable,
        "verdict": "judged" if judged else "unparsed",
        "correct": draw(flag) if judged else None,
        "grounded": draw(flag) if judged else None,
        "retrieved": draw(flag) if answerable else None,
        "abstained": draw(flag),
    }


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(
        valid_rows(),
        min_size=1,
        max_size=12,
        unique_by=lambda r: tuple(str(r[n]) for n in ("question", "retriever", "generator", "repeat")),
    )
)
def test_written_and_read_again_it_is_the_same_table(rows, tmp_path_factory):
    table = runs.table(rows)
    folder = tmp_path_factory.mktemp("runs")
    for name in ("t.jsonl", "t.parquet"):
        pd.testing.assert_frame_equal(runs.read(runs.write(table, folder / name)), table)
    assert len(table) == len(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct": None}, "needs correct and grounded"),
        ({"verdict": "unparsed"}, "neither correct nor grounded"),
        ({"retrieved": None}, "needs retrieved"),
        ({"answerable": False}, "has no retrieved"),
        ({"answerable": False, "retrieved": None}, "needs abstained"),
        ({"question": " "}, "must not be blank"),
        ({"colour": "red"}, "colour"),
        ({"verdict": "perhaps"}, "verdict"),
    ],
)
def test_an_inconsistent_row_is_refused_with_its_number(change, message):
    with pytest.raises(DataError, match=r"run 2: .*" + message):
        runs.table([row(), row(**{"question": "q2", **change})])


def test_a_double_row_and_an_empty_table_are_refused():
    with pytest.raises(DataError, match=r"2 rows share a key, for example question=q1"):
        runs.table([row(), row(correct=False)])
    with pytest.raises(DataError, match="empty"):
        runs.table([])
    assert len(runs.table([row(), row(repeat=1)])) == 2


def test_unparsed_verdicts_are_counted_one_way_or_the_other_and_never_dropped():
    table = runs.table([row(), row("q2", verdict="unparsed", correct=None, grounded=None)])
    assert runs.outcome(table, "correct").tolist() == [1.0, 0.0]
    assert runs.outcome(table, "correct", unparsed="right").tolist() == [1.0, 1.0]


def test_unanswerable_questions_do_not_slip_into_a_rate():
    table = runs.table([row(), row("q2", answerable=False, retrieved=None, abstained=True)])
    with pytest.raises(DataError, match="tabled apart"):
        runs.outcome(table, "correct")
    assert runs.answerable(table)["question"].tolist() == ["q1"]


def test_wide_is_complete_or_says_what_is_missing():
    full = [row(q, r) for q in ("q1", "q2") for r in ("a", "b")]
    assert runs.wide(runs.table(full), "correct").shape == (2, 2)
    with pytest.raises(DataError, match="question q2 has no run"):
        runs.wide(runs.table(full[:-1]), "correct")
    repeats = runs.table([row(), row(repeat=1, correct=False)])
    with pytest.raises(ParameterError, match="one answer a question"):
        runs.binary(runs.wide(repeats, "correct"))


def test_files_that_cannot_be_read_say_so(tmp_path: Path):
    for name, content, message in (
        ("a.csv", "x", "jsonl or .parquet"),
        ("b.jsonl", "{oops", "line 1: not JSON"),
        ("c.parquet", "no parquet", "cannot be read"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=message):
            runs.read(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        runs.read(tmp_path / "missing.jsonl")


def test_invented_runs_are_what_they_say():
    frame = runs.simulated(questions=300, seed=1)
    assert frame.equals(runs.simulated(questions=300, seed=1))
    known = runs.answerable(frame)
    assert known["question"].nunique() == 300
    assert frame["question"].nunique() == 306
    found = known.groupby("retriever")["retrieved"].mean().astype(float)
    assert (found["oracle"], found["closed book"]) == (1.0, 0.0)
    assert found["weak"] < found["middling"] < found["strong"]
    grounded = known.groupby("generator")["grounded"].mean().astype(float)
    assert grounded["two"] > grounded["one"] + 0.1
    assert known.groupby(["question", "retriever", "phrasing"])["retrieved"].nunique().eq(1).all()


@pytest.mark.parametrize("name", ["judge", "chunker", "phrasing"])
def test_runs_entered_again_under_another_name_are_not_pooled(name: str):
    rows = [row(q, r, g) for q in "abcd" for r in ("alpha", "beta") for g in ("one", "two")]
    once = runs.table({**each, name: "first"} for each in rows)
    twice = runs.table({**each, name: level} for each in rows for level in ("first", "second"))
    assert runs.wide(once, "correct").shape == (4, 4)
    with pytest.raises(ParameterError, match=f"2 values of {name}: 'first', 'second'") as caught:
        runs.wide(twice, "correct")
    assert f"frame[\"{name}\"] == 'first'" in str(caught.value.hint)
    assert runs.wide(twice, "correct", [name, "retriever", "generator"]).shape == (4, 8)
    kept = twice[twice[name] == "first"].reset_index(drop=True)
    pd.testing.assert_frame_equal(runs.wide(kept, "correct"), runs.wide(once, "correct"))


# --- released_format --------------------------------------------------------------------------------------------------

RECORD = {
    "question_id": 7,
    "embedder": "Kanon 2",
    "generator": "GPT-5.2",
    "relevant_passage_id": "2.1-c1-s1",
    "retrieved_passages": [{"id": "1.2.1-c1-s1"}, {"id": "4"}],
    "judgement": {"correct": True, "grounded": False, "reasoning": "…"},
}


def written(folder: Path, *records: object) -> Path:
    path = folder / "results.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n", "utf-8")
    return path


def test_a_released_file_becomes_the_tidy_table(tmp_path: Path):
    other = {**RECORD, "question_id": "8", "judgement": None, "retrieved_passages": ["2.1-c1-s1"]}
    found = released_format.read(written(tmp_path, RECORD, other))
    first, second = found.runs.to_dict("records")
    assert (first["question"], first["correct"], first["grounded"], first["retrieved"]) == ("7", True, False, False)
    assert (second["verdict"], second["retrieved"]) == ("unparsed", True)
    assert pd.isna(second["correct"])
    assert (found.substring_hits, found.unparsed) == (1, 1)  # 2.1-c1-s1 inside 1.2.1-c1-s1


def test_k_cuts_the_passages_and_numbers_match_strings(tmp_path: Path):
    record = {**RECORD, "relevant_passage_id": 4}
    assert released_format.read(written(tmp_path, record)).runs["retrieved"].tolist() == [True]
    assert released_format.read(written(tmp_path, record), k=1).runs["retrieved"].tolist() == [False]


def test_ids_are_believed_before_a_flag_and_disagreement_is_told(tmp_path: Path):
    """The released code's flag goes by substring; another one is simply wrong, a third agrees."""
    flags = [
        {**RECORD, "question_id": 1, "retrieval_accurate": True},  # 2.1-c1-s1 inside 1.2.1-c1-s1
        {**RECORD, "question_id": 2, "hit": True, "retrieved_passages": ["4", "5"]},
        {**RECORD, "question_id": 3, "hit": True, "retrieved_passages": ["4", "2.1-c1-s1"]},
        {**RECORD, "question_id": 4, "hit": False, "retrieved_passages": ["4", "2.1-c1-s1"]},
    ]
    found = released_format.read(written(tmp_path, *flags))
    assert found.runs["retrieved"].tolist() == [False, False, True, True]
    assert (found.substring_hits, found.flag_disagrees, found.explained_by_substring) == (1, 3, 1)
    first = released_format.read(written(tmp_path, *flags), k=1)
    assert first.runs["retrieved"].tolist() == [False, False, False, False]
    assert first.flag_disagrees == 3  # k is ours, not the flag's
    believed = released_format.read(written(tmp_path, *flags), Columns(passages=()))
    assert believed.runs["retrieved"].tolist() == [True, True, True, False]
    assert released_format.read(written(tmp_path, *flags), retrieved=True).runs["retrieved"].all()


def test_a_flag_alone_cannot_be_cut_at_k(tmp_path: Path):
    record = {name: value for name, value in RECORD.items() if name != "retrieved_passages"} | {"hit": True}
    assert released_format.read(written(tmp_path, record)).runs["retrieved"].tolist() == [True]
    with pytest.raises(DataError, match=r"line 1: a flag and no ids, so the first 3"):
        released_format.read(written(tmp_path, record), k=3)


def test_the_id_of_a_run_is_not_taken_for_the_question(tmp_path: Path):
    record = {name: value for name, value in RECORD.items() if name != "question_id"}
    nested = {**record, "id": "run-17", "question": {"id": "q9"}}
    plain = {**record, "id": "q10", "question": "Who?"}
    blank = {**record, "id": "q11", "question_id": None}
    found = released_format.read(written(tmp_path, nested, plain, blank))
    assert found.runs["question"].tolist() == ["q9", "q10", "q11"]
    with pytest.raises(DataError, match="no question under"):
        released_format.read(written(tmp_path, {**record, "question": None}))
    with pytest.raises(DataError, match="no generator under"):
        released_format.read(written(tmp_path, {**RECORD, "generator": None}))


def test_other_names_and_constants(tmp_path: Path):
    record = {"n": "q", "verdicts": {"c": "yes", "g": 0}, "found": 1}
    columns = Columns(question=("n",), correct=("verdicts.c",), grounded=("verdicts.g",), retrieved=("found",))
    found = released_format.read(
        written(tmp_path, record), columns, retriever="BM25", generator="mine", phrasing="plain"
    )
    assert found.runs[["retriever", "generator", "phrasing", "correct", "grounded"]].iloc[0].tolist() == [
        "BM25",
        "mine",
        "plain",
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"judgement": {"correct": True}}, "no grounded under"),
        ({"judgement": {"correct": "perhaps", "grounded": True}}, "neither true, false nor null"),
        ({"relevant_passage_id": None}, "no gold passage"),
        ({"retrieved_passages": "4"}, "not a list"),
        ({"retrieved_passages": [{"text": "…"}]}, "has no id"),
    ],
)
def test_what_cannot_be_mapped_is_refused_by_line(tmp_path: Path, change, message):
    with pytest.raises(DataError, match=r"results.jsonl, line 2: .*" + message):
        released_format.read(written(tmp_path, RECORD, {**RECORD, "question_id": 9, **change}))


def test_bad_files_and_constants(tmp_path: Path):
    with pytest.raises(DataError, match="not a JSON object"):
        released_format.read(written(tmp_path, [1]))
    with pytest.raises(DataError, match="cannot be read"):
        released_format.read(tmp_path / "none.jsonl")
    with pytest.raises(ParameterError, match="colour"):
        released_format.read(written(tmp_path, RECORD), colour="red")
    half = {**RECORD, "judgement": {"correct": True, "grounded": None}}
    assert released_format.read(written(tmp_path, half)).unparsed == 1
