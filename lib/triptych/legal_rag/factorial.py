"""The full factorial: every question in every phrasing, every way to find passages, every reader of them.

    todo = list(contexts(items, phrasings, arms, passages, k=5))
    kept = record(todo, {"one": client, "two": other}, corpus, [], max_tokens=96)  # every answer of every model
    answers = [*replay(todo, clients, corpus, kept, max_tokens=96), *answer(todo, ExtractiveReader(), corpus)]
    frame = judged(answers, RubricJudge(), passages, "semchunk 200")  # one row a question × arm × repeat

Two arms stand beside the retrievers: `ORACLE` hands over the gold passages (what is left when retrieval is perfect),
and `CLOSED_BOOK` hands over nothing (what a reader says by itself). They bound the design and are no part of its
crossing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, cast

import pandas as pd
from pydantic import JsonValue
from statsmodels.stats.proportion import proportion_confint
from tqdm.auto import tqdm

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import runs, score
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.generate import ModelReader, Reader, Reply, Reused
from triptych.legal_rag.judge import Case, Judge, Verdict
from triptych.legal_rag.questions import Phrasing, Question
from triptych.legal_rag.retrieve import Arm
from triptych.legal_rag.runs import Measure, Run
from triptych.llm import Client, Recorder, Replay, Taken

ORACLE, CLOSED_BOOK = "oracle", "closed book"
BOUNDS = (ORACLE, CLOSED_BOOK)
ORIGIN = ("generated", "place")
MEASURES: tuple[Measure, ...] = ("correct", "grounded", "retrieved")


@dataclass(frozen=True)
class Context:
    """What one arm hands to a reader for one question in one phrasing."""

    question: Question
    phrasing: Phrasing
    retriever: str
    passages: tuple[Passage, ...]

    @property
    def text(self) -> str:
        """The question as it is asked."""
        return self.question.phrased(self.phrasing)

    @property
    def retrieved(self) -> bool | None:
        """The paper's r: half of every gold span is covered. None when the corpus holds no answer."""
        if not self.question.answerable:
            return None
        return self.retriever == ORACLE or score.is_hit(self.question, self.passages)


@dataclass(frozen=True)
class Answered:
    """A context and what a reader replied to it; `author` identifies the reader's weights, where it has any. `repeat`
    numbers the replies of one reader to one context, from 0."""

    context: Context
    generator: str
    reply: Reply
    author: str = ""
    repeat: int = 0


def contexts(
    items: Sequence[Question],
    phrasings: Sequence[Phrasing],
    arms: Sequence[Arm],
    passages: Sequence[Passage],
    k: int,
    bounds: Sequence[str] = BOUNDS,
    seed: int = 0,
    limit: int | None = None,
) -> Iterator[Context]:
    """Every context of the design, phrasing by phrasing and within it question by question.

    Questions come in an order drawn with `seed`, each in all arms at once: wherever a run is cut off, what is done is
    a random part of the questions, each complete in its phrasing. `limit` takes the first so many of that order. The
    oracle leaves unanswerable questions out, which have no gold passage. Raises DataError when an answerable one has
    none among `passages`.
    """
    drawn = random.Random(seed).sample(list(items), len(items))[:limit]
    for phrasing in phrasings:
        for item in drawn:
            for arm in arms:
                found = tuple(hit.passage for hit in arm.search(item.phrased(phrasing), k))
                yield Context(item, phrasing, arm.name, found)
            if ORACLE in bounds and item.answerable:
                yield Context(item, phrasing, ORACLE, tuple(_gold(item, passages)))
            if CLOSED_BOOK in bounds:
                yield Context(item, phrasing, CLOSED_BOOK, ())


def answer(todo: Iterable[Context], reader: Reader, corpus: Corpus, repeat: int = 0) -> list[Answered]:
    """What the reader says to every context, in order. Raises ModelError when its model cannot be asked.

    Nothing is kept here: a model's answers are kept by its client (`llm.Cached`) the moment they arrive, so a run that
    is killed or refused goes on from there.
    """
    author = reader.client.model if isinstance(reader, ModelReader) else ""
    return [
        Answered(context, reader.name, reader.answer(context.text, context.passages, corpus), author, repeat)
        for context in tqdm(list(todo), desc=reader.name, unit="answer", mininterval=5)
    ]


def record(
    todo: Sequence[Context],
    clients: Mapping[str, Client],
    corpus: Corpus,
    known: Sequence[Taken],
    repeats: int = 1,
    **parameters: JsonValue,
) -> list[Taken]:
    """Put every context to every model (name of the generator → client) `repeats` times, and take the answers down.

    What is `known` under the digest of its question is not asked again; give none, and every client is asked for every
    cell. Repeat r is asked with `seed` + r, so its questions are other ones to every cache. Raises ModelError when a
    model cannot be asked, ParameterError as `replay`.
    """
    recorders = {name: Recorder(Reused(client, known)) for name, client in clients.items()}
    _every(todo, recorders, corpus, repeats, parameters)
    return [row for recorder in recorders.values() for row in recorder.taken]


def replay(
    todo: Sequence[Context],
    clients: Mapping[str, Client],
    corpus: Corpus,
    kept: Sequence[Taken],
    repeats: int = 1,
    remake: str = "ask again with a live model",
    **parameters: JsonValue,
) -> list[Answered]:
    """The answers of `record` again, model by model and repeat by repeat, without a model being asked.

    Raises ModelError with the command `remake` for an answer that was not kept; ParameterError for no repeats, for no
    model, or when two of them are the same model, whose answers would be one and not two.
    """
    replays = {name: Replay(client.model, client.defaults, kept, remake=remake) for name, client in clients.items()}
    return _every(todo, replays, corpus, repeats, parameters)


def _every(
    todo: Sequence[Context],
    clients: Mapping[str, Client],
    corpus: Corpus,
    repeats: int,
    parameters: Mapping[str, JsonValue],
) -> list[Answered]:
    if repeats < 1:
        raise ParameterError(f"{repeats} repeats leave nothing to ask", "repeats is at least 1")
    if not clients or len({client.model for client in clients.values()}) < len(clients):
        raise ParameterError(f"{', '.join(clients) or 'nothing'} is no list of different models", "name each one once")
    seed = parameters.get("seed", 0)
    assert isinstance(seed, int)
    answers: list[Answered] = []
    for name, client in clients.items():
        for number in range(repeats):
            own = {**parameters, "seed": seed + number} if "seed" in parameters or number else dict(parameters)
            answers += answer(todo, ModelReader(name, client, **own), corpus, number)
    return answers


def origins(kept: Sequence[Taken], made: Mapping[str, tuple[str, str]], before: pd.DataFrame | None) -> pd.DataFrame:
    """The recorded table: the columns of `Taken`, then `generated` (ISO 8601, UTC) and `place` of each answer.

    `made` holds what is known of answers made here (`generate.dates`), `before` is the recorded table that others were
    taken from. Both columns are empty where nobody kept the date.
    """
    known = dict(made)
    if before is not None and set(ORIGIN) <= set(before):
        rows = before.dropna(subset=["generated"])
        known |= {
            key: (at, place) for key, at, place in zip(rows["key"], rows["generated"], rows["place"], strict=True)
        }
    frame = pd.DataFrame([row.model_dump() for row in kept])
    found = [known.get(row.key, (None, None)) for row in kept]
    return frame.assign(
        **{name: pd.Series(part, dtype=object) for name, part in zip(ORIGIN, zip(*found, strict=True), strict=True)}
    )


def agreement(before: pd.DataFrame, kept: Sequence[Taken]) -> str:
    """How many answers of an earlier recorded table came out the same when asked for again, in words."""
    texts = dict(zip(before["key"].tolist(), before["text"].tolist(), strict=True))
    same = [row.text == texts[row.key] for row in kept if row.key in texts]
    return f"{sum(same)} of {len(same)} recorded answers came out word for word the same"


def when(recorded: pd.DataFrame) -> str:
    """When and where the answers of a recorded table (`origins`) were made, in words, and of how many it is unknown."""
    if "generated" not in recorded:
        return f"date of generation not kept for any of {len(recorded)} answers"
    dated = recorded.dropna(subset=["generated"])
    days = sorted({str(at)[:10] for at in dated["generated"].tolist()})
    places = ", ".join(sorted({str(place) for place in dated["place"].tolist()}))
    said = [f"generated {' to '.join(dict.fromkeys([days[0], days[-1]]))} on {places}"] if days else []
    if missing := len(recorded) - len(dated):
        said.append(f"date of generation not kept for {missing} of {len(recorded)} answers")
    return "; ".join(said)


def judged(answers: Sequence[Answered], judge: Judge, passages: Sequence[Passage], chunker: str) -> pd.DataFrame:
    """The tidy table: the columns of `runs.Run`, then what stands behind each row, in the order of `answers`.

    Behind: asked, text, outcome (`generate.Outcome`), prompt, shown (ids of the passages, one a line), tokens of prompt
    and answer, reasons (of the judge, one a line). A verdict that cannot be read keeps its row. A reply without text
    is not shown to the judge: it is wrong, invents nothing, and is no abstention. Raises DataError when two rows share
    a key.
    """
    spoken = iter(judge.judge([_case(each) for each in answers if not each.reply.silent]))
    verdicts = [_unsaid(judge, each) if each.reply.silent else next(spoken) for each in answers]
    rows = [
        Run(
            question=each.context.question.id,
            retriever=each.context.retriever,
            generator=each.generator,
            repeat=each.repeat,
            chunker=chunker,
            phrasing=each.context.phrasing,
            judge=judge.name,
            gold=_gold(each.context.question, passages)[0].id if each.context.question.answerable else None,
            answerable=each.context.question.answerable,
            verdict=verdict.outcome,
            correct=verdict.correct if verdict.outcome == "judged" else None,
            grounded=verdict.grounded if verdict.outcome == "judged" else None,
            retrieved=each.context.retrieved,
            abstained=verdict.abstained if verdict.outcome == "judged" else None,
        )
        for each, verdict in zip(answers, verdicts, strict=True)
    ]
    behind = [
        {
            "asked": each.context.text,
            "text": each.reply.text,
            "outcome": each.reply.outcome,
            "prompt": each.reply.prompt,
            "shown": "\n".join(passage.id for passage in each.context.passages),
            "prompt_tokens": each.reply.prompt_tokens,
            "completion_tokens": each.reply.completion_tokens,
            "reasons": "\n".join(verdict.reasons or ((verdict.error,) if verdict.error else ())),
        }
        for each, verdict in zip(answers, verdicts, strict=True)
    ]
    tokens = {"prompt_tokens": "Int64", "completion_tokens": "Int64"}
    return pd.concat([runs.table(rows), pd.DataFrame(behind).astype(tokens)], axis=1)


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of `runs.Run` alone, checked: what the inference reads."""
    return runs.check(frame.loc[:, list(Run.model_fields)])


def crossed(frame: pd.DataFrame) -> pd.DataFrame:
    """The answerable questions in the arms that are crossed: without the oracle and the closed book."""
    return runs.answerable(frame.loc[~frame["retriever"].isin(BOUNDS)])


def rates(frame: pd.DataFrame) -> pd.DataFrame:
    """Share of correct, grounded and retrieved answers in every arm, of the answerable questions.

    Columns: phrasing, retriever, generator, measure, hits, n, share, low, high (exact 95 % intervals, which take the
    questions as independent). A verdict that could not be read counts as wrong; `unparsed` says how many there are.

    Repeats are no further questions: n counts questions, and a question that was right in one repeat of two is half a
    hit. Clopper and Pearson's interval of such a count is cautious: averages vary less than single answers.
    """
    rows: list[dict[str, Any]] = []
    part = runs.answerable(frame)
    for arm, group in part.groupby(["phrasing", "retriever", "generator"], sort=False):
        phrasing, retriever, generator = cast("tuple[str, str, str]", arm)
        where = {"phrasing": phrasing, "retriever": retriever, "generator": generator}
        for measure in MEASURES:
            said: dict[str, list[float]] = defaultdict(list)
            for question, value in zip(group["question"].tolist(), runs.outcome(group, measure).tolist(), strict=True):
                said[question].append(value)
            hits, n = sum(fmean(values) for values in said.values()), len(said)
            low, high = cast("tuple[float, float]", proportion_confint(hits, n, alpha=0.05, method="beta"))
            row = {**where, "measure": measure, "hits": hits, "n": n, "share": hits / n, "low": low, "high": high}
            rows.append({**row, "unparsed": group["verdict"].tolist().count("unparsed")})
    return pd.DataFrame(rows)


def by_phrasing(frame: pd.DataFrame, table: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """A table of `taxonomy`, made for each phrasing apart, with the phrasing as its first column."""
    parts = [table(part).assign(phrasing=phrasing) for phrasing, part in frame.groupby("phrasing", sort=False)]
    whole = pd.concat(parts, ignore_index=True)
    return whole.reindex(columns=["phrasing", *(name for name in whole.columns if name != "phrasing")])


def taken(frame: pd.DataFrame) -> list[Taken]:
    """Recorded answers out of their table, without where they came from. Raises DataError when a row is none."""
    try:
        return [
            Taken.model_validate({str(name): None if pd.isna(value) else value for name, value in row.items()})
            for row in frame.drop(columns=list(ORIGIN), errors="ignore").to_dict("records")
        ]
    except ValueError as error:
        raise DataError(f"a row is no recorded answer: {error}", "git checkout notebooks/legal_rag/recorded") from None


def _case(each: Answered) -> Case:
    shown = tuple(passage.text for passage in each.context.passages)
    return Case(each.context.question, each.reply.text, shown, each.author, each.context.phrasing)


def _unsaid(judge: Judge, each: Answered) -> Verdict:
    return Verdict(judge.name, False, True, False, (f"there is no text to judge: {each.reply.outcome}",))


def _gold(item: Question, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that hold any of the gold; the first one names the cluster of questions that share it."""
    found = score.gold_passages(item, passages)
    if not found:
        raise DataError(
            f"none of the passages holds the gold of question {item.id}", "leave it out, or add its article"
        )
    return found
