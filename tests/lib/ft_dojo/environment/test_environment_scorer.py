"""The scorer answers to a submission's id and to nothing else, from a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triptych.ft_dojo import tasks
from triptych.ft_dojo.environment import scorer
from triptych.ft_dojo.environment.scorer import Submission
from triptych.ft_dojo.environment.scoring import ScoringClient
from triptych.ft_dojo.environment.task_folder import TaskFolder
from triptych.ft_dojo.environment.weakness import Weakness


@pytest.fixture
def client(tmp_path: Path, write: Callable[..., TaskFolder]) -> Iterator[ScoringClient]:
    made = ScoringClient(write(), tmp_path / "submissions")
    yield made
    made.close()


def _gold(made: tasks.Task, split: str) -> list[str]:
    return [item.answer for item in made.splits[split]]


def test_gold_scores_one_and_nothing_scores_nothing(client: ScoringClient, made: tasks.Task) -> None:
    assert client.score("select", _gold(made, "select")).score == 1.0
    assert client.score("select", [""] * 30).score == 0.0
    half = _gold(made, "select")[:15] + ["no"] * 15
    assert client.score("select", half).score == 0.5


def test_val_is_rounded_and_shows_ten_wrong_items_at_most(client: ScoringClient, made: tasks.Task) -> None:
    gold = _gold(made, "val")
    result = client.score("val", [*gold[:2], "no"])
    assert result.score == 0.67
    assert [row["expected"] for row in result.wrong] == [gold[2]]
    assert len(client.score("val", ["no"] * 40).wrong) == 10


def test_test_is_scored_once(client: ScoringClient, made: tasks.Task, tmp_path: Path) -> None:
    first = client.score("test", ["no"] * 30)
    assert first.score == 0.0
    assert client.score("test", ["no"] * 30) == first, "after a crash the same submission may be asked again"
    assert client.score("test", _gold(made, "test")).refused == "test is scored once"
    client.close()
    assert client.score("test", _gold(made, "test")).refused, "a new process remembers"
    weak = ScoringClient(client.task, tmp_path / "submissions", frozenset({Weakness.TEST_RESCORED}))
    assert weak.score("test", _gold(made, "test")).score == 1.0
    weak.close()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "test",
        "../gold/test",
        "0" * 31,
        "0" * 32,
        "G" * 32,
        '{"split":"test"}',
        "0" * 63,
        "\u0660" * 32,
        "A" * 32,
        "0" * 9999,
    ],
)
def test_only_an_id_is_understood(client: ScoringClient, line: str) -> None:
    result = client.ask(line)
    assert result.score is None and result.refused and not result.wrong


def test_a_submission_that_is_not_what_its_id_says_is_refused(client: ScoringClient, made: tasks.Task) -> None:
    honest, other = (
        Submission(split="select", answers=["no"] * 30),
        Submission(split="select", answers=_gold(made, "select")),
    )
    client.submissions.mkdir(exist_ok=True)
    (client.submissions / f"{honest.id}.json").write_bytes(other.raw())
    assert client.ask(honest.id).refused == "the submission is not what its id says"
    for raw in (b"\x80\x04.", b"[" * 50_000, b'{"split":"train","answers":["a"]}', b'{"split":"val","answers":[1]}'):
        name = scorer.submission_id(raw)
        (client.submissions / f"{name}.json").write_bytes(raw)
        assert client.ask(name).refused == "no such submission"


def test_too_many_or_no_answers_are_refused(client: ScoringClient) -> None:
    assert "31 answers for 30 items" in client.score("select", ["no"] * 31).refused
    assert client.score("val", []).refused


def test_it_is_another_process_and_another_user(client: ScoringClient) -> None:
    assert client.ask("x").refused
    process = client._process
    assert process is not None and process.pid != os.getpid()
    status = Path(f"/proc/{process.pid}/status").read_text()
    if os.geteuid() == 0:
        assert f"Uid:\t{scorer.SCORER_UID}\t{scorer.SCORER_UID}" in status
        gold = client.task.hidden / "gold"
        assert {path.stat().st_uid for path in (gold, *gold.iterdir())} == {scorer.SCORER_UID}
    assert (client.task.hidden / "gold").stat().st_mode & 0o077 == 0
