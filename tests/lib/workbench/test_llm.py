"""Clients against a server that misbehaves, the answer cache against kills and rivals, and the counting."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from triptych import data
from triptych.errors import DataError, ModelError
from triptych.llm import (
    Answer,
    Cached,
    Client,
    InProcess,
    Message,
    Metered,
    OpenAICompatible,
    Price,
    TooLong,
    Unanswered,
    parse,
    system,
    user,
)
from triptych.llm.cache import key

# --- a server on the loopback that plays a script --------------------------------------------------------------------


def completion(text: str | None, **more: Any) -> tuple[int, dict[str, str], bytes]:
    body = {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
        **more,
    }
    return 200, {}, json.dumps(body).encode()


def refusal(status: int, message: str = "no", **headers: str) -> tuple[int, dict[str, str], bytes]:
    return (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        json.dumps({"error": {"message": message}}).encode(),
    )


HANG_UP = "hang up"
SILENCE = "silence"
DRIP, DRIP_HEAD = "a byte of the body now and then", "a byte of the head now and then"


class Server:
    """Answers each request with the next entry of `script` (the last one again and again), and remembers requests."""

    def __init__(self) -> None:
        self.script: list[Any] = [completion("ok")]
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.times.append(time.monotonic())
                outer.requests.append({"path": self.path, "key": self.headers["Authorization"], **json.loads(body)})
                reply = outer.script[min(len(outer.requests), len(outer.script)) - 1]
                if reply == HANG_UP:
                    self.connection.close()
                elif reply == SILENCE:
                    outer.over.wait(30)
                elif reply in (DRIP, DRIP_HEAD):
                    head = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"
                    self.wfile.write(head if reply == DRIP else head[:20])
                    for _ in range(300):  # 30 s
                        if outer.over.wait(0.1):
                            break
                        self.wfile.write(b"x")
                else:
                    status, headers, content = reply
                    self.send_response(status)
                    for name, value in {"Content-Type": "application/json", **headers}.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):  # the connection was closed on purpose
                    super().handle()

            def finish(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    super().finish()

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def client(self, **options: Any) -> OpenAICompatible:
        options = {"retries": 2, "key": "sk-secret", "timeout": 10, **options}
        return OpenAICompatible("model-x", f"http://127.0.0.1:{self.http.server_port}/v1", **options)

    def close(self) -> None:
        self.over.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def test_an_answer_with_its_counts(server: Server) -> None:
    answer = server.client().ask([system("s"), user("u")], temperature=0, max_tokens=9)
    assert (answer.text, answer.finish, answer.prompt_tokens, answer.completion_tokens) == ("ok", "stop", 7, 3)
    (request,) = server.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["key"] == "Bearer sk-secret"
    assert request["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("model-x", 0, 9)


def test_url_and_key_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.http.server_port}/v2")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    assert OpenAICompatible("m").ask([user("u")]).text == "ok"
    assert (server.requests[0]["path"], server.requests[0]["key"]) == ("/v2/chat/completions", "Bearer sk-other")


def test_no_key_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        OpenAICompatible("m", "http://127.0.0.1:9/v1").ask([user("u")])


@pytest.mark.parametrize("trouble", [refusal(500), refusal(503), HANG_UP], ids=["500", "503", "hang-up"])
def test_trouble_that_passes_is_tried_again(server: Server, trouble: Any) -> None:
    server.script = [trouble, trouble, completion("at last")]
    assert server.client().ask([user("u")]).text == "at last"
    assert len(server.requests) == 3


def test_the_server_says_how_long_to_wait(server: Server) -> None:
    server.script = [refusal(429, retry_after_ms="1500"), completion("at last")]
    assert server.client().ask([user("u")]).text == "at last"
    first, second = server.times
    assert second - first >= 1.5  # our own first pause would be at most 0.5 s


@pytest.mark.parametrize(
    ("reply", "retried", "said"),
    [
        (refusal(500, "engine on fire"), True, "HTTP status 500: .*engine on fire"),
        (refusal(429, "quota"), True, "HTTP status 429(.|\n)*wait"),
        (
            refusal(401, "Incorrect API key provided: sk-secret"),
            False,
            r"HTTP status 401: .*\(key\)(.|\n)*OPENAI_API_KEY",
        ),
        (refusal(404, "no such model"), False, "HTTP status 404(.|\n)*name"),
        (HANG_UP, True, "cannot be reached"),
        ((200, {}, b'{"choices": [{"mess'), False, "something else than a chat completion"),
        ((200, {"Content-Type": "text/html"}, b"<html>please log in</html>"), False, "please log in"),
        ((200, {}, b"[]"), False, "something else"),
        ((200, {}, b'{"choices": null, "error": {"message": "upstream is gone"}}'), False, "upstream is gone"),
        ((200, {}, b'{"choices": [{}]}'), False, "something else"),
    ],
    ids=["500", "429", "401", "404", "hang-up", "cut-json", "html", "list", "null-choices", "no-message"],
)
def test_trouble_that_stays_is_a_model_error(server: Server, reply: Any, retried: bool, said: str) -> None:
    server.script = [reply]
    with pytest.raises(ModelError, match=said) as caught:
        server.client(retries=1).ask([user("u")])
    assert len(server.requests) == (2 if retried else 1)
    assert "sk-secret" not in str(caught.value)


EMPTY = {
    "null-content": (completion(None), "stop", 7),
    "no-choice": ((200, {}, b'{"choices": []}'), None, None),
    "filtered": (completion("", choices=[{"message": {}, "finish_reason": "content_filter"}]), "content_filter", 7),
}


@pytest.mark.parametrize(("reply", "finish", "tokens"), EMPTY.values(), ids=EMPTY.keys())
def test_a_reply_without_text_is_an_answer_that_is_kept(
    server: Server, tmp_path: Path, reply: Any, finish: str | None, tokens: int | None
) -> None:
    server.script = [reply, completion("the next one")]
    client = Cached(server.client(), tmp_path / "answers.jsonl", remake="…")
    answer = client.ask([user("u")])
    assert (answer.text, answer.finish, answer.prompt_tokens) == ("", finish, tokens)
    assert client.ask([user("v")]).text == "the next one"
    assert Cached(server.client(), tmp_path / "answers.jsonl", remake="…").ask([user("u")]).replayed
    assert len(server.requests) == 2


def test_a_refusal_in_words_is_what_was_said(server: Server) -> None:
    server.script = [completion("", choices=[{"message": {"content": None, "refusal": "I will not say."}}])]
    assert server.client().ask([user("u")]).text == "I will not say."


@pytest.mark.parametrize(
    "body",
    [
        {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"},
        {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"},
    ],
)
def test_too_long_for_a_server_is_told_apart(server: Server, body: dict[str, str]) -> None:
    server.script = [(400, {}, json.dumps({"error": body}).encode())]
    with pytest.raises(TooLong, match="context"):
        server.client().ask([user("hi")])
    assert len(server.requests) == 1


def test_silence_ends_in_time(server: Server) -> None:
    server.script = [SILENCE]
    with pytest.raises(ModelError, match="did not answer in time") as caught:
        server.client(timeout=0.2, retries=1).ask([user("u")])
    assert len(server.requests) == 2
    assert "0.2 s, 2 times" in str(caught.value)


@pytest.mark.parametrize("drip", [DRIP, DRIP_HEAD], ids=["body", "head"])
def test_a_server_that_drips_is_not_waited_for_and_leaves_no_thread(server: Server, drip: str) -> None:
    server.script = [drip]
    client, caught = server.client(timeout=0.35, retries=1), list[Unanswered]()

    def ask() -> None:
        try:
            client.ask([user("u")])
        except Unanswered as error:
            caught.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(15)  # without a deadline it takes a minute
    assert caught and caught[0].lost == len(server.requests) == 2
    for _ in range(100):
        left = [thread for thread in threading.enumerate() if thread.name == "a question to a model"]
        if not left:
            break
        time.sleep(0.05)
    assert not left
    server.script = [completion("ok")]
    assert client.ask([user("u")]).text == "ok", "the client goes on"


def unsupported(said: str, **more: str) -> tuple[int, dict[str, str], bytes]:
    return 400, {}, json.dumps({"error": {"message": said, **more}}).encode()


NO_LIMIT = unsupported(
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    code="unsupported_parameter", param="max_tokens",
)  # fmt: skip
NO_TEMPERATURE = unsupported(
    "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
    code="unsupported_value", param="temperature",
)  # fmt: skip


def test_a_parameter_that_a_model_does_not_support_goes_by_its_other_name_or_not_at_all(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [NO_LIMIT, NO_TEMPERATURE, completion("one"), completion("two")]
    client = Cached(server.client(), tmp_path / "answers.jsonl", remake="…")
    assert client.ask([user("u")], max_tokens=9, temperature=0).text == "one"
    sent = [{name: request.get(name) for name in ("max_tokens", "max_completion_tokens", "temperature")}
            for request in server.requests]  # fmt: skip
    assert [tuple(each.values()) for each in sent] == [(9, None, 0), (None, 9, 0), (None, 9, None)]
    assert "max_completion_tokens instead" in caplog.text and "asked without" in caplog.text
    caplog.clear()
    assert client.ask([user("v")], max_tokens=7, temperature=0).text == "two"
    assert server.requests[3]["max_completion_tokens"] == 7 and len(server.requests) == 4, "it was remembered"
    assert not {"max_tokens", "temperature"} & server.requests[3].keys() and not caplog.text
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert rows[0]["key"] == key("model-x", [user("u")], {"max_tokens": 9, "temperature": 0}), "as it was asked"


@pytest.mark.parametrize(
    ("reply", "requests"),
    [
        (NO_LIMIT, 2),  # it refuses the other name with the same words: it is said once, and the limit stays
        (unsupported("Unsupported parameter: 'tools'"), 1),
        (unsupported("max_tokens is too large: 900000. This model supports at most 16384 completion tokens"), 1),
        (unsupported("maximum context length exceeded; not supported with max_tokens of 9"), 1),
        (unsupported("temperature must be at least 0"), 1),
    ],
    ids=["limit", "not-ours", "too-large", "too-long", "value"],
)
def test_any_other_refusal_stays_one(server: Server, reply: Any, requests: int) -> None:
    server.script = [reply]
    client = server.client()
    with pytest.raises(Unanswered, match=r"max_tokens|tools|temperature") as caught:
        client.ask([user("u")], max_tokens=9, temperature=0)
    assert len(server.requests) == requests and caught.value.lost == 0, "who refuses charges nothing"
    server.script = [completion("ok")]
    client.ask([user("u")], max_tokens=9)
    assert server.requests[-1]["max_tokens"] == 9, "what did not help is not remembered"


def test_servers_that_name_the_parameter_only_in_words(server: Server) -> None:
    server.script = [unsupported("unknown field: response_format"), completion(GOOD)]
    assert parse(server.client(), Verdict, [user("u")], max_tokens=9).value
    assert "response_format" not in server.requests[1] and server.requests[1]["max_tokens"] == 9


USAGE = {"prompt_tokens": 5, "completion_tokens": 4}
LOST = {
    "500": (refusal(500), 2, (0, 0)),
    "hang-up": (HANG_UP, 2, (0, 0)),
    "silence": (SILENCE, 2, (0, 0)),
    "429": (refusal(429, retry_after_ms="1"), 0, (0, 0)),
    "404": (refusal(404), 0, (0, 0)),
    "cut": ((200, {}, b'{"choices": [{"mess'), 1, (0, 0)),
    "no-choices": ((200, {}, json.dumps({"usage": USAGE}).encode()), 0, (5, 4)),
    "half-a-usage": ((200, {}, json.dumps({"usage": {"prompt_tokens": 5}}).encode()), 1, (0, 0)),
}


@pytest.mark.parametrize(("reply", "lost", "used"), LOST.values(), ids=LOST.keys())
def test_a_failure_says_what_may_have_been_charged(
    server: Server, reply: Any, lost: int, used: tuple[int, int]
) -> None:
    server.script = [reply]
    client = Metered(server.client(timeout=0.5, retries=1))
    with pytest.raises(Unanswered) as caught:
        client.ask([user("u")])
    assert (caught.value.lost, caught.value.used) == (lost, used)
    counted = client.usage
    assert (counted.uncounted, counted.prompt_tokens, counted.completion_tokens) == (lost, *used)


def test_nothing_was_sent_to_nobody() -> None:
    with pytest.raises(Unanswered) as caught:
        OpenAICompatible("m", "http://127.0.0.1:9/v1", key="k", retries=1, timeout=5).ask([user("u")])
    assert caught.value.lost == 0


def test_an_answer_says_how_many_requests_were_lost_before_it(server: Server, tmp_path: Path) -> None:
    server.script = [refusal(502), refusal(429, retry_after_ms="1"), HANG_UP, completion("at last")]
    client = Metered(remember(server.client(retries=3), tmp_path / "answers.jsonl"))
    assert client.ask([user("u")]).lost == 2 and client.usage.uncounted == 2
    assert client.ask([user("u")]).lost == 2 and client.usage.uncounted == 2, "a replay loses nothing more"


@pytest.mark.parametrize(
    "usage",
    [None, [], "many", {}, {"prompt_tokens": 7}, {"prompt_tokens": 7, "completion_tokens": None},
     {"prompt_tokens": 7, "completion_tokens": -3}, {"prompt_tokens": 7, "completion_tokens": True}],
    ids=str,
)  # fmt: skip
def test_what_is_no_count_of_tokens_is_none(server: Server, usage: Any) -> None:
    server.script = [completion("ok", usage=usage)]
    answer = server.client().ask([user("u")])
    assert answer.text == "ok" and answer.completion_tokens is None
    assert answer.prompt_tokens == (7 if isinstance(usage, dict) and usage else None)


def test_nobody_listens() -> None:
    with pytest.raises(ModelError, match="cannot be reached"):
        OpenAICompatible("m", "http://127.0.0.1:9/v1", key="k", retries=0, timeout=5).ask([user("u")])


# --- structured answers ----------------------------------------------------------------------------------------------


class Verdict(BaseModel):
    correct: bool
    reason: str


class Scripted:
    """A client that says given texts in turn and counts how often it was asked."""

    model = "scripted"

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.asked: list[list[Message]] = []
        self.parameters: list[dict[str, JsonValue]] = []
        self.defaults: dict[str, JsonValue] = {}

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        self.asked.append(list(messages))
        self.parameters.append(parameters)
        text = self.texts[min(len(self.asked), len(self.texts)) - 1]
        return Answer(text=text, prompt_tokens=10, completion_tokens=2, seconds=0.5)


GOOD = '{"correct": true, "reason": "it says so"}'


@pytest.mark.parametrize("text", [GOOD, f"```json\n{GOOD}\n```", f"```\n{GOOD}```\n", f"\n {GOOD}\n"])
def test_a_fitting_answer_is_a_value(text: str) -> None:
    client = Scripted(text)
    outcome = parse(client, Verdict, [user("u")])
    assert outcome.value == Verdict(correct=True, reason="it says so")
    assert outcome.error is None
    form = client.parameters[0]["response_format"]
    assert isinstance(form, dict)
    assert form["json_schema"] == {"name": "Verdict", "schema": Verdict.model_json_schema()}


def test_a_retry_shows_what_was_wrong() -> None:
    client = Scripted('{"correct": "perhaps", "reason": ""}', GOOD)
    outcome = parse(client, Verdict, [user("u")])
    assert outcome.value is not None
    assert [answer.text for answer in outcome.answers] == list(client.texts)
    said = client.asked[1]
    assert said[0] == user("u")
    assert said[1].role == "assistant"
    assert "correct: Input should be a valid boolean" in said[2].content


@pytest.mark.parametrize("text", ["", "I think so.", "[]", '{"correct": true}', '{"correct": true, "rea'])
def test_an_answer_that_never_fits_is_an_outcome(text: str) -> None:
    client = Scripted(text)
    outcome = parse(client, Verdict, [user("u")], attempts=2)
    assert outcome.value is None
    assert outcome.error
    assert len(outcome.answers) == len(client.asked) == 2


def test_an_endpoint_without_response_format() -> None:
    client = Scripted(GOOD)
    assert parse(client, Verdict, [user("u")], response_format=None).value
    assert client.parameters == [{}]


def test_structured_answers_from_a_server(server: Server) -> None:
    server.script = [completion("no json"), refusal(500), completion(GOOD)]
    assert parse(server.client(), Verdict, [user("u")]).value
    assert len(server.requests) == 3


# --- the answer cache ------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MESSAGES = st.lists(
    st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=st.text()), max_size=3
)
PARAMETERS = st.dictionaries(st.from_regex(r"p[a-z_]{0,5}", fullmatch=True), JSON, max_size=3)
QUESTIONS = st.tuples(MESSAGES, PARAMETERS)


def remember(client: Client, path: Path, **options: Any) -> Cached:
    return Cached(client, path, remake="make figures PROFILE=full", **options)


@given(questions=st.lists(QUESTIONS, max_size=6), text=st.text())
def test_every_question_is_asked_once_and_replayed_exactly(
    tmp_path_factory: pytest.TempPathFactory, questions: list[Any], text: str
) -> None:
    path = tmp_path_factory.mktemp("cache") / "deep" / "answers.jsonl"
    client = Scripted(text)
    first = remember(client, path)
    live = [first.ask(messages, **parameters) for messages, parameters in questions]
    asked = len(client.asked)
    assert asked == len({key("scripted", messages, parameters) for messages, parameters in questions})
    again = remember(Scripted("never"), path, live=False)
    replayed = [again.ask(messages, **parameters) for messages, parameters in questions]
    assert [answer.text for answer in replayed] == [answer.text for answer in live]
    assert all(answer.replayed for answer in replayed)


@given(one=QUESTIONS, other=QUESTIONS)
def test_different_questions_have_different_keys(one: Any, other: Any) -> None:
    def canonical(question: Any) -> str:
        return json.dumps([[m.model_dump() for m in question[0]], question[1]], sort_keys=True)

    assert (key("m", *one) == key("m", *other)) == (canonical(one) == canonical(other))
    assert key("m", *one) != key("n", *one)


@given(cut=st.integers(min_value=1, max_value=10_000), text=st.text())
def test_a_line_cut_off_by_a_kill_costs_only_itself(
    tmp_path_factory: pytest.TempPathFactory, cut: int, text: str
) -> None:
    path = tmp_path_factory.mktemp("cache") / "answers.jsonl"
    cache = remember(Scripted(text), path)
    for word in ("one", "two"):
        cache.ask([user(word)])
    whole = path.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    path.write_bytes(whole[: max(last, len(whole) - cut)])  # as much of the last line as had been written

    client = Scripted("new")
    resumed = remember(client, path)
    assert resumed.ask([user("one")]).text == text
    second = resumed.ask([user("two")]).text
    assert second == (text if cut == 1 else "new")  # without its newline alone, a line is still whole
    assert resumed.ask([user("three")]).text == "new"
    assert len(client.asked) == (1 if cut == 1 else 2)
    replay = remember(Scripted("never"), path, live=False)
    assert [replay.ask([user(word)]).text for word in ("one", "two", "three")] == [text, second, "new"]


def _write_many(path: str, name: str, start: Any) -> None:
    cache = remember(Scripted(f"by {name}"), Path(path))
    start.wait()
    for number in range(40):
        cache.ask([user(f"mine {name} {number} " + "x" * 5000)])
        cache.ask([user(f"everybody's {number}")])


def test_several_processes_share_one_file(tmp_path: Path) -> None:
    path, names = tmp_path / "answers.jsonl", ["a", "b", "c"]
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(len(names))
    writers = [context.Process(target=_write_many, args=(str(path), name, start)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(rows) == len({row["key"] for row in rows}) == 40 * (len(names) + 1)


def test_what_another_process_recorded_is_seen(tmp_path: Path) -> None:
    one, other = (remember(Scripted(name), tmp_path / "answers.jsonl") for name in ("one", "other"))
    assert one.ask([user("first")]).text == "one"
    assert other.ask([user("first")]).text == "one"
    assert other.ask([user("second")]).text == "other"
    assert one.ask([user("second")]) == other.ask([user("second")])


def test_a_slower_process_takes_the_answer_that_was_written_first(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    fast = remember(Scripted("fast"), path)

    class Slow(Scripted):
        def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
            fast.ask(messages, **parameters)  # while we wait for our own
            return super().ask(messages, **parameters)

    answer = remember(Slow("slow"), path).ask([user("u")])
    assert (answer.text, answer.replayed) == ("fast", False)
    assert len(path.read_text("utf-8").splitlines()) == 1


def test_replay_without_a_recording_says_what_makes_it(tmp_path: Path) -> None:
    cache = remember(OpenAICompatible("gpt-x"), tmp_path / "answers.jsonl", live=False)
    with pytest.raises(ModelError, match=r"no recorded answer of gpt-x to 'What\?'(.|\n)*make figures PROFILE=full"):
        cache.ask([user("What?")])
    assert not (tmp_path / "answers.jsonl").exists()


def test_committed_recordings_are_read_and_never_written(tmp_path: Path) -> None:
    committed, path = tmp_path / "committed.jsonl", tmp_path / "answers.jsonl"
    remember(Scripted("old"), committed).ask([user("known")])
    before = committed.read_bytes()
    cache = remember(Scripted("new"), path, recorded=[committed])
    assert [cache.ask([user(word)]).text for word in ("known", "unknown")] == ["old", "new"]
    assert committed.read_bytes() == before


def test_an_edited_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    remember(Scripted("yes"), path).ask([user("Is it so?")])
    path.write_text(path.read_text("utf-8").replace("Is it so?", "Is it not so?"), "utf-8")
    with pytest.raises(DataError, match="was edited"):
        remember(Scripted("no"), path).ask([user("Is it so?")])


@pytest.mark.parametrize(
    "line", ["1", "{}", '{"key": "k", "model": "m", "messages": 1, "parameters": {}, "answer": {}}']
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(DataError, match="no recorded answer"):
        remember(Scripted("a"), path).ask([user("u")])


def test_a_failure_is_not_remembered(server: Server, tmp_path: Path) -> None:
    server.script = [refusal(404), completion("now")]
    cache = remember(server.client(), tmp_path / "answers.jsonl")
    with pytest.raises(ModelError):
        cache.ask([user("u")])
    assert cache.ask([user("u")]).text == "now"


def test_defaults_are_part_of_the_question(tmp_path: Path) -> None:
    plain, warm = Scripted("a"), Scripted("b")
    warm.defaults = {"temperature": 1}
    remember(plain, tmp_path / "answers.jsonl").ask([user("u")])
    assert remember(warm, tmp_path / "answers.jsonl").ask([user("u")]).text == "b"
    assert warm.parameters == [{"temperature": 1}]
    assert remember(plain, tmp_path / "answers.jsonl", live=False).ask([user("u")], temperature=1).text == "b"


# --- counting --------------------------------------------------------------------------------------------------------


def test_usage_counts_live_replayed_and_failed(server: Server, tmp_path: Path) -> None:
    server.script = [completion("a"), completion("b", usage=None), refusal(401)]
    client = Metered(remember(server.client(), tmp_path / "answers.jsonl"), Price(prompt=1_000_000, completion=100_000))
    for word in ("a", "a", "b"):
        client.ask([user(word)])
    with pytest.raises(ModelError):
        client.ask([user("c")])
    used = client.usage
    assert (used.calls, used.live, used.replayed, used.failed, used.uncounted) == (4, 2, 1, 1, 1)
    assert (used.prompt_tokens, used.completion_tokens) == (7, 3)
    assert used.money == pytest.approx(7 * 1 + 3 * 0.1)
    assert used.seconds >= 0


def test_money_is_unknown_without_a_price() -> None:
    client = Metered(Scripted("a"))
    client.ask([user("u")])
    assert (client.usage.money, client.usage.prompt_tokens, client.usage.seconds) == (None, 10, 0.5)


# --- the model in this process ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> InProcess:
    data.member(InProcess.SOURCE, InProcess.FILE)
    return InProcess(context=512)


def test_the_small_model_answers_and_repeats(small: InProcess) -> None:
    question = [user("What is the capital of France? Answer in one word.")]
    first = small.ask(question, max_tokens=24)
    other = small.ask([user("What is the capital of Italy?")], max_tokens=24)
    assert "Paris" in first.text
    assert other.text != first.text
    assert small.ask(question, max_tokens=24).text == first.text
    assert first.prompt_tokens and first.completion_tokens and first.completion_tokens <= 24


def test_the_small_model_is_held_to_a_schema(small: InProcess) -> None:
    class Choice(BaseModel):
        grounded: bool

    assert parse(small, Choice, [user("Is water wet? Answer in JSON.")], max_tokens=40).value is not None


def test_too_long_a_question_is_explained(small: InProcess) -> None:
    with pytest.raises(TooLong, match="exceeds the available context size"):
        small.ask([user("word " * 600)])


def test_nothing_is_loaded_before_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Path:
        raise AssertionError("looked for the weights")

    monkeypatch.setattr(data, "member", refuse)
    with pytest.raises(AssertionError, match="looked for the weights"):
        InProcess().ask([user("u")])
