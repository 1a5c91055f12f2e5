"""A language model that misbehaves in every way: the run ends with a verdict, and what it cost is in the ledger."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from triptych.ft_dojo.agents import models, scripts
from triptych.ft_dojo.agents.ft_agent import FTAgent
from triptych.ft_dojo.agents.models import ModelProposal, ModelProposer, ToolAgent
from triptych.ft_dojo.agents.plan import Verdict
from triptych.ft_dojo.environment.budget import Measured
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.tiny import FINE_TUNE
from triptych.llm import Cached, OpenAICompatible, Price

Begin = Callable[..., Session]
BUDGET = {"nominal_cpu": 2.5, "evaluations": 6, "actions": 30, "llm_tokens": 60_000}
PRICE = Price(prompt=1.0, completion=2.0)
PLAN = {
    "factor": "data", "direction": "up", "mechanism": "cleaner", "falsifier": "val falls", "cleaning": ["drop_blank"],
    "training": {"steps": 6, "warmup": 0},
}  # fmt: skip
pytestmark = pytest.mark.usefixtures("isolated")


class Server:
    """An OpenAI-compatible endpoint on the loopback that answers as a test says, and counts what it charged."""

    def __init__(self) -> None:
        self.reply: Callable[[int], str] = lambda turn: "hello"
        self.status, self.pause, self.usage = 200, 0.0, {"prompt_tokens": 40, "completion_tokens": 10}
        self.asked = self.answered = self.refusing = 0
        self.refusal = 429  # status of the first `refusing` replies
        self.body: str | None = None  # sent in place of a completion
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.requests.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                outer.asked += 1
                status = outer.refusal if outer.asked <= outer.refusing else outer.status
                time.sleep(outer.pause)
                body = (
                    outer.body
                    if outer.body is not None and status == 200
                    else json.dumps(
                        {
                            "choices": [{"message": {"role": "assistant", "content": outer.reply(outer.asked)}}],
                            "usage": outer.usage,
                        }
                        if status == 200
                        else {"error": {"message": "no"}}
                    )
                ).encode()
                try:
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.send_header("retry-after", "0")
                    self.end_headers()
                    self.wfile.write(body)
                    outer.answered += status == 200
                except OSError:  # the client had enough
                    return

            def log_message(self, *_: object) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    @property
    def client(self) -> OpenAICompatible:
        return OpenAICompatible("some-model", self.address, "secret-key", timeout=0.5, retries=1)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def ft(session: Session, server: Server) -> Verdict:
    return FTAgent(ModelProposer(server.client, session, PRICE)).play(session)


def tool(session: Session, server: Server) -> Verdict:
    return ToolAgent(server.client, PRICE).play(session)


def most(server: Server) -> tuple[int, int]:
    """The most tokens that the requests so far can have cost: a token has a byte at least, a template adds 16."""
    prompts = [sum(len(message["content"].encode()) + 16 for message in one["messages"]) for one in server.requests]
    return sum(prompts), sum(one["max_tokens"] for one in server.requests)


def lost(session: Session, server: Server) -> None:
    """The ledger when the requests so far brought nothing and nobody said what they cost."""
    prompt, completion = most(server)
    total = session.ledger.total()
    assert total.llm_tokens == prompt + completion > 0
    assert total.money == pytest.approx((prompt * 1.0 + completion * 2.0) / 1e6, abs=1e-6)


def charged(session: Session, server: Server) -> None:
    """The ledger against the server's own counter."""
    total = session.ledger.total()
    assert total.llm_tokens == server.answered * sum(server.usage.values())
    money = server.answered * (server.usage["prompt_tokens"] * 1.0 + server.usage["completion_tokens"] * 2.0) / 1e6
    assert total.money == pytest.approx(money, abs=1e-6)
    assert b"secret-key" not in (session.folder / "journal.jsonl").read_bytes()


@pytest.mark.parametrize("play", [ft, tool])
@pytest.mark.parametrize("fault", ["down", "slow", "429", "prose"])
def test_a_model_that_cannot_be_used_ends_the_run(begin: Begin, server: Server, play: object, fault: str) -> None:
    session = begin(**BUDGET)
    if fault == "down":
        server.close()
    server.pause = 1.0 if fault == "slow" else 0.0
    server.status = 429 if fault == "429" else 200
    verdict = play(session, server)
    assert verdict.ended == "submitted" and verdict.model == "base" and session.done
    assert "model" in verdict.proposer and verdict.reason
    if fault in ("down", "429"):
        assert server.answered == 0
    if fault == "prose":
        assert server.answered == 3
    if fault == "slow":
        assert len(server.requests) == 2
        lost(session, server)
        assert session.ledger.limits.wall - session.ledger.wall_left() >= 1.0, "its time is the run's"
    else:
        charged(session, server)


@pytest.mark.parametrize("play", [ft, tool])
@pytest.mark.parametrize(
    ("status", "body", "tokens"),
    [
        (500, None, None),
        (200, '{"choices": [{"mess', None),
        (200, '{"choices": null}', None),
        (200, '{"usage": {"prompt_tokens": 40, "completion_tokens": 10}}', 50),
        (200, '{"usage": {"prompt_tokens": 40}}', None),
    ],
    ids=["500", "cut", "no-choices", "usage-alone", "half-a-usage"],
)
def test_a_call_that_brought_nothing_is_paid(
    begin: Begin, server: Server, play: object, status: int, body: str | None, tokens: int | None
) -> None:
    server.status, server.body = status, body
    session = begin(**BUDGET)
    verdict = play(session, server)
    assert verdict.ended == "submitted" and verdict.model == "base" and "model" in verdict.reason
    assert len(server.requests) == (2 if status == 500 else 1)
    if tokens is None:
        lost(session, server)
    else:
        assert session.ledger.total().llm_tokens == tokens
    assert [row[1] for row in session.ledger.rows].count("language_model") == 1


def test_an_answer_whose_length_nobody_counted_is_paid_as_the_longest(begin: Begin, server: Server) -> None:
    server.usage = {"prompt_tokens": 40}
    server.reply = lambda turn: json.dumps({"kind": "stop", "reason": "done"})
    session = begin(**BUDGET)
    tool(session, server)
    assert session.ledger.total().llm_tokens == 40 + most(server)[1] and len(server.requests) == 1


def test_what_was_lost_before_an_answer_is_paid_and_resumed_alike(begin: Begin, server: Server, tmp_path: Path) -> None:
    server.refusing, server.refusal = 1, 502
    server.reply = lambda turn: json.dumps({**PLAN, "stop": True})
    session = begin("live", **BUDGET)
    client = Cached(server.client, tmp_path / "talk.jsonl", remake="again")
    verdict = FTAgent(ModelProposer(client, session, PRICE)).play(session)
    total = session.ledger.total().llm_tokens
    assert server.answered == 1 and total == 50 + sum(most(server)) // 2, "both requests were the same"
    session.close()
    again = begin("live", **BUDGET)
    assert FTAgent(ModelProposer(client, again, PRICE)).play(again) == verdict and not again.replaying
    assert again.ledger.total().llm_tokens == total and len(server.requests) == 2


def test_a_resumed_run_fails_as_it_did(begin: Begin, server: Server) -> None:
    server.status = 500
    session = begin(**BUDGET)
    verdict, wall = tool(session, server), session.ledger.wall_left()
    session.close()
    server.status, again = 200, begin(**BUDGET)
    assert again.ledger.wall_left() == pytest.approx(wall, abs=1e-6)
    assert tool(again, server) == verdict and not again.replaying
    assert again.ledger.total() == session.ledger.total() and len(server.requests) == 2, "nobody was asked again"


def test_a_run_whose_wall_is_spent_asks_no_more(begin: Begin, server: Server) -> None:
    session = begin(**BUDGET, wall=20.0)
    session.ledger.measured.append(Measured(wall=19.9))
    server.pause, server.reply = 0.3, lambda turn: json.dumps({"kind": "inspect", "path": "instruction.md"})
    verdict = tool(session, server)
    assert len(server.requests) == 1 and "wall" in verdict.reason and verdict.ended == "submitted"


def test_the_longest_proposal_fits_an_answer(begin: Begin, server: Server) -> None:
    assert len(scripts.cleaning(scripts.STEPS, (), 2000)) <= models.CODE, "a model may write as much as we did"
    words = ModelProposal(
        factor="f" * 200, direction="up", mechanism="m" * 500, falsifier="f" * 500, cleaning=list(scripts.STEPS),
        training=FINE_TUNE.model_dump(),
    )  # fmt: skip
    assert len(words.model_dump_json()) <= models.WORDS
    server.reply = lambda turn: json.dumps({**PLAN, "stop": True})
    ft(begin(**BUDGET), server)
    assert server.requests[0]["max_tokens"] * models.PER_TOKEN >= models.CODE + models.WORDS
    with pytest.raises(ValidationError):
        ModelProposal.model_validate({**PLAN, "code": "x" * (models.CODE + 1)})


@pytest.mark.parametrize("play", [ft, tool])
def test_a_rate_limit_that_passes_is_waited_for_and_only_answers_are_paid(
    begin: Begin, server: Server, play: object
) -> None:
    server.refusing = 1
    server.reply = lambda turn: json.dumps({**PLAN, "stop": True} if play is ft else {"kind": "stop", "reason": "done"})
    session = begin(**BUDGET)
    verdict = play(session, server)
    assert server.asked == 2 and server.answered == 1 and "cannot" not in verdict.reason
    charged(session, server)


def test_a_recording_that_no_longer_matches_ends_ft_agents_run(begin: Begin, server: Server, tmp_path: Path) -> None:
    server.reply = lambda turn: json.dumps({**PLAN, "stop": turn > 1})
    path = tmp_path / "talk.jsonl"
    session = begin("live", **BUDGET)
    live = FTAgent(ModelProposer(Cached(server.client, path, remake="again"), session, PRICE)).play(session)
    assert live.tried == 1 and server.answered == 2
    replay = Cached(server.client, path, remake="again", live=False)
    again = begin("replayed", **BUDGET)
    same = FTAgent(ModelProposer(replay, again, PRICE, recorded=True)).play(again)
    assert same.model == live.model and same.proposer == "recorded some-model"
    assert (again.folder / "journal.jsonl").read_bytes() == (session.folder / "journal.jsonl").read_bytes()
    other = begin("other", **{**BUDGET, "nominal_cpu": 2.4})  # the instruction reads otherwise
    lost = FTAgent(ModelProposer(replay, other, PRICE, recorded=True)).play(other)
    assert lost.ended == "submitted" and lost.model == "base" and "no recorded answer" in lost.reason
    assert other.ledger.total().llm_tokens == 0 and server.asked == 2


def test_the_same_failed_plan_for_ever(begin: Begin, server: Server) -> None:
    server.reply = lambda turn: json.dumps({**PLAN, "code": "1/0"})
    session = begin(**BUDGET)
    verdict = ft(session, server)
    assert verdict.ended == "submitted" and "repeated itself" in verdict.reason
    assert session.ledger.total().nominal_cpu < 1.0
    charged(session, server)


def test_a_good_plan_is_carried_out_and_improper_training_is_asked_for_again(begin: Begin, server: Server) -> None:
    answers = [{**PLAN, "training": {"stpes": 5}}, PLAN, {**PLAN, "stop": True}]
    server.reply = lambda turn: json.dumps(answers[min(turn, 3) - 1])
    session = begin(**BUDGET)
    verdict = ft(session, server)
    assert verdict.tried == 1 and verdict.model != "base" and server.asked == 3
    charged(session, server)


def test_actions_that_do_not_exist(begin: Begin, server: Server) -> None:
    server.reply = lambda turn: json.dumps({"kind": "conquer", "turn": turn})
    session = begin(**BUDGET)
    verdict = tool(session, server)
    assert verdict.reason and session.done
    errors = [row for row in session.ledger.rows if row[1] == "malformed"]
    assert len(errors) >= 3, "each is charged an action"
    charged(session, server)


def test_one_reply_over_the_whole_budget(begin: Begin, server: Server) -> None:
    server.usage = {"prompt_tokens": 100, "completion_tokens": 900_000}
    server.reply = lambda turn: json.dumps({"kind": "inspect", "path": "instruction.md"})
    for play, name in ((tool, "tool"), (ft, "ft")):
        before = server.answered
        session = begin(name, **BUDGET)
        verdict = play(session, server)
        assert verdict.ended == "submitted" and server.answered == before + 1, "nothing more is asked"
        assert session.ledger.total().llm_tokens == 900_100 and session.ledger.left().llm_tokens == 0


def test_a_tool_agent_plays_a_whole_run_and_a_recording_replays_it(
    begin: Begin, server: Server, tmp_path: Path
) -> None:
    code = "import shutil, json\nrow = {'prompt': 'a', 'completion': 'b'}\n" + (
        "open('out/train.jsonl', 'w').write((json.dumps(row) + chr(10)) * 20)"
    )
    actions: list[dict[str, object]] = [
        {"kind": "run_data_script", "code": code},
        {"kind": "train", "spec": {"steps": 3, "batch": 4}, "data": ""},
        {"kind": "evaluate", "model": "", "n": 10},
        {"kind": "submit", "model": ""},
    ]
    session = begin("live", **BUDGET)

    def reply(turn: int) -> str:
        action = dict(actions[turn - 1])
        if "data" in action:
            action["data"] = next(iter(session.data))
        if "model" in action:
            action["model"] = next(iter(session.models))
        return f"I do this: {json.dumps(action)}"

    server.reply = reply
    path = tmp_path / "talk.jsonl"
    live = ToolAgent(Cached(server.client, path, remake="again"), PRICE).play(session)
    assert live.ended == "submitted" and live.model in session.models and live.reason == "it ended the run itself"
    charged(session, server)
    again = begin("replayed", **BUDGET)
    replay = Cached(server.client, path, remake="again", live=False)
    verdict = ToolAgent(replay, PRICE, recorded=True).play(again)
    assert verdict.model == live.model and verdict.proposer == "recorded some-model" and server.asked == 4
    assert (again.folder / "journal.jsonl").read_bytes() == (session.folder / "journal.jsonl").read_bytes()
    other = begin("other", **{**BUDGET, "samples": 50})  # the instruction reads otherwise: the recording does not match
    lost = ToolAgent(replay, PRICE, recorded=True).play(other)
    assert lost.ended == "submitted" and lost.model == "base" and "no recorded answer" in lost.reason
