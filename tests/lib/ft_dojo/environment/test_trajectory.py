"""Reading a run again: what the journal says, what is drawn of it, and its export to ATIF."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played_run import CLEAN
from pydantic import ValidationError
from scipy.stats import binomtest

from triptych import tables
from triptych.errors import DataError
from triptych.ft_dojo import trajectory, trajectory_atif, trajectory_view
from triptych.ft_dojo.environment.actions import ABTest, Evaluate, Inspect, RunDataScript, Submit, Train
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.trainer import TrainSpec

NASTY = "<script>alert('run')</script>"
SPEC = TrainSpec(steps=4, batch=8, learning_rate=2e-3)
pytestmark = pytest.mark.usefixtures("isolated")


@pytest.fixture
def run(begin: Callable[..., Session], tmp_path: Path) -> Path:
    """The folder of a run with an error, a malformed action, language-model calls and two data sets."""
    session = begin(nominal_cpu=5.0)
    session.step(Inspect(path="/etc/passwd"))
    longer = CLEAN.replace('row["answer"].strip()', 'row["answer"].strip() and len(row["question"]) > 40')
    names = [str(session.step(RunDataScript(code=f"# {NASTY}\n{code}")).result["data"]) for code in (CLEAN, longer)]
    session.charge_llm(120, 0.002)
    session.charge_llm(30, 0.001)
    session.step(NASTY)
    session.step(Train(spec=SPEC, data=names[1], micro=True))
    model = str(session.step(Train(spec=SPEC, data=names[0])).result["model"])
    session.step(Evaluate(model=model, n=30))
    session.step(ABTest(factor="learning_rate", arms=[1e-3, 2e-3], seeds=[1], spec=SPEC, data=names[0], n=10))
    assert session.step(Submit(model=model)).ok
    session.close()
    (tmp_path / "run" / trajectory.NOTES).write_text(
        json.dumps({"before": 2, "kind": "hypothesis", "text": f"rows are dirty {NASTY}"}) + "\n" + '{"cut'
    )
    return tmp_path / "run"


def test_what_is_read_is_what_the_journal_says(run: Path) -> None:
    read = trajectory.read(run)
    assert [step.outcome.step for step in read.steps] == list(range(1, 12))
    frame = read.timeline
    assert frame["error"].iloc[0] == "path" and list(frame["action"])[5] == "malformed"
    assert read.flags == ("path_escape",)
    spent = math.fsum(step.outcome.charged.nominal_cpu for step in read.steps)
    assert frame["start"].iloc[-1] + frame["nominal"].iloc[-1] == pytest.approx(spent)
    assert frame["wall"].isna().sum() == 2, "a language-model call has no clock of the environment"
    left = read.budgets[read.budgets["budget"] == "nominal_cpu"]["share"]
    assert left.iloc[-1] == pytest.approx(1 - spent / 5.0)
    assert list(read.evaluations["n"]) == [30, 10, 10]
    assert set(read.curves["micro"]) == {True, False}
    assert len(read.curves[~read.curves["micro"].astype(bool)]) == 4
    assert read.steps[1].notes[0].kind == "hypothesis"
    ((before, after, diff),) = read.diffs()
    rows = [Counter(read.data(name)) for name in (before, after)]
    assert Counter(diff.removed) == rows[0] - rows[1] and not rows[1] - rows[0]
    assert not diff.added and not diff.changed and diff.kept == rows[1].total()
    assert read.wrong()[0][1].keys() == {"prompt", "answered", "expected"}


def test_what_is_drawn_escapes_every_text(run: Path) -> None:
    read = trajectory.read(run)
    page = trajectory_view.html(read)
    assert NASTY not in page and "&lt;script&gt;" in page

    class Tags(HTMLParser):
        open: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag != "script"
            addresses = [value for name, value in attrs if name in ("src", "href")]
            assert all(str(value).startswith("data:") for value in addresses), "nothing is fetched"

    Tags().feed(page)
    assert page == trajectory_view.html(trajectory.read(run)), "same run, same bytes"
    assert list(trajectory_view.table(read)["step"]) == list(range(1, 12))
    pane = trajectory_view.widget(read).children[0]
    pane.children[0].value = 2
    assert "hypothesis" in pane.children[1].value and NASTY not in pane.children[1].value


def test_an_export_is_atif_and_keeps_secrets(run: Path) -> None:
    read = trajectory.read(run)
    made = trajectory_atif.export(read, "by hand", "do it", "some-model")
    raw = json.loads(made.json_text())
    assert trajectory_atif.AtifTrajectory.model_validate(raw) == made
    assert raw["schema_version"] == "ATIF-v1.7" and len(raw["steps"]) == 10
    assert "private" not in made.json_text() and '"select"' not in made.json_text()
    calls = [step.get("llm_call_count") for step in raw["steps"][1:]]
    assert calls == [0, 0, 0, 2, 0, 0, 0, 0, 0]
    assert raw["steps"][4]["message"] == NASTY and raw["steps"][4]["metrics"]["extra"] == {
        "tokens": 150,
        "money": 0.003,
    }
    assert raw["final_metrics"]["extra"]["llm_tokens"] == 150
    kinds = {tool["function"]["name"] for tool in raw["agent"]["tool_definitions"]}
    assert {call["function_name"] for step in raw["steps"][1:] for call in step.get("tool_calls", [])} <= kinds


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (1, {"step_id": 7}),
        (1, {"source": "user"}),
        (1, {"colour": "red"}),
        (1, {"timestamp": "yesterday"}),
        (1, {"llm_call_count": -1}),
        (1, {"metrics": {"prompt_tokens": 3}}),
        (1, {"reasoning_content": "because"}),
        (1, {"observation": {"results": [{"source_call_id": "call-99", "content": ""}]}}),
        (0, {"message": None}),
    ],
)
def test_a_document_that_breaks_a_rule_of_atif_is_refused(run: Path, place: int, change: dict[str, object]) -> None:
    raw = json.loads(trajectory_atif.export(trajectory.read(run), "by hand", "do it").json_text())
    raw["steps"][place] |= change
    with pytest.raises(ValidationError):
        trajectory_atif.AtifTrajectory.model_validate(raw)


def test_what_is_no_run_and_what_was_changed(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no run"):
        trajectory.read(tmp_path)
    shutil.rmtree(run / "data")
    with pytest.raises(DataError, match="is gone"):
        trajectory.read(run).diffs()
    path = run / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"inspect", b"INSPECT"))
    with pytest.raises(DataError, match="tampered"):
        trajectory.read(run)


pairs = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=12)


@given(pairs, pairs)
def test_a_difference_accounts_for_every_row(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    diff = trajectory.difference(before, after)
    changed = Counter((prompt, old) for prompt, old, _ in diff.changed)
    kept = Counter(before) & Counter(after)
    assert diff.kept == kept.total()
    assert Counter(before) - kept == Counter(diff.removed) + changed
    assert Counter(after) - kept == Counter(diff.added) + Counter((prompt, new) for prompt, _, new in diff.changed)
    assert not {prompt for prompt, _ in diff.added} & {prompt for prompt, _ in diff.removed}


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_is_wilsons_and_its_rounding(counts: tuple[int, int]) -> None:
    right, n = counts
    low, high = trajectory.interval(right / n, n)
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert low == pytest.approx(max(expected.low - 0.005, 0), abs=1e-9)
    assert high == pytest.approx(min(expected.high + 0.005, 1), abs=1e-9)


def test_a_fragment_is_a_result(tmp_path: Path) -> None:
    path = tables.write("<p>what was done</p>", tmp_path / "trajectory.html")
    assert tables.read(path) == "<p>what was done</p>\n"
    for value, name in (({"a": 1}, "trajectory.html"), ("<p>", "facts.json")):
        with pytest.raises(TypeError, match=name):
            tables.write(value, tmp_path / name)
