"""A run's own language model where servers fail: what was lost is paid too, and its time is the run's.

`BudgetedClient` pays for answers. Here also a call that brought none is a row of the ledger, and the seconds of every
call count against the run's wall limit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from triptych.errors import LimitError, ModelError
from triptych.ft_dojo.environment.budget import Measured
from triptych.ft_dojo.environment.language_model import FRAMING, BudgetedClient
from triptych.llm.messages import Answer, Message, Unanswered


class PaidClient(BudgetedClient):
    """A `BudgetedClient` that charges each request that was sent in vain the most it can have cost.

    An answer is asked for only if the most that it can cost is left. Requests that were lost on the way to it can go
    beyond the budget; then nothing more is asked. A resumed run is told of a failure what it was told the first time.
    """

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        """Ask within the budget. Raises ModelError, ParameterError without `max_tokens`, LimitError when too little is
        left, of tokens and money or of wall seconds."""
        session, began = self.session, time.monotonic()
        row, replaying = len(session.ledger.rows), bool(session.replaying)
        if replaying:
            self._fail_again(row)
        elif session.ledger.wall_left() <= 0:
            raise LimitError("the run's wall seconds are spent", "submit or stop")
        try:
            answer = super().ask(messages, **parameters)
        except Unanswered as error:
            paid = self._pay(messages, parameters, error.lost, error.used)
            about: dict[str, JsonValue] = {"failed": row, "said": [error.message, error.hint], "paid": list(paid)}
            self._clock(began, replaying, about if any(paid) else {})
            raise
        self._pay(messages, parameters, answer.lost, (0, 0))
        self._clock(began, replaying, {})
        return answer

    def _pay(
        self, messages: Sequence[Message], parameters: Mapping[str, JsonValue], lost: int, used: tuple[int, int]
    ) -> tuple[int, int]:
        """Charge lost requests, and tokens that are known; what was charged, of the prompt and of the completion."""
        most = sum(len(message.content.encode()) + FRAMING for message in messages)
        limit = parameters.get("max_tokens", self.defaults.get("max_tokens"))
        assert isinstance(limit, int)  # or nothing would have been asked
        prompt, completion = used[0] + lost * most, used[1] + lost * limit
        if prompt or completion:
            self.session.charge_llm(prompt + completion, self._money(prompt, completion))
        return prompt, completion

    def _clock(self, began: float, replaying: bool, about: dict[str, JsonValue]) -> None:
        """Write down what a call took, beside the chain; a resumed run has it there already."""
        if not replaying:
            measured = Measured(wall=round(time.monotonic() - began, 3))
            self.session.ledger.measured.append(measured)
            self.session.journal.measure({**about, "measured": measured.model_dump()})

    def _fail_again(self, row: int) -> None:
        for line in self.session.journal.measured():
            if line.get("failed") == row:
                prompt, completion = line["paid"]
                self.session.charge_llm(prompt + completion, self._money(prompt, completion))
                raise ModelError(*line["said"])
