"""An agent's own language model, within the run's budgets of tokens and money.

A call is made only if the most it can cost is left: a text has no more tokens than bytes, and an answer none beyond
`max_tokens`. So the budgets are never overshot. What a call really cost is a row of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from triptych.errors import LimitError, ParameterError
from triptych.ft_dojo.environment.session import Session
from triptych.llm.messages import Answer, Client, Message
from triptych.llm.meter import Price

FRAMING = 16  # tokens that a chat template may add around a message


class BudgetedClient:
    """A client that spends a session's `llm_tokens` and `money`."""

    def __init__(self, client: Client, session: Session, price: Price | None = None) -> None:
        """`price` per million tokens; None for a model that costs nothing."""
        self.client, self.session = client, session
        self.price = price or Price(prompt=0.0, completion=0.0)

    @property
    def model(self) -> str:
        return self.client.model

    @property
    def defaults(self) -> Mapping[str, JsonValue]:
        return self.client.defaults

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        """Ask within the budget. Raises ParameterError without `max_tokens`, LimitError when too little is left."""
        limit = parameters.get("max_tokens", self.defaults.get("max_tokens"))
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ParameterError(f"max_tokens is {limit!r}", "say how long an answer may be: the budget depends on it")
        most = sum(len(message.content.encode()) + FRAMING for message in messages)
        left = self.session.ledger.left()
        if most + limit > left.llm_tokens or self._money(most, limit) > left.money:
            raise LimitError(
                f"this call may take {most + limit} tokens; {left.llm_tokens} and {left.money:g} in money are left",
                "ask for less, or go on without the model",
            )
        answer = self.client.ask(messages, **parameters)
        # A server that counts nothing is charged the most it can have used.
        prompt = answer.prompt_tokens if answer.prompt_tokens is not None else most
        completion = answer.completion_tokens if answer.completion_tokens is not None else limit
        self.session.charge_llm(prompt + completion, self._money(prompt, completion))
        return answer

    def _money(self, prompt: int, completion: int) -> float:
        return (prompt * self.price.prompt + completion * self.price.completion) / 1e6
