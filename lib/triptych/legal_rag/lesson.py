"""The pictures of the walkthrough. Each function returns the figure and the frame of the numbers in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from triptych.figures import COLOURS
from triptych.legal_rag import generate, lexical, score
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.questions import Question
from triptych.legal_rag.retrieve import Found

_GOLD, _QUIET, _PALE = COLOURS[1], "#9A9A9A", "#DDE7EF"


def cut(passages: Sequence[Passage], question: Question) -> tuple[Figure, pd.DataFrame]:
    """An article cut into passages, to scale, with the question's gold spans marked; characters run to the right."""
    (article,) = {passage.article for passage in passages}
    spans = [span for span in question.gold if span.article == article]
    figure, panel = plt.subplots(figsize=(7.6, 1.9))
    for place, passage in enumerate(passages):
        panel.barh(
            1,
            passage.end - passage.start,
            left=passage.start,
            height=0.62,
            color=_PALE if place % 2 else "#C3D6E4",
            edgecolor="white",
        )
        panel.text((passage.start + passage.end) / 2, 1, f"{passage.tokens} tokens", ha="center", va="center", size=8.5)
    for span in spans:
        panel.barh(0, span.end - span.start, left=span.start, height=0.62, color=_GOLD)
        panel.axvspan(span.start, span.end, color=_GOLD, alpha=0.15, zorder=0)
    panel.set_yticks([1, 0], [f"{article}, cut", "gold span"])
    panel.set(xlabel="character of the article", ylim=(-0.55, 1.55), xlim=(0, max(p.end for p in passages)))
    panel.grid(visible=False)
    frame = pd.DataFrame(
        {
            "passage": passage.id,
            "start": passage.start,
            "end": passage.end,
            "tokens": passage.tokens,
            "gold_covered": max((score.coverage(span, [passage]) for span in spans), default=0.0),
        }
        for passage in passages
    )
    return figure, frame


def shared_words(question: str, passages: Sequence[Passage]) -> tuple[Figure, pd.DataFrame]:
    """How often each content stem of the question stands in each passage: the vectors that word matching compares.

    Stems that occur in no passage are drawn all the same, because they are what a word matcher cannot use.
    """
    stems = list(dict.fromkeys(lexical.tokens(question)))
    counts = np.array([[lexical.tokens(passage.text).count(stem) for stem in stems] for passage in passages])
    names = [f"{passage.article}, {passage.start}" for passage in passages]
    figure, panel = plt.subplots(figsize=(1.7 + 0.36 * len(stems), 0.9 + 0.21 * len(passages)))
    panel.imshow(np.sqrt(counts), cmap="Blues", aspect="auto", vmin=0, vmax=max(2.0, float(np.sqrt(counts.max()))))
    for (y, x), value in np.ndenumerate(counts):
        if value:
            panel.text(x, y, str(value), ha="center", va="center", size=8, color="white" if value > 3 else "black")
    panel.set_xticks(range(len(stems)), stems, rotation=50, ha="right", rotation_mode="anchor", fontsize=8)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.grid(visible=False)
    panel.tick_params(length=0)
    frame = pd.DataFrame(counts, columns=stems).assign(passage=[passage.id for passage in passages])
    return figure, frame.melt("passage", var_name="stem", value_name="count")


def rankings(found: Mapping[str, Sequence[Found]], question: Question, k: int) -> tuple[Figure, pd.DataFrame]:
    """The first passages of each arm with its own scores, best on top; gold-bearing ones coloured, a line after k."""
    deepest = max(len(hits) for hits in found.values())
    figure, panels = plt.subplots(1, len(found), figsize=(2.6 * len(found) + 0.4, 0.9 + 0.24 * deepest), squeeze=False)
    rows: list[dict[str, object]] = []
    for panel, (name, hits) in zip(panels[0], found.items(), strict=True):
        gold = [score.gold_passages(question, [hit.passage]) != [] for hit in hits]
        scores = np.array([hit.score for hit in hits])
        panel.barh(range(len(hits)), scores, color=[_GOLD if each else _PALE for each in gold], height=0.78)
        for place, hit in enumerate(hits):
            panel.text(0.02 * scores.max(), place, f"{hit.passage.article}, {hit.passage.start}", va="center", size=8)
        panel.axhline(k - 0.5, color="#444444", linewidth=0.9, linestyle="--")
        panel.set(title=name, xlabel="score", ylim=(deepest - 0.4, -0.6), xlim=(0, scores.max() * 1.05))
        panel.locator_params(axis="x", nbins=4)
        panel.set_yticks([])
        panel.grid(visible=False, axis="y")
        rows.extend(
            {"arm": name, "rank": place, "passage": hit.passage.id, "score": hit.score, "holds_gold": each}
            for place, (hit, each) in enumerate(zip(hits, gold, strict=True), start=1)
        )
    keys = [Patch(facecolor=_GOLD, label="holds some of the gold"), Patch(facecolor=_PALE, label="does not")]
    figure.legend(handles=keys, loc="outside upper right", ncols=2, fontsize=8.5)
    return figure, pd.DataFrame(rows)


def six_dots(means: pd.DataFrame, chance: str = "share of questions answered correctly") -> Figure:
    """Cell means of a small factorial with intervals: retriever, generator, mean, low, high; one line a generator."""
    retrievers, generators = (list(dict.fromkeys(means[name])) for name in ("retriever", "generator"))
    figure, panel = plt.subplots(figsize=(5.6, 3.4))
    for place, generator in enumerate(generators):
        part = means[means["generator"] == generator].set_index("retriever").loc[retrievers]
        x = np.arange(len(retrievers)) + 0.06 * (place - (len(generators) - 1) / 2)
        reach = [part["mean"] - part["low"], part["high"] - part["mean"]]
        marker = "os^D"[place % 4]
        panel.errorbar(
            x, part["mean"], yerr=reach, marker=marker, color=COLOURS[place], capsize=3, elinewidth=0.9, label=generator
        )
        panel.annotate(
            generator,
            (x[-1], part["mean"].iloc[-1]),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[place],
            fontsize=9,
        )
    panel.set_xticks(range(len(retrievers)), retrievers)
    panel.set(xlim=(-0.4, len(retrievers) - 0.35), ylim=(-0.02, 1.02), ylabel=chance, xlabel="retriever")
    return figure


def quoted(text: str, passages: Sequence[Passage]) -> list[Passage]:
    """The sentences of `passages` that an answer quotes word for word, as passages of their own.

    So an answer that only quotes can be scored without a judge: it is right when its quotations cover the gold.
    """
    found: list[Passage] = []
    for passage in passages:
        place = 0
        for sentence in generate.split(passage.text):
            place = passage.text.index(sentence, place)
            if sentence in text:
                start = passage.start + place
                found.append(Passage(passage.article, start, start + len(sentence), sentence, 0))
            place += len(sentence)
    return found
