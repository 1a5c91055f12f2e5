"""The two ways to reach a model: an OpenAI-compatible endpoint, and llama.cpp in this process."""

from __future__ import annotations

import importlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, JsonValue, ValidationError

from triptych import data
from triptych.llm.messages import Answer, Message, TooLong, Unanswered

if TYPE_CHECKING:
    import openai

    from triptych.llm.bounded import BoundedClient

log = logging.getLogger(__name__)


class OpenAICompatible:
    """A chat-completions endpoint. URL and key come from OPENAI_BASE_URL and OPENAI_API_KEY unless given.

    Connection errors, time-outs and the statuses 408, 409, 429 and 5xx are tried again `retries` times with growing
    pauses, or after the pause that the server asks for. `timeout` (seconds) is what one attempt may take in all.

    Newer models refuse `max_tokens`, or any temperature but their own. A parameter that a 400 says is not supported is
    sent under its other name, or left out with a warning (`OTHER_NAMES`, `MAY_GO`), and so in every later question.
    Whoever remembers answers sees the parameters as they were given.
    """

    OTHER_NAMES: Mapping[str, str] = {"max_tokens": "max_completion_tokens"}  # never left out: it is what bounds a cost
    MAY_GO = ("temperature", "top_p", "seed", "response_format")  # wishes that change no question

    def __init__(
        self, model: str, base_url: str | None = None, key: str | None = None, timeout: float = 120, retries: int = 4
    ) -> None:
        self.model = model
        self.defaults: Mapping[str, JsonValue] = {}  # hosted models differ in what they accept: the caller says all
        self._base_url, self._key, self._timeout, self._retries = base_url, key, timeout, retries
        self._changes: Mapping[str, str | None] = {}  # other name, or None for left out, of a parameter refused before

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        from triptych.llm.bounded import BoundedClient

        started = time.monotonic()
        with BoundedClient(self._timeout) as http:
            try:
                body = self._post(http, messages, {**self.defaults, **parameters})
                return _answer(self.model, body, time.monotonic() - started, http.lost)
            except Unanswered as error:
                error.lost += http.lost
                raise

    def _post(self, http: BoundedClient, messages: Sequence[Message], parameters: Mapping[str, JsonValue]) -> str:
        """The body of a reply. Raises Unanswered."""
        import openai

        connection, changes = None, dict(self._changes)
        with explained(self.model, self._timeout, self._retries, lambda: connection):
            connection = openai.OpenAI(
                base_url=self._base_url, api_key=self._key, timeout=http.limits, max_retries=self._retries,
                http_client=http,
            )  # fmt: skip
            while True:
                named = {changes.get(name, name): value for name, value in parameters.items()}
                # Any: the library has one overload for every combination of options
                sent: Any = {name: value for name, value in named.items() if name is not None}
                sent |= {"model": self.model, "messages": _plain(messages)}
                try:
                    raw = connection.chat.completions.with_raw_response.create(**sent)
                except openai.BadRequestError as error:
                    refused = self._unsupported(error, sent)
                    if refused is None:
                        raise
                    changes[refused] = self.OTHER_NAMES.get(refused)
                else:
                    break
        for name in changes.keys() - self._changes.keys():
            instead = f"it is told {changes[name]} instead" if changes[name] else "it is asked without"
            log.warning("%s does not support %s: %s", self.model, name, instead)
        self._changes = changes
        return raw.text

    def _unsupported(self, error: openai.BadRequestError, sent: Mapping[str, object]) -> str | None:
        """The parameter that a refusal says is not supported, of those that can be helped."""
        if _too_long(error.code, error.message) or not _UNSUPPORTED.search(f"{error.code} {error.message}"):
            return None
        helped = [name for name in (*self.OTHER_NAMES, *self.MAY_GO) if name in sent]
        said = [name for name in helped if re.search(rf"\b{name}\b", error.message)]
        return error.param if error.param in helped else said[0] if said else None


_UNSUPPORTED = re.compile(r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not (?:permitted|allowed)", re.I)


@contextmanager
def explained(
    model: str,
    timeout: float,
    retries: int,
    connection: Callable[[], openai.OpenAI | None],
    *,
    key: str = "OPENAI_API_KEY",
    url: str = "OPENAI_BASE_URL",
) -> Generator[None]:
    """What the openai library raises, as Unanswered (or TooLong) with the way out, and never with the key in it.

    `key` and `url` name the environment variables that the endpoint is configured by.
    """
    import openai

    try:
        yield
    except openai.APITimeoutError as error:
        hint = f"no whole answer in {timeout:g} s, {retries + 1} times; ask for less or wait longer"
        raise Unanswered(f"{model} did not answer in time", hint) from error
    except openai.APIConnectionError as error:
        raise Unanswered(
            f"{model} cannot be reached: {error.__cause__ or error}", f"check the network and {url}"
        ) from error
    except openai.APIStatusError as error:
        used = connection()
        said = (error.message.replace(used.api_key, "(key)") if used and used.api_key else error.message)[:500]
        if _too_long(error.code, error.message):
            raise TooLong(f"{model}: {said}", "ask for less at a time") from error
        hint = _STATUS_HINTS.get(error.status_code, "the endpoint's documentation explains its statuses")
        hint = hint.format(key=key, url=url)
        raise Unanswered(f"{model} was refused with HTTP status {error.status_code}: {said}", hint) from error
    except openai.OpenAIError as error:  # no key: the library looks for it when it connects
        hint = f"export {key}=… (any word for a server that wants none) and {url} for another server"
        raise Unanswered(f"{model} cannot be asked: {error}", hint) from error


_STATUS_HINTS = {
    401: "check {key}",
    403: "this key may not use this model",
    404: "check the model's name and {url}",
    429: "the rate or the budget of this key is used up: wait, or run again later (answers so far are kept)",
}


class InProcess:
    """SmolLM2-135M-Instruct in this process through llama.cpp: one thread, greedy, so that answers repeat.

    Answers do not depend on what was asked before. They may differ between processors and llama.cpp versions.
    """

    SOURCE, FILE = "smollm2-135m", "SmolLM2-135M-Instruct.Q4_1.gguf"

    def __init__(self, context: int = 4096) -> None:
        (digest,) = (digest for path, digest in data.source(self.SOURCE).members.items() if path.endswith(self.FILE))
        self.model = f"{self.SOURCE}@{digest[:12]}"
        self.context = context  # tokens of prompt and answer together
        self.defaults: Mapping[str, JsonValue] = {"temperature": 0, "seed": 0, "max_tokens": 256}
        self._server: Any = None
        self._lock = threading.Lock()

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        request = {**self.defaults, **parameters, "messages": _plain(messages)}
        with self._lock:
            server = self._load()
            started = time.monotonic()
            reply: dict[str, Any] = server.handle_chat_completions(request)
        if "error" in reply:
            said = str(reply["error"].get("message", reply["error"]))
            kind = TooLong if _too_long(reply["error"].get("type"), said) else Unanswered
            raise kind(f"{self.model}: {said}", "ask for less at a time")
        return _answer(self.model, json.dumps(reply), time.monotonic() - started)

    def _load(self) -> Any:
        if self._server is None:
            xllamacpp: Any = importlib.import_module("xllamacpp")  # has no types

            wanted = xllamacpp.CommonParams()
            wanted.model.path = str(data.member(self.SOURCE, self.FILE))
            wanted.n_ctx = self.context
            wanted.n_parallel = 1
            wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
            wanted.cache_prompt = False  # a reused prefix changes the order of sums, and with it rare answers
            wanted.warmup = False
            wanted.verbosity = -1
            self._server = xllamacpp.Server(wanted)
        return self._server


class _Completion(BaseModel):
    """The part of a chat completion that we rely on."""

    class Choice(BaseModel):
        class Said(BaseModel):
            content: str | None = None
            refusal: str | None = None

        message: Said
        finish_reason: str | None = None

    choices: list[Choice]
    usage: Any = None


def _too_long(kind: object, said: str) -> bool:
    """Whether a refusal means that the conversation exceeds the context: by its code, or by what servers say."""
    known = ("context_length_exceeded", "exceed_context_size_error")
    return kind in known or bool(re.search(r"context (size|length|window)|maximum context", said, re.IGNORECASE))


def _answer(model: str, body: str, seconds: float, lost: int = 0) -> Answer:
    """What a body says, after `lost` requests. A completion without any text was paid for like every other: its text is
    empty.

    So are no choices at all, which is how some servers say that a filter struck. Raises Unanswered for anything else,
    which was paid for too: with what it says that it used, or as one more that was lost.
    """
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        problem = Unanswered(
            f"{model} sent something else than a chat completion: {body[:200]!r}", "check OPENAI_BASE_URL"
        )
        prompt, said = _counts(_usage(body))
        if prompt is None or said is None:
            problem.lost = 1
        else:
            problem.used = (prompt, said)
        raise problem from error
    choice = completion.choices[0] if completion.choices else None
    prompt, said = _counts(completion.usage)
    return Answer(
        text=(choice.message.content or choice.message.refusal or "") if choice else "",
        finish=choice.finish_reason if choice else None,
        prompt_tokens=prompt,
        completion_tokens=said,
        seconds=round(seconds, 3),
        lost=lost,
    )


def _usage(body: str) -> object:
    """The usage of a body that is no completion, if it has one."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found.get("usage") if isinstance(found, dict) else None


def _counts(usage: Any) -> tuple[int | None, int | None]:
    """Tokens of the prompt and of the completion; None for each that is no count."""
    values = [usage.get(f"{part}_tokens") if isinstance(usage, dict) else None for part in ("prompt", "completion")]
    prompt, said = (value if type(value) is int and value >= 0 else None for value in values)
    return prompt, said


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [message.model_dump() for message in messages]
