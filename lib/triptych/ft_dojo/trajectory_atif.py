"""Export of a run to ATIF, the Agent Trajectory Interchange Format of the Harbor project, version 1.7.

The models below are the part of that format which an export uses, written down from its RFC 0001 ("Agent Trajectory
Interchange Format", v1.7, April 2026: the field tables, and the rules on `llm_call_count` and on references); unknown
fields are refused as they are there. Not used, and so not here: content parts of images, sub-agents, continuations.

One journal line becomes one step: the action is a tool call, the outcome its observation. What the environment keeps
from the agent (`private`: spans of hidden items, scores on select) is left out, so that an export can be trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from triptych.ft_dojo.environment import actions
from triptych.ft_dojo.environment.budget import total
from triptych.ft_dojo.trajectory import LANGUAGE_MODEL, Step, Trajectory

VERSION = "ATIF-v1.7"
AGENT_ONLY = ("model_name", "reasoning_content", "tool_calls", "metrics")
Extra = dict[str, Any]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AtifAgent(_Model):
    """Who acted. `model_name` is what it thought with; `tool_definitions` follow OpenAI's function-calling schema."""

    name: str
    version: str
    model_name: str | None = None
    tool_definitions: list[dict[str, Any]] | None = None
    extra: Extra | None = None


class AtifToolCall(_Model):
    """One action."""

    tool_call_id: str
    function_name: str
    arguments: dict[str, Any]
    extra: Extra | None = None


class AtifResult(_Model):
    """What came back; `source_call_id` names a tool call of the same step, or is absent where there was none."""

    source_call_id: str | None = None
    content: str | None = None
    extra: Extra | None = None


class AtifObservation(_Model):
    """What the environment answered in one step."""

    results: list[AtifResult]


class AtifMetrics(_Model):
    """What the language model took for one step."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    extra: Extra | None = None


class AtifStep(_Model):
    """One turn."""

    step_id: int = Field(ge=1)
    timestamp: str | None = None
    source: Literal["system", "user", "agent"]
    model_name: str | None = None
    message: str
    reasoning_content: str | None = None
    tool_calls: list[AtifToolCall] | None = None
    observation: AtifObservation | None = None
    metrics: AtifMetrics | None = None
    llm_call_count: int | None = Field(default=None, ge=0)
    extra: Extra | None = None

    @field_validator("timestamp")
    @classmethod
    def _iso(cls, value: str | None) -> str | None:
        if value is not None:
            datetime.fromisoformat(value)
        return value

    @model_validator(mode="after")
    def _of_an_agent(self) -> AtifStep:
        given = [name for name in AGENT_ONLY if getattr(self, name) is not None]
        if self.source != "agent" and given:
            raise ValueError(f"{given[0]} belongs to an agent's step, not to one of source {self.source}")
        if self.source == "agent" and self.llm_call_count == 0 and (self.metrics or self.reasoning_content):
            raise ValueError("a step without a language model has no metrics and no reasoning")
        return self

    @model_validator(mode="after")
    def _references(self) -> AtifStep:
        known = {call.tool_call_id for call in self.tool_calls or []}
        asked = (
            {result.source_call_id for result in self.observation.results} if self.observation else set[str | None]()
        )
        if unknown := asked - known - {None}:
            raise ValueError(
                f"step {self.step_id} answers a call that it does not make: {sorted(map(str, unknown))[0]}"
            )
        return self


class AtifFinalMetrics(_Model):
    """Totals of the run."""

    total_prompt_tokens: int | None = None
    total_completion_tokens: int | None = None
    total_cached_tokens: int | None = None
    total_cost_usd: float | None = None
    total_steps: int | None = Field(default=None, ge=0)
    extra: Extra | None = None


class AtifTrajectory(_Model):
    """The document."""

    schema_version: Literal["ATIF-v1.7"]
    session_id: str | None = None
    trajectory_id: str | None = None
    agent: AtifAgent
    steps: list[AtifStep] = Field(min_length=1)
    notes: str | None = None
    final_metrics: AtifFinalMetrics | None = None
    extra: Extra | None = None

    @model_validator(mode="after")
    def _counted(self) -> AtifTrajectory:
        if [step.step_id for step in self.steps] != list(range(1, len(self.steps) + 1)):
            raise ValueError("step_id counts from 1 without a gap")
        return self

    def json_text(self) -> str:
        """The document as JSON; fields without a value are left out."""
        return self.model_dump_json(exclude_none=True, indent=1) + "\n"


def export(trajectory: Trajectory, agent: str, instruction: str, model: str | None = None) -> AtifTrajectory:
    """A run as an ATIF document.

    `agent` names who acted, `model` its language model if it has one, `instruction` is the text it was given. Tokens
    and money are those of the ledger: it counts prompt and answer together, and money in the price list's currency, so
    they stand in `extra` and not in fields that would claim more.
    """
    steps = [AtifStep(step_id=1, source="user", message=instruction)]
    waiting: list[Step] = []  # language-model calls of the action to come
    for step in trajectory.steps:
        if step.outcome.action == LANGUAGE_MODEL:
            waiting.append(step)
            continue
        steps.append(_step(len(steps) + 1, step, waiting))
        waiting = []
    if waiting:
        steps.append(_thought(len(steps) + 1, waiting))
    spent = total([step.outcome.charged for step in trajectory.steps]).model_dump()
    return AtifTrajectory(
        schema_version=VERSION,
        session_id=trajectory.folder.name,
        agent=AtifAgent(
            name=agent,
            version=trajectory.code,
            model_name=model,
            tool_definitions=tool_definitions(),
            extra={"stamps": list(trajectory.stamps)},
        ),
        steps=steps,
        notes="Exported from a hash-chained journal; the agent's version is the digest of the environment's code.",
        final_metrics=AtifFinalMetrics(
            total_steps=len(steps), extra={**spent, "reward": trajectory.reward, "flags": list(trajectory.flags)}
        ),
        extra={"task": trajectory.card.id, "metric": trajectory.card.metric, "limits": _plain(trajectory.card.limits)},
    )


def tool_definitions() -> list[dict[str, Any]]:
    """The eight actions as function definitions in OpenAI's form."""
    return [_definition(kind) for kind in (
        actions.Inspect, actions.RunDataScript, actions.Train, actions.Evaluate, actions.ABTest, actions.AskHuman,
        actions.Submit, actions.Stop,
    )]  # fmt: skip


def _definition(kind: type[BaseModel]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    properties: dict[str, Any] = {name: value for name, value in schema["properties"].items() if name != "kind"}
    parameters = {**schema, "properties": properties}
    name = kind.model_fields["kind"].default
    about = " ".join((kind.__doc__ or "").split())
    return {"type": "function", "function": {"name": name, "description": about, "parameters": parameters}}


def _step(number: int, step: Step, thoughts: Sequence[Step]) -> AtifStep:
    outcome = step.outcome
    call = f"call-{outcome.step}"
    said = {"error": _plain(outcome.error)} if outcome.error else {"result": outcome.result}
    calls = None
    if step.action is not None:
        arguments = {name: value for name, value in step.action.items() if name != "kind"}
        calls = [AtifToolCall(tool_call_id=call, function_name=outcome.action, arguments=arguments)]
    tokens = total([thought.outcome.charged for thought in thoughts])
    return AtifStep(
        step_id=number,
        timestamp=step.at,
        source="agent",
        message="\n".join(note.text for note in step.notes) or (step.given or ""),
        tool_calls=calls,
        observation=AtifObservation(
            results=[AtifResult(source_call_id=call if calls else None, content=json.dumps(said, sort_keys=True))]
        ),
        metrics=_metrics(tokens.llm_tokens, tokens.money) if thoughts else None,
        llm_call_count=len(thoughts),
        extra={
            "journal_step": outcome.step,
            "charged": _plain(outcome.charged),
            "left": _plain(outcome.left),
            "flags": list(outcome.flags),
            "reward": outcome.reward,
        },
    )


def _thought(number: int, thoughts: Sequence[Step]) -> AtifStep:
    tokens = total([thought.outcome.charged for thought in thoughts])
    return AtifStep(
        step_id=number, source="agent", message="", metrics=_metrics(tokens.llm_tokens, tokens.money),
        llm_call_count=len(thoughts),
    )  # fmt: skip


def _metrics(tokens: int, money: float) -> AtifMetrics:
    return AtifMetrics(extra={"tokens": tokens, "money": money})


def _plain(value: BaseModel) -> dict[str, Any]:
    return value.model_dump(mode="json")
