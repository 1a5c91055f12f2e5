"""Language models as proposers and as a general tool-using agent.

The client may be live, a `Cached` one that replays a recorded conversation, or in process. It runs here, beside the
session and outside the sandbox, so no key is ever within reach of an agent's script. Every call is paid from the run's
budget of tokens and money, and its seconds from the run's wall limit, whatever it brought (`paid`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from triptych import paths
from triptych.errors import LimitError, ModelError, ParameterError
from triptych.ft_dojo import trajectory
from triptych.ft_dojo.agents import hypotheses, scripts
from triptych.ft_dojo.agents.desk import Desk
from triptych.ft_dojo.agents.paid import PaidClient
from triptych.ft_dojo.agents.plan import Hypothesis, Plan, Situation, Verdict
from triptych.ft_dojo.environment import actions
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import BASE, Session
from triptych.ft_dojo.tiny import FINE_TUNE
from triptych.ft_dojo.trainer import TrainSpec
from triptych.llm import Cached, OpenAICompatible, parse, system, user
from triptych.llm.messages import Client, Message
from triptych.llm.meter import Price

CODE = 12_000  # characters of a model's own script; ours with every cleaning step has 11,223
WORDS = 3000  # characters of everything else in a proposal
PER_TOKEN = 3  # characters of code that one token holds, at the least that is usual
THOUGHT = 4000  # tokens that a reasoning model may think before it answers: they count as tokens of its answer
ANSWER = (CODE + WORDS) // PER_TOKEN + THOUGHT  # tokens of one answer: the longest that the form allows, and thought
ATTEMPTS = 3  # at an answer of the right form
RETRIES = 2  # of a request: one that was lost is paid in full
TURNS = 40  # of the general agent
MEMORY = 12  # turns that the general agent is shown again
SHOWN = 3000  # characters of an outcome


class ModelProposal(BaseModel):
    """What a model is asked for. `code` replaces the cleaning steps by a script of its own."""

    model_config = ConfigDict(extra="forbid")

    factor: str = Field(max_length=200)
    direction: Literal["up", "down"]
    mechanism: str = Field(max_length=500)
    falsifier: str = Field(max_length=500)
    cleaning: list[str] = Field(default=[], max_length=20)
    code: str | None = Field(default=None, max_length=CODE)
    training: dict[str, JsonValue] = Field(default={})
    stop: bool = False

    @field_validator("training")
    @classmethod
    def _trainable(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        try:
            _changed(FINE_TUNE, value)
        except ParameterError as error:
            raise ValueError(f"{error.message}; {error.hint}") from error
        return value


class ModelProposer:
    """A language model that proposes plans, told what the strategist is told."""

    def __init__(self, client: Client, session: Session, price: Price | None = None, recorded: bool = False) -> None:
        """`recorded` only names the proposer: whether answers are replayed is the client's doing."""
        self.client = PaidClient(client, session, price)
        self.samples = session.task.card.limits.samples
        self.name = f"{'recorded ' if recorded else 'model '}{client.model}"

    def propose(self, situation: Situation) -> Plan | None:
        """Ask for a plan. Raises ModelError for an answer that never fits, or a model that cannot be asked."""
        return self._asked(situation, "Propose the next plan, or stop.")

    def repair(self, situation: Situation, plan: Plan, error: ErrorObservation) -> Plan | None:
        """Ask for the plan without its error."""
        about = plan.model_dump_json(exclude={"script"})
        return self._asked(
            situation,
            f"This plan failed: {about}\nError {error.code}: {error.message} ({error.hint})\nRepair it, or stop.",
        )

    def _asked(self, situation: Situation, question: str) -> Plan | None:
        messages = [system(_PROPOSING), user(f"{_told(situation)}\n\n{question}")]
        parsed = parse(self.client, ModelProposal, messages, ATTEMPTS, max_tokens=ANSWER)
        if parsed.value is None:
            raise ModelError(
                f"{self.name} never answered in the form that was asked for: {parsed.error}", "use another"
            )
        return None if parsed.value.stop else self._plan(parsed.value, situation)

    def _plan(self, proposal: ModelProposal, situation: Situation) -> Plan:
        start = situation.best.plan.spec if situation.best else FINE_TUNE.but(seed=situation.seed)
        spec = _changed(start, proposal.training)
        known = tuple(name for name in scripts.STEPS if name in proposal.cleaning)
        script = proposal.code or scripts.cleaning(known, situation.look.expected, self.samples)
        hypothesis = Hypothesis(
            factor=proposal.factor,
            direction=proposal.direction,
            mechanism=proposal.mechanism,
            falsifier=proposal.falsifier,
        )
        return Plan(script=script, spec=spec, hypothesis=hypothesis, steps=() if proposal.code else known)


def reached(options: Mapping[str, JsonValue]) -> tuple[Client, Price | None, bool]:
    """The client that a run's options describe, its price, and whether it only replays a recording.

    `model` is asked at `url` (default: OPENAI_BASE_URL) with the key of OPENAI_API_KEY, at `prompt_price` and
    `completion_price` for a million tokens; without both nobody knows what it costs, and the price is None: say 0 for
    a model that costs nothing. Its answers are remembered, so that a resumed run pays for none twice. With `answers`,
    the path of a recorded conversation, nobody is asked. Raises ParameterError without a `model`, for one price without
    the other, and for prices that are none.
    """
    if not isinstance(model := options.get("model"), str):
        raise ParameterError("this agent needs a language model", "give it the option `model`, and OPENAI_API_KEY")
    url, recorded = options.get("url"), options.get("answers")
    prices = {name: options.get(f"{name}_price") for name in ("prompt", "completion")}
    try:
        price = Price.model_validate(prices) if any(value is not None for value in prices.values()) else None
    except ValidationError as error:
        hint = "give both `prompt_price` and `completion_price`, for a million tokens, or neither"
        raise ParameterError(f"prices of {prices['prompt']!r} and {prices['completion']!r}", hint) from error
    live = OpenAICompatible(model, str(url) if url else None, retries=RETRIES)
    path = Path(str(recorded)) if recorded else paths.cache() / "ft_dojo" / "answers.jsonl"
    client = Cached(live, path, remake="play this run with a model that can be asked", live=not recorded)
    return client, price, bool(recorded)


class ToolAgent:
    """A general tool-using agent: it is shown the actions and what came of the last ones, and says the next one."""

    name = "tool agent"

    def __init__(self, client: Client, price: Price | None = None, recorded: bool = False) -> None:
        self.client, self.price = client, price
        self.proposer = f"{'recorded ' if recorded else 'model '}{client.model}"

    def play(self, session: Session) -> Verdict:
        """Until it submits or stops, the budget is spent, the model is gone, or it repeats itself."""
        desk = Desk(session)
        client = PaidClient(self.client, session, self.price)
        instruction = (session.task.folder / "instruction.md").read_text("utf-8")
        talk: list[Message] = []
        models: list[str] = []
        reason, said = "every turn is used", list[str]()
        for _ in range(TURNS):
            opening = [system(_TOOLS), user(instruction), *talk[-2 * MEMORY :]]
            try:
                answer = client.ask(opening, max_tokens=ANSWER)
            except (ModelError, LimitError) as error:
                reason = f"the model cannot be asked: {error.message}"
                break
            text = _json_in(answer.text)
            outcome = session.step(text)
            result: Mapping[str, JsonValue] = outcome.result or {}
            if outcome.ok and outcome.action == "evaluate" and result.get("model") != BASE:
                models.append(str(result["model"]))
            if outcome.done:
                return Verdict(
                    agent=self.name, proposer=self.proposer,
                    ended="submitted" if outcome.action == "submit" and outcome.ok else "stopped",
                    model=str(result["model"]) if outcome.action == "submit" and outcome.ok else None,
                    reward=outcome.reward, reason="it ended the run itself", tried=len(models),
                )  # fmt: skip
            said.append(text)
            if said[-3:] == [text] * 3:
                reason = "the same action three times"
                break
            shown = outcome.model_dump_json(include={"action", "result", "error", "left"})[:SHOWN]
            talk += [Message(role="assistant", content=answer.text or " "), user(shown)]
        return desk.finish(self.name, self.proposer, models[::-1], reason, len(models))


def _changed(start: TrainSpec, training: Mapping[str, JsonValue]) -> TrainSpec:
    """A spec with some fields changed; of `steps` and `epochs` the one that was named. Raises ParameterError."""
    other = {"steps": None} if "epochs" in training else {"epochs": None} if "steps" in training else {}
    return start.but(**{**other, **training})


def _told(situation: Situation) -> str:
    """A situation as text: the instruction, some rows, the best plan, one line for each sibling, what is left."""
    look, best = situation.look, situation.best
    parts = [
        look.instruction,
        "Some public rows:\n" + "\n".join(look.rows[:12]),
        f"Cleaning steps and the rows (of {look.total}) that each would change: {json.dumps(dict(look.changed))}",
        f"The base model scores {_with_interval(look.base_score, look.n)} on {look.n} items of val.",
    ]
    if best is not None:
        parts.append(f"The best plan so far: {best.summary}; steps {', '.join(best.plan.steps)}; {best.reason}")
        if best.curve is not None:
            parts.append(f"Its loss curve: {best.curve.model_dump_json()}")
        parts += [f"Wrong items: {cluster.count} × {cluster.what} ({cluster.example})" for cluster in best.clusters]
    for sibling, came in zip(situation.siblings, hypotheses.of_siblings(situation), strict=True):
        about = sibling.summary
        if came is not None:
            falsifier = sibling.plan.hypothesis.falsifier
            score = f"val {_with_interval(sibling.mean, look.n)}; " if sibling.runs else ""
            about += f"; {score}its hypothesis (wrong if {falsifier}) was {came}"
        parts.append(about)
    parts.append(f"Left: {situation.left.model_dump_json()}")
    return "\n".join(parts)


def _with_interval(score: float, n: int) -> str:
    """A score with what the luck of n items leaves open."""
    low, high = trajectory.interval(score, n)
    return f"{score:.2f} (95 % interval {low:.2f} to {high:.2f})"


def _json_in(text: str) -> str:
    """The outermost JSON object in an answer; the answer itself when there is none, for the session to refuse."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text


_PROPOSING = f"""You improve the fine-tuning of a small language model within a budget. Answer with one JSON object:
factor (what you change), direction (of the val score: up or down), mechanism (why), falsifier (what would show you
wrong), cleaning (a list from: {", ".join(scripts.STEPS)}) or code (a Python script of your own that writes
out/train.jsonl), training (fields of the training to change, such as steps, learning_rate, batch, schedule), stop (true
when nothing is worth its price)."""

_TOOLS = f"""You fine-tune a small language model by actions. Answer each time with exactly one action as a JSON object
with its `kind`: {", ".join(actions.KINDS)}. Look at public/train.jsonl, write a data script, train, evaluate,
submit."""
