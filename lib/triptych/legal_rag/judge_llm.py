"""A language model as judge: structured output, another try when it does not fit, several judges, none its own.

    judge = LanguageModelJudge(Cached(OpenAICompatible("some-model"), path, remake="…"))
    panel = Panel([judge, other, third])

What the paper's code did and this does not: a verdict that could not be read became None and dropped out of the rates.
Here it is an outcome of its own ("unparsed"), with the model's error, and stays in every table.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from string import Template

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from triptych.errors import ParameterError
from triptych.legal_rag.generate import PROMPTS
from triptych.legal_rag.judge import Case, Judge, Verdict
from triptych.llm import Client, Message, TooLong, parse, system, user

log = logging.getLogger(__name__)
NO_ANSWER = "- That the passages do not hold an answer. The answer has to decline."


class Opinion(BaseModel):
    """The JSON that a judging model has to answer with. The reasons come first, so that they are written first."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    reasons: list[str] = Field(max_length=20)
    correct: bool
    grounded: bool
    abstained: bool


@cache
def prompt() -> tuple[str, str, Template]:
    """Id ("judge@1"), instructions and form of the judge's prompt, from prompts/judge.toml."""
    found = tomllib.loads((PROMPTS / "judge.toml").read_text("utf-8"))
    return f"judge@{found['version']}", found["system"].strip(), Template(found["user"].strip())


def messages(case: Case) -> list[Message]:
    """The conversation that asks for a verdict on one answer."""
    _, instructions, form = prompt()
    claims = "\n".join(f"- {claim.text}" for claim in case.question.claims)
    shown = "\n\n".join(f"[{number}]\n{text}" for number, text in enumerate(case.passages, start=1))
    asked = form.substitute(
        question=case.question.phrased(case.phrasing),
        rubric=claims if case.question.answerable else NO_ANSWER,
        passages=shown or "(none were shown)",
        answer=case.text or "(empty)",
    )
    return [system(instructions), user(asked)]


def same_model(one: str, other: str) -> bool:
    """Whether two names are one model: without the provider before "/", the date or "latest" at the end, and the digest
    of weights after "@". "openai/gpt-5.2-2026-01-01" is "GPT-5.2", "gpt-5.2-pro" is another model. Whoever wants to
    let two dated versions judge each other says `own=True`.
    """
    return _bare(one) == _bare(other) != ""


def no_self_judging(judge: str, authors: Iterable[str]) -> None:
    """Raises ParameterError when an author is the judge: asked before anything is paid for."""
    if any(same_model(author, judge) for author in authors):
        raise ParameterError(
            f"{judge} would judge its own answers", "choose another judge, or own=True to allow it and say so"
        )


def _bare(name: str) -> str:
    last = name.strip().lower().rpartition("/")[2].partition("@")[0]
    return re.sub(r"[-_](latest|20\d\d-?[01]\d(-?[0-3]\d)?|[01]\d-[0-3]\d|\d{4})$", "", last)


class LanguageModelJudge:
    """One model as judge. `attempts` is how often it may try to give JSON that fits; `parameters` go with each call.

    It refuses an answer whose `author` is the model itself (`same_model`), unless `own` allows it. A model that cannot
    be reached raises ModelError from `judge`; wrap the client in `Cached`, and what was already paid for is kept.
    """

    def __init__(self, client: Client, attempts: int = 3, own: bool = False, **parameters: JsonValue) -> None:
        if attempts < 1:
            raise ParameterError(f"a judge with {attempts} attempts never answers", "attempts is at least 1")
        self.client, self.attempts, self.own, self.parameters = client, attempts, own, parameters
        self.name = f"{client.model} {prompt()[0]}"
        self.live = self.replayed = 0  # answers so far, for the record

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict a case, in order. Raises ParameterError for its own answers, ModelError when it has no model."""
        if not self.own:
            no_self_judging(self.client.model, {case.author for case in cases})
        return [self._one(case) for case in cases]

    def _one(self, case: Case) -> Verdict:
        try:
            said = parse(self.client, Opinion, messages(case), self.attempts, **self.parameters)
        except TooLong as error:
            return Verdict(self.name, None, None, None, error=f"does not fit the judge's context: {error}")
        for answer in said.answers:
            self.live += not answer.replayed
            self.replayed += answer.replayed
        if said.value is None:
            log.warning("%s gave no verdict on %s in %d attempts", self.name, case.question.id, len(said.answers))
            return Verdict(self.name, None, None, None, error=said.error or "no JSON")
        opinion = said.value
        return Verdict(self.name, opinion.correct, opinion.grounded, opinion.abstained, tuple(opinion.reasons))


class Panel:
    """Several judges, decided by the majority of the verdicts that could be read; a tie counts against the answer.

    A case that no judge's verdict could be read of stays unparsed. `opinions` holds each judge's own verdicts of the
    last call, for `agreement.summary`.
    """

    def __init__(self, judges: Sequence[Judge]) -> None:
        if len({judge.name for judge in judges}) != len(judges) or not judges:
            raise ParameterError("a panel needs judges of different names", "a judge asked twice gives one opinion")
        self.judges = list(judges)
        self.name = f"panel of {len(judges)}: {', '.join(judge.name for judge in judges)}"
        self.opinions: list[list[Verdict]] = []

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict a case, in order."""
        self.opinions = [judge.judge(cases) for judge in self.judges]
        return [self._together(said) for said in zip(*self.opinions, strict=True)]

    def _together(self, said: Sequence[Verdict]) -> Verdict:
        read = [verdict for verdict in said if verdict.outcome == "judged"]
        reasons = tuple(f"{verdict.judge}: {reason}" for verdict in said for reason in verdict.reasons)
        if not read:
            return Verdict(
                self.name, None, None, None, reasons, error="; ".join(verdict.error or "" for verdict in said)
            )
        correct, grounded, abstained = (
            2 * sum(bool(getattr(verdict, flag)) for verdict in read) > len(read)
            for flag in ("correct", "grounded", "abstained")
        )
        return Verdict(self.name, correct, grounded, abstained, reasons)
