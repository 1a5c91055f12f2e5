"""One question, several arms side by side: what the notebook `explore` shows.

`Desk` has everything at hand and answers a `Query`; `page` is its answers as HTML, the evidence marked; `Dashboard`
puts widgets (ipywidgets) around both and works without a screen too.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace

import ipywidgets

from triptych.errors import ParameterError, TriptychError
from triptych.legal_rag import generate, lexical, score
from triptych.legal_rag.benchmark import Benchmark
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.generate import Reader, Reply
from triptych.legal_rag.judge import Case, Judge, Verdict
from triptych.legal_rag.questions import Phrasing, Question, Span
from triptych.legal_rag.retrieve import Arm, Found


@dataclass(frozen=True)
class Query:
    """What is asked: a question of the set in a phrasing, or, when `typed` is not blank, the words typed."""

    question: str
    phrasing: Phrasing = "distant"
    typed: str = ""
    k: int = 3


@dataclass(frozen=True)
class Seen:
    """What one arm found and one reader made of it; `verdict` is None for typed words, which have no rubric."""

    arm: str
    reader: str
    found: tuple[Found, ...]
    hit: bool | None
    reply: Reply
    verdict: Verdict | None


class Desk:
    """A benchmark with its indexes, readers and a judge, ready to be asked."""

    def __init__(self, bench: Benchmark, arms: Sequence[Arm], readers: Sequence[Reader], judge: Judge) -> None:
        self.bench, self.arms, self.readers, self.judge = bench, list(arms), list(readers), judge
        self.items = {item.id: item for item in [*bench.questions, *bench.unanswerable]}

    def item(self, query: Query) -> Question | None:
        """The question of the set, answerable or not; None for typed words. Raises ParameterError for an unknown id."""
        if query.typed.strip():
            return None
        if query.question not in self.items:
            raise ParameterError(
                f"there is no question {query.question!r}", f"ids look like {next(iter(self.items))!r}"
            )
        return self.items[query.question]

    def text(self, query: Query) -> str:
        """The words that are asked."""
        item = self.item(query)
        return query.typed.strip() if item is None else item.phrased(query.phrasing)

    def ask(self, query: Query) -> list[Seen]:
        """Every reader on every arm. Raises ParameterError unless k is positive, ModelError when a model fails."""
        item, text = self.item(query), self.text(query)
        seen: list[Seen] = []
        for arm in self.arms:
            found = tuple(arm.search(text, query.k))
            passages = [hit.passage for hit in found]
            hit = score.is_hit(item, passages) if item is not None and item.answerable else None
            for reader in self.readers:
                reply = reader.answer(text, passages, self.bench.corpus)
                verdict = None
                if item is not None:
                    case = Case(item, reply.text, tuple(each.text for each in passages), phrasing=query.phrasing)
                    (verdict,) = self.judge.judge([case])
                seen.append(Seen(arm.name, reader.name, found, hit, reply, verdict))
        return seen


def marked(passage: Passage, spans: Sequence[Span], question: str) -> str:
    """A passage as HTML: gold highlighted, and words that share a stem with the question underlined."""
    gold = {
        place
        for span in spans
        if span.article == passage.article
        for place in range(max(span.start, passage.start), min(span.end, passage.end))
    }
    asked, parts = lexical.stems(question), list[str]()
    for word, start in _words(passage.text):
        shown = html.escape(word)
        if lexical.stems(word) & asked:
            shown = f"<u>{shown}</u>"
        parts.append(f"<mark>{shown}</mark>" if passage.start + start in gold else shown)
    return "".join(parts).replace("</mark><mark>", "")


def _words(text: str) -> list[tuple[str, int]]:
    """The text in pieces that end where a letter meets something else, with their places."""
    pieces: list[tuple[str, int]] = []
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or text[place].isalnum() != text[place - 1].isalnum():
            pieces.append((text[start:place], start))
            start = place
    return pieces


def page(desk: Desk, query: Query, seen: Sequence[Seen]) -> str:
    """The answers side by side as HTML: a column an arm, its passages, then each reader's answer and verdict."""
    item, text = desk.item(query), desk.text(query)
    spans = item.gold if item is not None else ()
    head = f"<p><b>{html.escape(text)}</b></p>"
    if item is not None:
        head += f"<p>Reference ({item.id}): {html.escape(item.answer)}</p>"
    columns: list[str] = []
    for name in dict.fromkeys(each.arm for each in seen):
        own = [each for each in seen if each.arm == name]
        word = {True: "hit", False: "miss", None: ""}[own[0].hit]
        parts = [f"<h4>{html.escape(name)} {word}</h4>"]
        for place, hit in enumerate(own[0].found, start=1):
            label = html.escape(generate.label(hit.passage, desk.bench.corpus))
            body = marked(hit.passage, spans, text)
            parts.append(f"<details open><summary>{place}. {label} ({hit.score:.2f})</summary>{body}</details>")
        parts += [_answer(each) for each in own]
        columns.append(f'<td style="vertical-align:top;text-align:left;max-width:30em">{"".join(parts)}</td>')
    return f"{head}<table><tr>{''.join(columns)}</tr></table>"


def _answer(each: Seen) -> str:
    said = f"<p><b>{html.escape(each.reader)}</b> ({each.reply.outcome}): {html.escape(each.reply.text) or '…'}</p>"
    if each.verdict is None:
        return said + "<p><i>not judged: typed words have no required claims</i></p>"
    flags = {True: "yes", False: "no", None: "unread"}
    found = f"correct: {flags[each.verdict.correct]}, grounded: {flags[each.verdict.grounded]}"
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in each.verdict.reasons)
    return f"{said}<p><i>{found}</i></p><ul>{reasons}</ul>"


class Dashboard:
    """Widgets around a desk: choose a question or type one, the phrasing, and how many passages are handed over."""

    def __init__(self, desk: Desk, query: Query) -> None:
        self.desk, self.query = desk, query
        self.choice = ipywidgets.Dropdown(options=list(desk.items), value=query.question, description="question")
        self.phrasing = ipywidgets.ToggleButtons(options=list(desk.bench.phrasings), value=query.phrasing)
        self.typed = ipywidgets.Textarea(value=query.typed, placeholder="or type a question of your own")
        self.k = ipywidgets.IntSlider(value=query.k, min=1, max=10, description="passages")
        self.button = ipywidgets.Button(description="ask")
        self.out = ipywidgets.HTML()
        self.button.on_click(lambda _: self.show(self._read()))
        self.widget = ipywidgets.VBox(
            [
                ipywidgets.HBox([self.choice, self.phrasing]),
                self.typed,
                ipywidgets.HBox([self.k, self.button]),
                self.out,
            ]
        )

    def _read(self) -> Query:
        return replace(
            self.query,
            question=self.choice.value,
            phrasing=self.phrasing.value,
            typed=self.typed.value,
            k=self.k.value,
        )

    def show(self, query: Query) -> list[Seen]:
        """Ask and show; what goes wrong is shown in words instead."""
        self.query = query
        try:
            seen = self.desk.ask(query)
            self.out.value = page(self.desk, query, seen)
        except TriptychError as error:
            self.out.value = f"<p><b>{html.escape(str(error))}</b></p>"
            return []
        return seen
