"""The language model as judge, against a local server that drops, refuses, chats, and never gives JSON."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from triptych.errors import ModelError, ParameterError
from triptych.legal_rag import judge_llm
from triptych.legal_rag.judge import Case, Verdict
from triptych.legal_rag.judge_llm import LanguageModelJudge, Panel
from triptych.legal_rag.questions import Claim, Question, Span
from triptych.llm import Cached, OpenAICompatible

SPAN = Span(article="x/1", start=0, end=4, quote="Tell")
QUESTION = Question(
    id="own-1", distant="Whom?", plain="Who is told?", answer="The office.", gold=(SPAN,),
    claims=(Claim(text="The office is told.", support=(SPAN,)),),
)  # fmt: skip
CASE = Case(QUESTION, "The office.", ("first text", "second text"), author="writer")
OPINION = {"reasons": ["fine"], "correct": True, "grounded": False, "abstained": False}


def says(text: str | None) -> tuple[int, bytes]:
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    return 200, json.dumps(body).encode()


GOOD = says(json.dumps(OPINION))
DROP = (0, b"")
BUSY = (429, b'{"error": {"message": "slow down"}}')
LONG = (400, b'{"error": {"message": "maximum context length exceeded"}}')


class Server:
    """Plays a script of replies, the last one again and again."""

    def __init__(self) -> None:
        self.script: list[tuple[int, bytes]] = [GOOD]
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, body = outer.script[min(len(outer.requests), len(outer.script)) - 1]
                if not status:
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Retry-After-Ms", "1")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    super().handle()

            def finish(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    super().finish()

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def client(self, retries: int = 1, model: str = "judge-x") -> OpenAICompatible:
        return OpenAICompatible(model, f"http://127.0.0.1:{self.http.server_port}/v1", "key", 10, retries)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


def test_a_verdict_with_its_reasons(server: Server) -> None:
    judge = LanguageModelJudge(server.client(), temperature=0)
    (verdict,) = judge.judge([CASE])
    assert (verdict.correct, verdict.grounded, verdict.abstained, verdict.reasons) == (True, False, False, ("fine",))
    assert verdict.judge == "judge-x judge@1"
    (request,) = server.requests
    told = request["messages"][-1]["content"]
    assert "- The office is told." in told and "[1]\nfirst text\n\n[2]\nsecond text" in told
    assert told.endswith("The office.")
    assert request["temperature"] == 0 and request["response_format"]["type"] == "json_schema"
    assert (judge.live, judge.replayed) == (1, 0)


def test_a_question_without_an_answer_asks_for_abstention(server: Server) -> None:
    silent = Question(id="own-2", distant="Who paints it?", answer="The text does not say.")
    LanguageModelJudge(server.client()).judge([Case(silent, "", ())])
    told = server.requests[0]["messages"][-1]["content"]
    assert judge_llm.NO_ANSWER in told and "(none were shown)" in told and "(empty)" in told


@pytest.mark.parametrize("first", [DROP, BUSY])
def test_a_dropped_or_refused_call_is_made_again(server: Server, first: tuple[int, bytes]) -> None:
    server.script = [first, GOOD]
    (verdict,) = LanguageModelJudge(server.client()).judge([CASE])
    assert verdict.correct is True
    assert len(server.requests) == 2


def test_prose_is_answered_with_what_was_wrong(server: Server) -> None:
    server.script = [says("I think it is right."), GOOD]
    (verdict,) = LanguageModelJudge(server.client()).judge([CASE])
    assert verdict.outcome == "judged"
    assert "does not fit" in server.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("text", ["Never any JSON.", '{"correct": true}', '{"correct": "perhaps", "grounded": true}'])
def test_what_never_parses_is_an_outcome_and_keeps_its_place(server: Server, text: str) -> None:
    server.script = [says(text)] * 2 + [GOOD]
    first, second = LanguageModelJudge(server.client(), attempts=2).judge([CASE, CASE])
    assert (first.outcome, first.correct, first.grounded, first.objects) == ("unparsed", None, None, None)
    assert first.error
    assert second.outcome == "judged"
    assert len(server.requests) == 3


def test_a_reply_without_text_is_asked_again_and_then_an_outcome_like_any_that_does_not_parse(
    server: Server, tmp_path: Path
) -> None:
    server.script = [says(None), (200, b'{"choices": []}'), says(None), GOOD]
    judge = LanguageModelJudge(Cached(server.client(), tmp_path / "verdicts.jsonl", remake="…"), attempts=2)
    other = Case(QUESTION, "Nobody.", ("first text",), author="writer")
    first, second = judge.judge([CASE, other])
    assert (first.outcome, first.objects) == ("unparsed", None)
    assert first.error
    assert second.outcome == "judged"
    assert [turn["content"] for turn in server.requests[1]["messages"]][-2] == "(nothing)"
    again = LanguageModelJudge(Cached(server.client(), tmp_path / "verdicts.jsonl", remake="…"), attempts=2)
    assert again.judge([CASE, other]) == [first, second]
    assert len(server.requests) == 4  # what was paid for is not asked again


def test_a_prompt_that_is_too_long_is_an_outcome_and_any_other_refusal_an_error(server: Server) -> None:
    server.script = [LONG]
    (verdict,) = LanguageModelJudge(server.client(retries=0)).judge([CASE])
    assert verdict.outcome == "unparsed" and "context" in (verdict.error or "")
    server.script = [(401, b'{"error": {"message": "no"}}')]
    with pytest.raises(ModelError, match="401"):
        LanguageModelJudge(server.client(retries=0)).judge([CASE])


def test_a_missing_key_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelError) as error:
        LanguageModelJudge(OpenAICompatible("judge-x")).judge([CASE])
    assert "OPENAI_API_KEY" in error.value.hint


def test_verdicts_paid_for_before_a_failure_are_kept(server: Server, tmp_path: Path) -> None:
    other = Case(QUESTION, "Nobody.", ("first text",))
    server.script = [GOOD, (401, b'{"error": {"message": "budget"}}')]
    answers = tmp_path / "verdicts.jsonl"
    with pytest.raises(ModelError):
        LanguageModelJudge(Cached(server.client(retries=0), answers, remake="again")).judge([CASE, other])
    server.script = [GOOD]
    judge = LanguageModelJudge(Cached(server.client(retries=0), answers, remake="again"))
    assert [verdict.outcome for verdict in judge.judge([CASE, other])] == ["judged", "judged"]
    assert (judge.live, judge.replayed) == (1, 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gpt-5.2-2026-01-01", "gpt-5.2", True),
        ("openai/gpt-5.2", "GPT-5.2-20260101", True),
        ("models/gemini-2.5-pro-preview-05-06", "gemini-2.5-pro-preview", True),
        ("claude@20260101", "vertex/claude-latest", True),
        ("gpt-4-0613", "gpt-4", True),
        ("smollm2-135m@0a1b2c3d4e5f", "smollm2-135m", True),
        ("gpt-5.2-pro", "gpt-5.2", False),
        ("gpt-5", "gpt-5.2", False),
        ("llama-3-8b", "llama-3-70b", False),
        ("", "", False),
        ("2026-01-01", "", False),
    ],
)
def test_one_model_under_two_names(one: str, other: str, same: bool) -> None:
    assert judge_llm.same_model(one, other) is same
    assert judge_llm.same_model(other, one) is same


@pytest.mark.parametrize("author", ["judge-x", "provider/judge-x-2026-01-01"])
def test_nobody_judges_its_own_answers_unless_told_to(server: Server, author: str) -> None:
    own = Case(QUESTION, "The office.", author=author)
    with pytest.raises(ParameterError, match="its own answers"):
        LanguageModelJudge(server.client()).judge([CASE, own])
    assert server.requests == []
    assert LanguageModelJudge(server.client(), own=True).judge([own])[0].correct
    with pytest.raises(ParameterError, match="never answers"):
        LanguageModelJudge(server.client(), attempts=0)


# --- several judges --------------------------------------------------------------------------------------------------


class Fixed:
    def __init__(self, name: str, correct: bool | None) -> None:
        self.name, self.correct = name, correct

    def judge(self, cases: list[Case]) -> list[Verdict]:
        flag = self.correct
        return [
            Verdict(self.name, flag, flag, flag and False, (), None if flag is not None else "prose") for _ in cases
        ]


@pytest.mark.parametrize(
    ("said", "together"),
    [
        ((True, True, False), True),
        ((True, False, False), False),
        ((True, False), False),  # a tie counts against the answer
        ((True, None, None), True),
        ((True, False, None), False),
        ((None, None), None),
    ],
)
def test_a_panel_follows_the_majority_of_what_can_be_read(said: tuple[bool | None, ...], together: bool | None) -> None:
    panel = Panel([Fixed(f"j{place}", flag) for place, flag in enumerate(said)])
    (verdict,) = panel.judge([CASE])
    assert verdict.correct is together
    assert verdict.outcome == ("unparsed" if together is None else "judged")
    assert [opinions[0].correct for opinions in panel.opinions] == list(said)


def test_a_panel_needs_different_judges() -> None:
    with pytest.raises(ParameterError, match="different names"):
        Panel([Fixed("a", True), Fixed("a", False)])
