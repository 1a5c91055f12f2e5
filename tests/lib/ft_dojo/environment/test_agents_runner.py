"""The runner: rows by content, interruptions, crashes, lost workers, and what a row says against the journal."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from pydantic import JsonValue
from test_agents_models import Server

from triptych.errors import ParameterError
from triptych.ft_dojo import tasks, tiny, trajectory
from triptych.ft_dojo.agents import roster, runner
from triptych.ft_dojo.agents.models import ToolAgent, reached
from triptych.ft_dojo.agents.plan import Agent, Verdict
from triptych.ft_dojo.environment.actions import Inspect, Stop
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.trainer import TrainSpec
from triptych.llm import Answer, Client, Message, Price

SMALL = tiny.TinySpec(
    hidden=16, layers=1, heads=2, feed_forward=32, train=TrainSpec(steps=4, batch=4, learning_rate=3e-3)
)
SIZES = {"train": 200, "val": 40, "select": 30, "test": 30}
HERE = __name__
pytestmark = pytest.mark.usefixtures("isolated")


class Looker:
    """Looks once and stops; does something else first when its options say so."""

    name, proposer = "looker", "none"

    def __init__(self, act: str, marker: str) -> None:
        self.act, self.marker = act, Path(marker)

    def play(self, session: Session) -> Verdict:
        session.step(Inspect(path="instruction.md"))
        first = not self.marker.exists()
        with self.marker.open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
        if self.act == "crash":
            raise ZeroDivisionError("the agent fell over")
        if self.act == "interrupt" and first:
            raise KeyboardInterrupt
        if self.act == "die always" or (self.act == "die" and first):
            os.kill(os.getpid(), signal.SIGKILL)
        session.step(Stop(reason="seen enough"))
        return Verdict(agent=self.name, proposer=self.proposer, ended="stopped", model=None, reward=0.0, reason="seen")


def looker(place: roster.Place) -> Agent:
    return Looker(str(place.options["act"]), str(place.options["marker"]))


@pytest.fixture(autouse=True)
def small(base: tiny.Base, worker: TrainingWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small base of these tests, found where `base` was made, and the one worker that they share."""
    monkeypatch.setenv("TRIPTYCH_CACHE", str(base.folder.parents[1]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(runner, "_worker", lambda folder: (worker, threading.Lock()))


def job(agent: str, seed: int = 0, **more: object) -> runner.Job:
    limits = Limits(nominal_cpu=2.5, evaluations=6, actions=40)
    return runner.Job(task="finance", agent=agent, seed=seed, base=SMALL, sizes=SIZES, limits=limits, **more)


def looking(tmp_path: Path, act: str, seed: int = 0) -> runner.Job:
    return job(f"{HERE}:looker", seed, options={"act": act, "marker": str(tmp_path / f"{act} {seed}")})


def times(tmp_path: Path, act: str, seed: int = 0) -> int:
    """How often an agent was played."""
    return len((tmp_path / f"{act} {seed}").read_text().splitlines())


def test_a_row_says_what_the_journal_says_and_a_second_sweep_plays_nothing(tmp_path: Path) -> None:
    wanted, seen = [job("default"), job("base"), job("default")], list[runner.Progress]()
    rows = runner.sweep(wanted, folder=tmp_path / "runs", on_row=seen.append)
    assert [progress.done for progress in seen] == [1, 2] and seen[0].total == 2 and seen[0].left is not None
    assert str(seen[1]).startswith("2 of 2")
    assert list(rows["agent"]) == ["default", "base", "default"] and rows.iloc[0].equals(rows.iloc[2])
    one = rows.iloc[0]
    run = trajectory.read(runner.trajectory_folder(one["run"], tmp_path / "runs"))
    made = tasks.make("finance", 0, SIZES)
    assert one["normalised"] == pytest.approx(made.normalised(one["test"]), abs=1e-3)
    assert one["seconds"] == pytest.approx(sum(step.outcome.charged.nominal_cpu for step in run.steps))
    assert one["trainings"] == 1 and one["evaluations"] == 1 and one["actions"] == len(run.steps)
    assert one["wasted"] == 0 and one["cpu"] > 0 and not one["flags"] and one["ended"] == "submitted"
    assert 0 <= one["val"] <= 1 and pd.isna(rows.iloc[1]["val"])
    again = runner.sweep(wanted, folder=tmp_path / "runs", on_row=lambda progress: pytest.fail(str(progress)))
    pd.testing.assert_frame_equal(rows, again)
    rows.to_parquet(tmp_path / "rows.parquet")
    known = pd.read_parquet(tmp_path / "rows.parquet")
    replayed = runner.sweep(
        wanted, folder=tmp_path / "elsewhere", known=known, on_row=lambda progress: pytest.fail(str(progress))
    )
    pd.testing.assert_frame_equal(rows, replayed)


def test_the_same_job_twice_is_the_same_run_and_keys_tell_what_differs(tmp_path: Path) -> None:
    one, two = (runner.play(job("FT-Agent"), tmp_path / name) for name in ("one", "two"))
    measured = {"cpu", "wall"}
    assert one.model_dump(exclude=measured) == two.model_dump(exclude=measured) and one.trajectory
    others = [
        job("FT-Agent", 1), job("general agent"), job("FT-Agent", reserved=True), job("FT-Agent", options={"a": 1}),
        job("FT-Agent").model_copy(update={"limits": Limits(nominal_cpu=3.0)}),
    ]  # fmt: skip
    assert len({one.key, *(other.key for other in others)}) == 6
    assert runner.Job.model_validate_json(job("FT-Agent").model_dump_json()).key == one.key


def test_two_who_want_the_same_job_play_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, played, play = threading.Event(), threading.Event(), list[Path](), vars(runner)["_play"]

    def held(one: runner.Job, own: Path) -> runner.Row:
        played.append(own)
        begun.set()
        assert go_on.wait(60)
        return play(one, own)

    monkeypatch.setattr(runner, "_play", held)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(runner.play, job("base"), tmp_path)
        assert begun.wait(60)
        second = pool.submit(runner.play, job("base"), tmp_path)
        go_on.set()
        assert first.result() == second.result() and len(played) == 1


def test_a_key_depends_on_its_own_agents_code_and_on_no_other() -> None:
    ft = {path.name for path in runner.code_files(roster.maker("FT-Agent"))}
    default = {path.name for path in runner.code_files(roster.maker("default"))}
    assert {"ft_agent.py", "rules.py", "feedback.py", "session.py", "base.py", "trainer.py"} <= ft
    assert "baselines.py" in default and not default & {"ft_agent.py", "rules.py", "feedback.py"}
    assert not (ft | default) & {"runner.py", "roster.py", "keys.py"}
    assert Path(__file__) in runner.code_files(looker)


def test_a_crash_leaves_a_row_with_its_cost_and_the_sweep_goes_on(tmp_path: Path) -> None:
    rows = runner.sweep([looking(tmp_path, "crash"), job("base")], folder=tmp_path / "runs")
    crash = rows.iloc[0]
    assert crash["ended"] == "crashed" and "fell over" in crash["reason"] and pd.isna(crash["test"])
    assert crash["seconds"] > 0 and crash["actions"] == 2, "the look, and the end"
    assert rows.iloc[1]["ended"] == "submitted"
    runner.sweep([looking(tmp_path, "crash")], folder=tmp_path / "runs")
    assert times(tmp_path, "crash") == 1, "a crash is a result"


class Falling(ToolAgent):
    """A tool agent whose client breaks after two answers, in a way that nobody foresaw."""

    def __init__(self, client: Client, price: Price | None) -> None:
        super().__init__(client, price)
        self.client, self.inner, self.left = self, client, 2
        self.model, self.defaults = client.model, client.defaults

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        if not self.left:
            raise RuntimeError("out of order")
        self.left -= 1
        return self.inner.ask(messages, **parameters)


def falling(place: roster.Place) -> Agent:
    client, price, _ = reached(place.options)
    return Falling(client, price)


def test_a_models_tokens_are_in_the_row_also_of_a_crash_and_a_replay_pays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    small = tiny.base(SMALL)
    monkeypatch.setattr(runner, "_base", lambda spec: small)
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    look = {"kind": "inspect", "path": "instruction.md"}
    server.reply = lambda turn: json.dumps(
        {"kind": "stop", "reason": "enough"} if turn == 5 else {**look, "start": turn}
    )
    options = {"model": "some-model", "url": server.address, "prompt_price": 1.0, "completion_price": 2.0}
    crash = runner.play(job(f"{HERE}:falling", options=options), tmp_path / "runs")
    assert crash.ended == "crashed" and "out of order" in crash.reason
    assert crash.tokens == 2 * sum(server.usage.values()) and server.answered == 2
    assert crash.money == pytest.approx(2 * (40 * 1.0 + 10 * 2.0) / 1e6)
    whole = runner.play(job("tool agent", options=options), tmp_path / "runs")
    assert whole.ended == "stopped" and server.answered == 5, "two questions were remembered"
    assert whole.tokens == 5 * sum(server.usage.values()) and whole.proposer == "model some-model"
    server.close()
    kept = str(tmp_path / "cache" / "ft_dojo" / "answers.jsonl")
    replayed = runner.play(job("tool agent", options={**options, "answers": kept}), tmp_path / "runs")
    assert replayed.trajectory == whole.trajectory and replayed.proposer == "recorded some-model"
    with pytest.raises(ParameterError, match="model"):
        reached({})


@pytest.mark.parametrize("prices", [(None, None), (0.0, 0.0), (1.0, 2.0)], ids=["unknown", "free", "paid"])
def test_money_is_blank_where_nobody_said_a_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prices: tuple[float | None, float | None]
) -> None:
    server, small = Server(), tiny.base(SMALL)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    monkeypatch.setattr(runner, "_base", lambda spec: small)
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    plan = {"factor": "data", "direction": "up", "mechanism": "cleaner", "falsifier": "val falls", "stop": True}
    server.reply = lambda turn: json.dumps(plan)
    named = dict(zip(("prompt_price", "completion_price"), prices, strict=True))
    options = {
        "model": "some-model",
        "url": server.address,
        **{name: price for name, price in named.items() if price is not None},
    }
    rows = runner.sweep([job("FT-Agent (model)", options=options), job("base")], folder=tmp_path / "runs")
    server.close()
    assert list(rows["proposer"]) == ["model some-model", rows.iloc[1]["proposer"]], "the roster's own agent"
    assert list(rows["ended"]) == ["submitted"] * 2 and "nothing that seems worth" in rows.iloc[0]["reason"]
    assert rows.iloc[0]["tokens"] == 50 and rows["money"].dtype == float and rows.iloc[1]["money"] == 0
    wanted = None if prices[0] is None else (40 * prices[0] + 10 * prices[1]) / 1e6
    assert pd.isna(rows.iloc[0]["money"]) if wanted is None else rows.iloc[0]["money"] == pytest.approx(wanted)
    again = runner.sweep([job("FT-Agent (model)", options=options)], folder=tmp_path / "other", known=rows)
    assert pd.isna(again.iloc[0]["money"]) == (wanted is None)


@pytest.mark.parametrize(
    "prices", [{"prompt_price": 1.0}, {"completion_price": 1.0}, {"prompt_price": -1.0, "completion_price": 1.0},
               {"prompt_price": "much", "completion_price": 1.0}], ids=str,
)  # fmt: skip
def test_half_a_price_is_none(prices: dict[str, JsonValue]) -> None:
    with pytest.raises(ParameterError, match="for a million tokens"):
        reached({"model": "some-model", **prices})


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    wanted = [looking(tmp_path, "go"), looking(tmp_path, "interrupt")]
    with pytest.raises(KeyboardInterrupt):
        runner.sweep(wanted, folder=tmp_path / "runs")
    rows = runner.sweep(wanted, folder=tmp_path / "runs")
    assert list(rows["ended"]) == ["stopped", "stopped"] and times(tmp_path, "go") == 1
    assert list(rows["actions"]) == [2, 2], "the look before the interruption is not paid twice"
    assert len(runner.sweep([looking(tmp_path, "go", 5)], folder=tmp_path / "runs", minutes=0)) == 0


def test_new_code_that_does_the_same_takes_the_old_run_and_other_code_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = looking(tmp_path, "go")
    old = runner.play(wanted, tmp_path / "runs")
    trained = job("default")
    first = runner.play(trained, tmp_path / "runs")
    monkeypatch.setattr(runner, "_code", lambda maker: "newer code")
    new, second = (
        runner.play(one.model_copy(), tmp_path / "runs") for one in (looking(tmp_path, "go"), job("default"))
    )
    assert new.key != old.key and new.model_dump(exclude={"key"}) == old.model_dump(exclude={"key"})
    assert second.model_dump(exclude={"key"}) == first.model_dump(exclude={"key"}), "nothing was trained again"
    monkeypatch.setattr(runner, "_code", lambda maker: "code that thinks otherwise")
    monkeypatch.setattr(Looker, "play", lambda self, session: Verdict(
        agent="looker", proposer="none", ended="stopped", model=None, reward=0.0,
        reason=str(session.step(Stop(reason="nothing to see")).done),
    ))  # fmt: skip
    other = runner.play(looking(tmp_path, "go"), tmp_path / "runs")
    assert other.actions == 1 and other.reason == "True" and other.trajectory != old.trajectory
    assert len(list((tmp_path / "runs" / other.run).glob("strayed-*/journal.jsonl"))) == 1


@pytest.mark.slow
def test_a_lost_process_loses_nothing_and_a_job_that_always_kills_its_own_gets_a_row(tmp_path: Path) -> None:
    wanted = [looking(tmp_path, "die"), looking(tmp_path, "die always"), looking(tmp_path, "go")]
    rows = runner.sweep(wanted, folder=tmp_path / "runs", processes=2)
    assert list(rows["ended"]) == ["stopped", "lost", "stopped"]
    assert times(tmp_path, "die") == 2 and rows.iloc[0]["actions"] == 2
    assert 1 <= times(tmp_path, "die always") <= runner.LOST and "lost" in rows.iloc[1]["reason"]
    assert rows.iloc[1]["seconds"] > 0, "what was spent before is in the journal"


@pytest.mark.slow
def test_a_dask_worker_that_is_really_killed_hands_its_job_on_and_is_given_up_in_the_end(tmp_path: Path) -> None:
    from dask import config
    from distributed import LocalCluster

    with (
        config.set({"distributed.scheduler.allowed-failures": 1}),  # each worker imports torch: no more than it needs
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
    ):
        job = looking(tmp_path, "die always")
        rows = runner.sweep([job], folder=tmp_path / "runs", scheduler=cluster.scheduler_address)
    assert list(rows["ended"]) == ["lost"] and "workers were lost" in rows.iloc[0]["reason"]
    assert times(tmp_path, "die always") == 2, "another worker was given it"
    assert rows.iloc[0]["actions"] == 1 and rows.iloc[0]["seconds"] > 0, "and went on from the journal"


def test_a_dask_scheduler_plays_and_a_lost_worker_gets_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster
    from distributed.scheduler import KilledWorker

    wanted = [looking(tmp_path, "go", 1), looking(tmp_path, "go", 2)]
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        rows = runner.sweep(wanted, folder=tmp_path / "runs", scheduler=cluster.scheduler_address)
    assert list(rows["ended"]) == ["stopped", "stopped"] and list(rows["actions"]) == [2, 2]

    class Gone:
        """What dask hands back for a task whose workers died too often."""

        def result(self) -> str:
            raise KilledWorker("task", SimpleNamespace(address="tcp://host:1"), 3)

    lost = runner._Dask(None, tmp_path / "runs")._row(looking(tmp_path, "go", 1), Gone())
    assert lost.ended == "lost" and lost.seconds == rows.iloc[0]["seconds"]


def test_wrong_names_and_addresses_say_what_is_right() -> None:
    with pytest.raises(ParameterError, match="tasks: "):
        runner.jobs(["finnance"], ["base"], [0])
    for name in ("best agent", "no.such.module:agent", "triptych.ft_dojo:nothing"):
        with pytest.raises(ParameterError, match="agents: base"):
            runner.jobs(["finance"], [name], [0])
    with pytest.raises(ParameterError, match="dask scheduler"):
        runner.sweep([job("base", 77)], scheduler="tcp://127.0.0.1:9", folder=Path("nowhere"))
    with pytest.raises(ParameterError, match="at least 1"):
        runner.sweep([job("base", 77)], processes=0, folder=Path("nowhere"))
    names = [one.agent for one in runner.jobs(["math", "finance"], ["base", "oracle"], [3, 4])]
    assert names == ["base", "oracle"] * 4
