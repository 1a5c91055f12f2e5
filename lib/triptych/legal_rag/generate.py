"""Passages and a question in, an answer out: the generators that the factorial crosses with the retrievers.

A *reader* is anything that answers from passages: a language model with a prompt of `prompts/`, or the extractive
reader, a control that can only quote. Two arms stand beside the retrievers: *oracle* hands over the gold passages, and
*closed book* hands over nothing.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import JsonValue

from triptych import paths, record
from triptych.errors import ModelError, ParameterError
from triptych.legal_rag import lexical
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.llm import (
    Answer,
    Cached,
    Client,
    InProcess,
    Message,
    OpenAICompatible,
    Replay,
    Taken,
    TooLong,
    system,
    user,
)
from triptych.llm.cache import key

if TYPE_CHECKING:
    from triptych.legal_rag.embed_hosted import Provider

PROMPTS = Path(__file__).with_name("prompts")
Outcome = Literal["answered", "abstained", "cut off", "too long", "empty"]

SHORT_TITLES = {
    "ai-act": "AI Act",
    "gdpr": "GDPR",
    "cra": "Cyber Resilience Act",
    "dora": "DORA",
    "nis2": "NIS2 Directive",
    "csrd": "CSRD",
}
"""How a lawyer calls the acts; for passages of other benchmarks the id of the document stands instead."""

# Who declines is part of the pattern: "the controller does not provide the data" states law.
_TEXT = r"(passages?|texts?|excerpts?|extracts?|context|(provided|given) (documents?|sources?|materials?))"
_ABSTENTION = re.compile(
    rf"\b{_TEXT}\b((?!\bthat\b)[^.;])*?\b(do|does)( not|n't) "
    r"(answer|say|contain|provide|mention|address|specify|include|state|give|indicate)\b"
    r"|\b(do|does)( not|n't) (provide|give|contain|offer) (an?|any|the)( clear| direct| specific)? answer\b"
    r"|(\b(I|we)\b[^.;]{0,25}|^(sorry,? )?)\b(can(not|'t| not)|(am |are |'m )?(unable|not able) to) "
    r"(answer|say|tell|determine|find)\b"
    r"|\bquestion[^.;]{0,20} can(not|'t| not) be answered\b"
    rf"|\bcan(not|'t| not) be (answered|determined) (from|on the basis of) (the|these)\b[^.;]*\b{_TEXT}\b"
    r"|\b(I|we) (do not|don't) know\b|\b(not enough|insufficient) information\b"
    rf"|\b(no (answer|information|mention)|not (contained|mentioned|answered|provided|specified|included|found))\b"
    rf"[^.;]{{0,40}}\bin (the|these|those)\b[^.;]{{0,20}}\b{_TEXT}\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Prompt:
    """Instructions and the form of a question; `id` names file and version, as records do."""

    id: str
    system: str
    user: Template

    def messages(self, question: str, passages: str = "") -> list[Message]:
        """The conversation that asks `question`."""
        return [system(self.system), user(self.user.substitute(question=question, passages=passages))]


@cache
def prompt(name: str) -> Prompt:
    """The prompt `prompts/NAME.toml`. Raises ParameterError when there is none."""
    path = PROMPTS / f"{name}.toml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in PROMPTS.glob("*.toml")))
        raise ParameterError(f"there is no prompt {name!r}", f"prompts: {known}")
    read = tomllib.loads(path.read_text("utf-8"))
    return Prompt(f"{name}@{read['version']}", read["system"].strip(), Template(read["user"].strip()))


def shown(passages: Sequence[Passage], corpus: Corpus) -> str:
    """Passages as a reader sees them: numbered, each under the name of its act and article."""
    return "\n\n".join(
        f"[{number}] {label(passage, corpus)}\n{passage.text}" for number, passage in enumerate(passages, start=1)
    )


def label(passage: Passage, corpus: Corpus) -> str:
    """Where a passage stands, in words: "GDPR, Article 17"; the document's id when it is no act of ours."""
    article = corpus.articles[passage.article]
    return f"{SHORT_TITLES[article.act]}, Article {article.number}" if article.act in SHORT_TITLES else article.id


@dataclass(frozen=True)
class Reply:
    """What a reader answered.

    `outcome`: "abstained" when it says that it cannot answer, "cut off" when it ran into the limit of its length,
    "too long" when the question and its passages do not fit the model, "empty" when the model was asked and sent no
    text. `replayed`: the text comes from a record, no model was asked. Token counts are None where the reader counts
    none.
    """

    text: str
    outcome: Outcome
    prompt: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    replayed: bool = False

    @property
    def silent(self) -> bool:
        """Whether there is no text to judge. That is a failure to answer, never an abstention."""
        return self.outcome in ("too long", "empty")


class Reader(Protocol):
    """Something that answers a question from passages, or from nothing."""

    @property
    def name(self) -> str: ...

    def answer(self, question: str, passages: Sequence[Passage], corpus: Corpus) -> Reply: ...


class ModelReader:
    """A language model with the project's prompts: `passages` where there are any, `closed-book` where there are none.

    `parameters` are those of the chat completion (temperature, max_tokens, seed …) and part of what an answer is kept
    under.
    """

    def __init__(self, name: str, client: Client, **parameters: JsonValue) -> None:
        self.name, self.client, self.parameters = name, client, parameters

    def answer(self, question: str, passages: Sequence[Passage], corpus: Corpus) -> Reply:
        """The model's answer. Raises ModelError when the model cannot be reached; too long a prompt and a reply without
        text are outcomes."""
        asked = prompt("passages" if passages else "closed-book")
        try:
            said = self.client.ask(asked.messages(question, shown(passages, corpus)), **self.parameters)
        except TooLong:
            return Reply("", "too long", asked.id)
        text = said.text.strip()
        outcome: Outcome = "cut off" if said.finish == "length" else "answered"
        return Reply(
            text=text,
            outcome="empty" if not text else "abstained" if abstains(text) else outcome,
            prompt=asked.id,
            prompt_tokens=said.prompt_tokens,
            completion_tokens=said.completion_tokens,
            replayed=said.replayed,
        )


def sampling(temperature: float, max_tokens: int, seed: int) -> dict[str, JsonValue]:
    """Parameters of a chat completion; a negative temperature is not sent, for models that refuse to be given one.

    Whole temperatures become integers: the digest that an answer is kept under tells 0 from 0.0.
    """
    if max_tokens < 1:
        raise ParameterError(f"an answer cannot have {max_tokens} tokens", "max_tokens is at least 1")
    warmth = int(temperature) if temperature == int(temperature) else temperature
    return {**({"temperature": warmth} if temperature >= 0 else {}), "seed": seed, "max_tokens": max_tokens}


def title(name: str) -> str:
    """How tables and figures call the model `name`."""
    return "SmolLM2-135M" if name == InProcess.SOURCE else name


def answers_file() -> Path:
    """Where answers are kept as they arrive, for all stages."""
    return paths.cache() / "answers" / "legal-rag.jsonl"


def model_client(name: str, file: Path | None = None) -> Cached:
    """The model called `name`, every answer kept as it arrives: SmolLM2 in this process, or a hosted model (`hosted`).

    `file` keeps the answers, by default one in the cache that all stages share. Nothing is loaded, and no key looked
    for, before the first question that is not in it.
    """
    kept = file or answers_file()
    local = name == InProcess.SOURCE
    inner: Client = InProcess() if local else hosted(name)
    machine = record.machine()
    place = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}" if local else "a hosted endpoint"
    return Cached(Dated(inner, dates_file(kept), place), kept, remake="ask again with a live model")


def hosted(name: str) -> Client:
    """The hosted model called `name`: "provider/model" of `embed_hosted.PROVIDERS`, or the name alone.

    The name alone, and the provider openai, are asked at OPENAI_BASE_URL with OPENAI_API_KEY, whichever server that is;
    another provider at its own address with its own key (GEMINI_API_KEY …). Raises ParameterError for a provider that
    does not chat.
    """
    from triptych.legal_rag.embed_hosted import PROVIDERS  # imports llama-index: a second

    head, _, model = name.partition("/")
    if head not in PROVIDERS:
        return OpenAICompatible(name)
    if not model or not PROVIDERS[head].chat:
        chats = ", ".join(f"{provider.name}/…" for provider in PROVIDERS.values() if provider.chat)
        raise ParameterError(f"{name!r} names no model that answers", f"{chats}, or a name at OPENAI_BASE_URL")
    return OpenAICompatible(model) if head == "openai" else Provided(PROVIDERS[head], model)


class Provided:
    """A model of a provider with an address and a key of its own, which is looked for when the model is first asked.

    `model` is the whole name "provider/model", because two providers may call different models alike. A seed is part of
    what an answer is kept under (so repeats are different questions), and is sent only to a provider that accepts one.
    """

    def __init__(self, provider: Provider, model: str) -> None:
        self.model = f"{provider.name}/{model}"
        self.defaults: Mapping[str, JsonValue] = {}
        self._provider, self._name = provider, model
        self._client: OpenAICompatible | None = None

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        """The answer; raises what `OpenAICompatible` raises, with the names of this provider's variables."""
        if self._client is None:
            secret = os.environ.get(self._provider.key_variable)
            if not secret:
                hint = f"export {self._provider.key_variable}=…, or leave this model out"
                raise ModelError(f"{self.model} needs a key", hint)
            self._client = OpenAICompatible(self._name, self._provider.url, secret)
        if not self._provider.seeds:
            parameters.pop("seed", None)
        try:
            return self._client.ask(messages, **parameters)
        except ModelError as error:
            raise type(error)(error.message, _variables(error.hint, self._provider)) from error


def _variables(hint: str | None, provider: Provider) -> str | None:
    return hint and hint.replace("OPENAI_", f"{provider.name.upper()}_")


class Dated:
    """Passes every question on and writes down when and where its answer was made: one JSON line a question.

    It belongs inside `Cached`, whose file holds no dates: what comes out of a cache was made at another time.
    """

    def __init__(self, client: Client, path: Path, place: str) -> None:
        self.client, self.path, self.place = client, path, place
        self.model, self.defaults = client.model, client.defaults

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        """The answer; raises what the client raises. A conversation that is too long is dated too: it is an outcome."""
        name = key(self.model, messages, {**self.defaults, **parameters})
        try:
            answer = self.client.ask(messages, **parameters)
        except TooLong:
            self._note(name)
            raise
        self._note(name)
        return answer

    def _note(self, name: str) -> None:
        row = {"key": name, "generated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "place": self.place}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def dates_file(answers: Path) -> Path:
    """Where the dates of the answers in the file `answers` are kept."""
    return answers.with_suffix(".dates.jsonl")


def dates(path: Path) -> dict[str, tuple[str, str]]:
    """Digest of a question → when (ISO 8601, UTC) and where its answer was made. A line that was cut off is left out:
    that answer's date is then unknown."""
    found: dict[str, tuple[str, str]] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
            found.setdefault(row["key"], (row["generated"], row["place"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


class Reused:
    """Gives the recorded answer wherever one was taken down, and asks the client only for the rest.

    An answer is found by the digest of its question (model with its weights, exact words, parameters), so code that
    has nothing to do with generation may change without one question being asked again.
    """

    def __init__(self, client: Client, taken: Iterable[Taken]) -> None:
        self.client = client
        self.model, self.defaults = client.model, client.defaults
        rows = list(taken)
        self._known = {row.key for row in rows}
        self._replay = Replay(client.model, client.defaults, rows, remake="ask again with a live model")

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        """The answer; raises what the client raises, and TooLong where that was the recorded outcome."""
        name = key(self.model, messages, {**self.defaults, **parameters})
        return (self._replay if name in self._known else self.client).ask(messages, **parameters)


class ExtractiveReader:
    """Quotes the sentences that share the most with the question, and nothing else: it cannot invent, nor reason.

    A sentence scores, for each content stem it shares with the question, one over the number of sentences on the table
    that have it. The `sentences` best ones are quoted in the order of the passages. It abstains
    when the best one shares fewer than `least` stems.
    """

    name = "extractive"

    def __init__(self, sentences: int = 2, least: int = 2) -> None:
        self.sentences, self.least = sentences, least

    def answer(self, question: str, passages: Sequence[Passage], corpus: Corpus) -> Reply:
        """The quoted sentences."""
        candidates = [sentence for passage in passages for sentence in split(passage.text)]
        stems = [lexical.stems(sentence) for sentence in candidates]
        asked = lexical.stems(question)
        rarity = {
            stem: 1 / sum(stem in each for each in stems) for stem in asked if any(stem in each for each in stems)
        }
        scores = [sum(rarity[stem] for stem in asked & each) for each in stems]
        ranked = sorted(range(len(candidates)), key=lambda row: (-scores[row], row))
        if not ranked or len(asked & stems[ranked[0]]) < self.least:
            return Reply("The passages do not answer this question.", "abstained", "none")
        chosen = sorted(row for row in ranked[: self.sentences] if scores[row] > 0)
        return Reply(" ".join(candidates[row] for row in chosen), "answered", "none")


def split(text: str) -> list[str]:
    """Sentences of a legal text: cut after ". ", "; " and ": " when a capital, a digit or a bracket follows."""
    return [piece.strip() for piece in re.split(r"(?<=[.;:])\s+(?=[A-Z0-9(‘“])", text) if piece.strip()]


def abstains(text: str) -> bool:
    """Whether an answer says that it does not know, in its first sentence, or says nothing at all.

    Only the first sentence counts: an answer that goes on to add a caution has not abstained.
    """
    first = split(text)[0] if text.strip() else ""
    return not first or bool(_ABSTENTION.search(first.replace("’", "'")))
