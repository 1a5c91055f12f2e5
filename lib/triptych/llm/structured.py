"""Answers that must fit a pydantic schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from triptych.llm.messages import Answer, Client, Message, user

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True)
class Parsed(Generic[Schema]):
    """Outcome of a structured question: a value, or None and the error of the last attempt.

    Answers that never fitted are an outcome to be counted, not to be dropped.
    """

    value: Schema | None
    error: str | None
    answers: tuple[Answer, ...]


def parse(
    client: Client, schema: type[Schema], messages: Sequence[Message], attempts: int = 3, **parameters: JsonValue
) -> Parsed[Schema]:
    """Ask for JSON of a pydantic model, at most `attempts` times; each retry shows the model what was wrong.

    The schema goes along as `response_format` (pass `response_format=None` for endpoints that refuse it). Answers that
    never fit are an outcome, not an exception; a model that cannot be asked raises ModelError.
    """
    form: JsonValue = {"name": schema.__name__, "schema": schema.model_json_schema()}
    parameters = {"response_format": {"type": "json_schema", "json_schema": form}, **parameters}
    parameters = {name: value for name, value in parameters.items() if value is not None}
    talk, answers, error = list(messages), list[Answer](), "no attempt was allowed"
    for _ in range(attempts):
        answers.append(client.ask(talk, **parameters))
        text = answers[-1].text.strip()
        fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", text, re.DOTALL)
        try:
            return Parsed(schema.model_validate_json(fenced[1] if fenced else text), None, tuple(answers))
        except ValidationError as wrong:
            error = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}".strip(": ") for e in wrong.errors())
        talk += [
            Message(role="assistant", content=text or "(nothing)"),  # some servers refuse an empty turn
            user(f"That does not fit: {error}. Answer with the JSON only."),
        ]
    return Parsed(None, error, tuple(answers))
