"""The online route on a made-up local file: dealing, pins, and every way it can go wrong."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from triptych import data
from triptych.errors import DataError, ParameterError
from triptych.ft_dojo.tasks import SPLITS, online
from triptych.ft_dojo.tasks.online import Pin

SIZES = {"train": 40, "val": 6, "select": 6, "test": 2}
COLUMNS = {"question": "problem", "answer": "answer"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    rows = [{"problem": f"What is {n} plus {n}?", "answer": str(2 * n), "solution": "add"} for n in range(120)]
    rows += [{"problem": f"Empty {n}", "answer": None, "solution": ""} for n in range(20)]
    rows += [{"problem": "what is  3 plus 3?", "answer": "6", "solution": "the same question again"}]
    path = tmp_path / "deepscaler.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def _pin(path: Path) -> Pin:
    return Pin(sha256=data.sha256(path))


def test_a_local_file_becomes_a_task_of_the_same_layout(file: Path) -> None:
    task = online.make("math", 0, _pin(file), path=file, sizes=SIZES)
    assert {split: len(task.splits[split]) for split in SPLITS[1:]} == {s: SIZES[s] for s in SPLITS[1:]}
    assert len(task.public) == SIZES["train"]
    assert task.planted == ()
    for position, one in enumerate(SPLITS):
        for other in SPLITS[position + 1 :]:
            assert not {item.key for item in task.splits[one]} & {item.key for item in task.splits[other]}
    for items in task.splits.values():
        for item in items:
            words = item.question.rstrip("?").split()
            assert int(item.answer) == int(words[2]) + int(words[4])
    assert task.score([item.answer for item in task.splits["val"]], "val") == 1
    again = online.make("math", 0, _pin(file), path=file, sizes=SIZES)
    assert task.jsonl("test") == again.jsonl("test")
    assert task.public_jsonl() == again.public_jsonl()


def test_options_may_be_named_by_text_or_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "finance.jsonl"
    rows = [{"q": f"question {n}", "a": "B" if n % 2 else "yes", "o": ["yes", "no"]} for n in range(150)]
    rows += [{"q": f"bad {n}", "a": "perhaps", "o": ["yes", "no"]} for n in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    columns = {"question": "q", "answer": "a", "options": "o"}
    task = online.make("finance", 1, _pin(path), columns, SIZES, path=path)
    for split in SPLITS[1:]:
        for item in task.splits[split]:
            assert item.question.startswith("question")
            assert item.answer == ("no" if int(item.question.split()[1]) % 2 else "yes")


def test_what_is_not_known_must_be_given(file: Path) -> None:
    with pytest.raises(ParameterError, match="revision, sha256 not known"):
        online.make("math", 0)
    with pytest.raises(ParameterError, match="repository, revision, file, sha256 not known"):
        online.make("patent_par4pc", 0)
    with pytest.raises(ParameterError, match="columns hold question and answer"):
        online.make("finance", 0, _pin(file), path=file)
    with pytest.raises(ParameterError, match="poetry"):
        online.make("poetry", 0)


def test_wrong_bytes_columns_kinds_and_sizes_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not the pinned file"):
        online.make("math", 0, Pin(sha256="0" * 64), path=file)
    with pytest.raises(DataError, match="is no file"):
        online.make("math", 0, _pin(file), path=tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match="no column 'title'") as error:
        online.make("math", 0, _pin(file), {"question": "title"}, path=file)
    assert "problem" in (error.value.hint or "")
    with pytest.raises(ParameterError, match="cannot have 500 items"):
        online.make("math", 0, _pin(file), path=file, sizes={**SIZES, "test": 500})
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{not json", "utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        online.make("math", 0, _pin(broken), path=broken)
    odd = tmp_path / "data.xml"
    odd.write_text("<x/>", "utf-8")
    with pytest.raises(DataError, match="of no kind"):
        online.make("math", 0, _pin(odd), path=odd)


def test_without_a_network_the_error_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))

    def unreachable(*_: object, **named: object) -> str:
        assert named["revision"] == "0" * 40
        raise httpx.ConnectError("no route")

    monkeypatch.setattr("huggingface_hub.HfApi.hf_hub_download", unreachable)
    with pytest.raises(DataError, match=r"could not download deepscaler\.json"):
        online.make("math", 0, Pin(revision="0" * 40, sha256="0" * 64))


def test_a_download_is_verified_and_kept(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(_: object, repository: str, name: str, **named: object) -> str:
        asked.append(repository)
        return str(file)

    monkeypatch.setattr("huggingface_hub.HfApi.hf_hub_download", download)
    pin = Pin(revision="0" * 40, file="deepscaler.jsonl", sha256=data.sha256(file))
    first = online.make("math", 0, pin, sizes=SIZES)
    assert online.make("math", 0, pin, sizes=SIZES).jsonl("test") == first.jsonl("test")
    assert asked == ["agentica-org/DeepScaleR-Preview-Dataset"]
    with pytest.raises(DataError, match="not the pinned file"):
        online.make("math", 0, Pin(revision="0" * 40, sha256="1" * 64))
