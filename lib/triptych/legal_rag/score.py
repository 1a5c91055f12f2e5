"""When is a question answered by what was found? Recall@k by the character spans that the answer needs.

The paper asks whether *the* gold passage is among the k. Our gold is a span of characters, so that any chunking can be
scored: the passages found must together cover enough of every span. With passages as given and a gold span that is a
whole passage, that is the paper's rule (equality of ids).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from triptych.errors import DataError, ParameterError
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.questions import Phrasing, Question, Span

if TYPE_CHECKING:  # the arms load torch and chromadb; scoring needs neither
    from triptych.legal_rag.retrieve import Arm


@dataclass(frozen=True)
class Rule:
    """What counts as a hit.

    `share`: the part of a span's characters that must be covered, in (0, 1]. `every`: every gold span, or any one of
    them. `others`: whether another sufficient set of spans does as well.
    """

    name: str
    share: float = 0.5
    every: bool = True
    others: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ParameterError(f"a share of {self.share} cannot be covered", "a number above 0, at most 1")


HALF = Rule("half of every span")  # the rule of the headline figure
WHOLE = Rule("every span whole", share=1.0)
ANY = Rule("half of any span", every=False)
SUFFICIENT = Rule("half, other passages too", others=True)
RULES = (HALF, WHOLE, ANY, SUFFICIENT)

DEPTH = 100
"""Passages of a ranking that are looked at when they are counted by tokens: more than any budget here holds."""


def coverage(span: Span, passages: Iterable[Passage]) -> float:
    """The part of a span that the passages cover together, from 0 to 1.

    White space is not counted: chunkers drop it between passages, and two neighbours hold all of what they share.
    """
    covered: set[int] = set()
    for passage in passages:
        if passage.article == span.article:
            covered.update(range(max(span.start, passage.start), min(span.end, passage.end)))
    visible = [place for place, sign in enumerate(span.quote, start=span.start) if not sign.isspace()]
    if not visible:
        raise DataError(f"span {span} holds no visible character", "correct the question")
    return sum(place in covered for place in visible) / len(visible)


def is_hit(question: Question, passages: Sequence[Passage], rule: Rule = HALF) -> bool:
    """Whether these passages answer the question under `rule`.

    Raises DataError for an unanswerable question: it has no retrieval accuracy, its right outcome is abstention.
    """
    if not question.answerable:
        raise DataError(f"question {question.id} is unanswerable and cannot be scored for retrieval", "table it apart")
    sets = [question.gold, *(question.sufficient if rule.others else ())]
    combine = all if rule.every else any
    return any(combine(coverage(span, passages) >= rule.share for span in spans) for spans in sets)


def hit_rank(question: Question, ranked: Sequence[Passage], rule: Rule = HALF) -> int | None:
    """The smallest k whose first k passages are a hit, counted from 1; None when all of `ranked` are not enough."""
    if not is_hit(question, ranked, rule):
        return None
    low, high = 1, len(ranked)  # covering more passages never uncovers a span: bisection is allowed
    while low < high:
        middle = (low + high) // 2
        if is_hit(question, ranked[:middle], rule):
            high = middle
        else:
            low = middle + 1
    return low


def gold_passages(question: Question, passages: Sequence[Passage]) -> list[Passage]:
    """The passages of a chunking that hold any part of the question's gold spans, in corpus order."""
    return [
        passage
        for passage in passages
        if any(
            passage.article == span.article and passage.start < span.end and span.start < passage.end
            for span in question.gold
        )
    ]


def within_budget(passages: Sequence[Passage], tokens: int) -> list[Passage]:
    """The first passages of a ranking that fit into `tokens` WordPiece tokens together.

    So chunkers can be compared at equal context: ten short passages against five long ones. It stops at the first
    passage that does not fit, as a prompt filled in rank order would.
    """
    fitting: list[Passage] = []
    for passage in passages:
        tokens -= passage.tokens
        if tokens < 0:
            break
        fitting.append(passage)
    return fitting


def rank_table(
    arms: Sequence[Arm],
    items: Sequence[Question],
    phrasings: Sequence[Phrasing],
    depth: int,
    rules: Sequence[Rule] = RULES,
) -> pd.DataFrame:
    """Ask every arm every question in every phrasing and note at which rank it was answered, by each rule.

    Columns: arm, phrasing, question, rule, rank (1 … depth, missing when `depth` passages were not enough). Raises
    DataError when an item is unanswerable.
    """
    rows: list[dict[str, object]] = []
    for arm in arms:
        for phrasing in phrasings:
            for item in items:
                found = [hit.passage for hit in arm.search(item.phrased(phrasing), depth)]
                asked: dict[str, object] = {"arm": arm.name, "phrasing": phrasing, "question": item.id}
                rows += [{**asked, "rule": rule.name, "rank": hit_rank(item, found, rule)} for rule in rules]
    return pd.DataFrame(rows).astype({"rank": "Int64"})


def recall_table(ranks: pd.DataFrame, ks: Sequence[int]) -> pd.DataFrame:
    """Recall@k of every arm, phrasing and rule of `rank_table`, with its 95 % Wilson interval.

    Columns: arm, phrasing, rule, k, hits, n, recall, low, high. Wilson's score interval (Wilson 1927) from statsmodels:
    unlike the textbook one it stays inside [0, 1] and does not shrink to nothing at 0 and 1.
    """
    by = ["arm", "phrasing", "rule"]
    whole = pd.concat([ranks.assign(k=k, hit=(ranks["rank"] <= k).fillna(False).astype(bool)) for k in ks])
    table = whole.groupby([*by, "k"], sort=False)["hit"].agg(hits="sum", n="size").reset_index()
    return _with_intervals(table)


def _with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns recall, low and high, made from hits and n."""
    table["recall"] = table["hits"] / table["n"]
    low, high = proportion_confint(table["hits"], table["n"], alpha=0.05, method="wilson")
    # a Wilson interval holds its own proportion; at 0 and 1 rounding may leave it outside by 1e-16
    table["low"], table["high"] = np.minimum(low, table["recall"]), np.maximum(high, table["recall"])
    return table
