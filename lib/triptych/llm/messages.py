"""What is said to a model, what it answers, and what every client can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, JsonValue

from triptych.errors import ModelError


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True)
    role: Literal["system", "user", "assistant"]
    content: str


class Answer(BaseModel):
    """What a model said; `text` is empty when it said nothing.

    Token counts are None when the server gave none; `seconds` is the time of the live call. `lost` requests were sent
    for it before and brought nothing: they may have been charged, and nobody said how much.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float
    replayed: bool = False
    lost: int = 0


class Unanswered(ModelError):
    """A question was put and brought no answer.

    `lost` requests may have been charged, nobody said how much. `used` is what a reply without an answer said of
    itself: tokens of the prompt and of the completion.
    """

    lost: int = 0
    used: tuple[int, int] = (0, 0)


class TooLong(Unanswered):
    """The conversation does not fit the model: an outcome of an experiment rather than a failure of it."""


class Client(Protocol):
    """Anything that answers.

    `model` identifies what answers, `defaults` are the parameters used where the caller gives none.
    """

    @property
    def model(self) -> str: ...

    @property
    def defaults(self) -> Mapping[str, JsonValue]: ...

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        """Answer a conversation. Parameters are those of OpenAI's chat completions. Raises ModelError; TooLong when the
        conversation does not fit the model."""
        ...


def user(text: str) -> Message:
    """A user's turn."""
    return Message(role="user", content=text)


def system(text: str) -> Message:
    """The instructions before the conversation."""
    return Message(role="system", content=text)
