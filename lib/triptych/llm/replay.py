"""Answers as a table: taken down while a model answers, and given back later without one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, JsonValue

from triptych.errors import ModelError
from triptych.llm.cache import key
from triptych.llm.messages import Answer, Client, Message, TooLong


class Taken(BaseModel):
    """One answer under the digest of its question (`cache.key`), without the question: prompts are long, and whoever
    replays an answer has to put the same question again anyway. `error` is set when the question was too long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    model: str
    text: str
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    error: str | None = None


class Recorder:
    """Passes every question on and takes its answer down. `taken` holds each question's once, in the order asked."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.model, self.defaults = client.model, client.defaults
        self._taken: dict[str, Taken] = {}

    @property
    def taken(self) -> list[Taken]:
        return list(self._taken.values())

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        name = key(self.model, messages, {**self.defaults, **parameters})
        try:
            answer = self.client.ask(messages, **parameters)
        except TooLong as error:
            self._taken.setdefault(name, Taken(key=name, model=self.model, text="", error=error.message))
            raise
        row = answer.model_dump(exclude={"replayed", "lost"})
        self._taken.setdefault(name, Taken(key=name, model=self.model, **row))
        return answer


class Replay:
    """Answers what was taken down, and never asks a model. The rest raises ModelError with the command `remake`."""

    def __init__(self, model: str, defaults: Mapping[str, JsonValue], taken: Iterable[Taken], *, remake: str) -> None:
        self.model, self.defaults, self.remake = model, defaults, remake
        self._taken = {row.key: row for row in taken if row.model == model}

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        row = self._taken.get(name := key(self.model, messages, {**self.defaults, **parameters}))
        if row is None:
            about = messages[-1].content[-80:] if messages else ""
            raise ModelError(f"no recorded answer of {self.model} to …{about!r} ({name[:12]})", self.remake)
        if row.error is not None:
            raise TooLong(row.error)
        return Answer(**row.model_dump(exclude={"key", "model", "error"}), replayed=True)
