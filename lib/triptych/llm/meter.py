"""Counting calls, tokens and money."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pydantic import BaseModel, Field, JsonValue

from triptych.errors import ModelError
from triptych.llm.messages import Answer, Client, Message, Unanswered


class Price(BaseModel):
    """Money per million tokens, in a currency of the user's choice."""

    prompt: float = Field(ge=0, allow_inf_nan=False)
    completion: float = Field(ge=0, allow_inf_nan=False)


class Usage(BaseModel):
    """What was asked and what it cost: tokens, money and seconds of the live calls; money is None without a price."""

    calls: int = 0
    live: int = 0
    replayed: int = 0
    failed: int = 0
    uncounted: int = 0  # requests of which no server said the tokens: tokens and money are then lower bounds
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    money: float | None = None


class Metered:
    """Counts every call. `usage` is the sum so far; it goes into the run record."""

    def __init__(self, client: Client, price: Price | None = None) -> None:
        self.client, self.price = client, price
        self.model, self.defaults = client.model, client.defaults
        self.usage = Usage(money=0.0 if price else None)
        self._lock = threading.Lock()

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        try:
            answer = self.client.ask(messages, **parameters)
        except ModelError as error:
            with self._lock:
                self.usage.calls += 1
                self.usage.failed += 1
                if isinstance(error, Unanswered):
                    self.usage.uncounted += error.lost
                    self._pay(*error.used)
            raise
        with self._lock:
            self._count(answer)
        return answer

    def _count(self, answer: Answer) -> None:
        used = self.usage
        used.calls += 1
        if answer.replayed:
            used.replayed += 1
            return
        used.live += 1
        used.seconds += answer.seconds
        used.uncounted += answer.lost + (answer.prompt_tokens is None or answer.completion_tokens is None)
        self._pay(answer.prompt_tokens or 0, answer.completion_tokens or 0)

    def _pay(self, prompt: int, completion: int) -> None:
        used = self.usage
        used.prompt_tokens += prompt
        used.completion_tokens += completion
        if self.price and used.money is not None:
            used.money += (prompt * self.price.prompt + completion * self.price.completion) / 1e6
