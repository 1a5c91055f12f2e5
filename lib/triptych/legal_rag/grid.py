"""Ways to cut × ways to search: every pair asked the same questions, compared at equal k and at equal context.

Five passages of 400 tokens hold twice the text of five of 200, so a chunker that cuts coarsely wins at equal k without
being any better. At equal context tokens it has to earn it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import cast

import numpy as np
import pandas as pd
from pydantic import JsonValue
from statsmodels.stats.proportion import proportion_confint
from tqdm.auto import tqdm

from triptych.errors import ParameterError
from triptych.legal_rag import chunk, retrieve, score
from triptych.legal_rag.chunk import Hierarchy, Passage
from triptych.legal_rag.combine import WRITES, Fusion, Hyde, Rerank, Rm3, checked_weights, unwritten
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.questions import Phrasing, Question
from triptych.legal_rag.rankings import Rankings
from triptych.legal_rag.released_format import substring_hit
from triptych.legal_rag.retrieve import Arm, Bm25, Dense
from triptych.legal_rag.score import HALF, Rule
from triptych.llm import Client

HIERARCHY = "hierarchy 100/400"
"""Leaves of 100 tokens are searched; the 400 tokens around them come back when more than half of them were found."""
CHUNKERS = (*chunk.CHUNKERS, HIERARCHY)
DEFAULT = "semchunk 200"
HYDE = "HyDE "


def arms(
    passages: Sequence[Passage],
    names: Sequence[str],
    writer: Client | None = None,
    writes: Mapping[str, JsonValue] = WRITES,
) -> list[Arm]:
    """The arms called `names`, in that order; an arm that several need is built once.

    "BM25" or a model of `embed.MODELS`; "BM25 + RM3" expands the query; "A + B" fuses two or more arms (reciprocal
    ranks, equal weights), "A + 0.5 B" with the weights 1 and 0.5; "A → B" lets embedder B put the 50 best of A in
    order; "HyDE B" searches with embedder B for what the language model `writer` makes up as an answer when it is asked
    with the parameters `writes`. Raises ParameterError for weights that mean nothing and for HyDE without a writer,
    ModelError for a name that is none of these.
    """
    built: dict[str, Arm] = {}

    def arm(name: str) -> Arm:
        if name not in built:
            built[name] = _made(name, passages, arm, writer, writes)
        return built[name]

    return [arm(name) for name in names]


def _made(
    name: str,
    passages: Sequence[Passage],
    arm: Callable[[str], Arm],
    writer: Client | None,
    writes: Mapping[str, JsonValue],
) -> Arm:
    first, arrow, second = name.partition(" → ")
    if arrow:
        return Rerank(arm(first), _dense(second, arm, "put passages in order"))
    if name == Rm3.name:
        return Rm3(cast("Bm25", arm(Bm25.name)))
    if " + " in name:
        parts = [_weighed(part) for part in name.split(" + ")]
        weights = checked_weights([weight for weight, _ in parts], len(parts))  # before anything is embedded
        return Fusion([arm(part) for _, part in parts], weights)
    if _WEIGHT.match(name):
        raise ParameterError(
            f"{name!r} is one arm: a weight says nothing alone", 'weigh arms that are fused: "A + 0.5 B"'
        )
    if name.startswith(HYDE):
        if writer is None:
            raise ParameterError(f"{name} needs a language model that writes", "give a writer, or leave HyDE out")
        return Hyde(_dense(name.removeprefix(HYDE), arm, "search for what was written"), writer, writes)
    return retrieve.arms(passages, [name])[0]


_WEIGHT = re.compile(r"([-+.\d]\S*|nan|inf) +(.+)", re.IGNORECASE)  # no arm's name begins like a number


def _weighed(part: str) -> tuple[float, str]:
    """Weight and name of one arm of a fusion; 1 where none is given."""
    found = _WEIGHT.fullmatch(part)
    if not found:
        return 1.0, part
    try:
        return float(found[1]), found[2]
    except ValueError:
        raise ParameterError(f"{found[1]!r} in {part!r} is no weight", 'write it like this: "A + 0.5 B"') from None


def _dense(name: str, arm: Callable[[str], Arm], purpose: str) -> Dense:
    by = arm(name)
    if not isinstance(by, Dense):
        raise ParameterError(f"{name} embeds nothing and cannot {purpose}", "name an embedder")
    return by


@dataclass(frozen=True)
class Cell:
    """One pair to run."""

    chunker: str
    arm: str


def cells(chunkers: Sequence[str], names: Sequence[str], everywhere: Sequence[str]) -> list[Cell]:
    """The pairs to run: arms of `everywhere` with every chunker, the others of `names` with `DEFAULT` alone.

    Raises ParameterError for a chunker that does not exist.
    """
    if unknown := [name for name in chunkers if name not in CHUNKERS]:
        raise ParameterError(f"no chunker is called {unknown[0]!r}", f"chunkers: {', '.join(CHUNKERS)}")
    return [Cell(chunker, name) for chunker in chunkers for name in names if name in everywhere or chunker == DEFAULT]


def table(
    corpus: Corpus,
    items: Sequence[Question],
    phrasings: Sequence[Phrasing],
    pairs: Sequence[Cell],
    k: int,
    budget: int,
    rule: Rule = HALF,
    writer: Client | None = None,
) -> pd.DataFrame:
    """Recall of every pair and phrasing with k passages, and with as many as fit into `budget` WordPiece tokens.

    Columns: chunker, arm, phrasing, given ("passages" or "tokens"), limit (k or budget), passages (of the corpus), mean
    (tokens a passage), context (tokens handed over, mean over the questions), hits, n, recall, low, high (Wilson,
    95 %), unwritten (questions for which `writer`, the language model of HyDE arms, wrote nothing: `combine.Hyde`).
    With `HIERARCHY` the arm searches the leaves and `passages` counts those.
    """
    rows: list[dict[str, object]] = []
    chunkers = list(dict.fromkeys(pair.chunker for pair in pairs))
    for chunker in tqdm(chunkers, desc="ways to cut", disable=len(chunkers) < 2):
        cut = chunk.hierarchy(corpus) if chunker == HIERARCHY else chunk.CHUNKERS[chunker](corpus)
        found = Rankings(cut)
        passages = found.leaves
        size = {"passages": len(passages), "mean": fmean(passage.tokens for passage in passages)}
        for arm in arms(passages, [pair.arm for pair in pairs if pair.chunker == chunker], writer):
            for phrasing in phrasings:
                asked = [item.phrased(phrasing) for item in items]
                for given, limit, context in _contexts(arm, found, asked, k, budget):
                    rows.append(
                        {
                            "chunker": chunker,
                            "arm": arm.name,
                            "phrasing": phrasing,
                            "given": given,
                            "limit": limit,
                            **size,
                            "context": fmean(sum(passage.tokens for passage in part) for part in context),
                            "hits": sum(
                                score.is_hit(item, part, rule) for item, part in zip(items, context, strict=True)
                            ),
                            "n": len(items),
                            "unwritten": len(unwritten([arm]).intersection(asked)),
                        }
                    )
    made = pd.DataFrame(rows)
    made["recall"] = made["hits"] / made["n"]
    low, high = proportion_confint(made["hits"], made["n"], alpha=0.05, method="wilson")
    return made.assign(low=np.minimum(low, made["recall"]), high=np.maximum(high, made["recall"]))


def _contexts(
    arm: Arm, found: Rankings, asked: Sequence[str], k: int, budget: int
) -> Iterator[tuple[str, int, list[Sequence[Passage]]]]:
    """What each question gets, first as k passages, then as tokens. Merging depends on how many leaves were searched,
    so a hierarchy is searched twice, the second time for the leaves of half their usual length that fill the budget."""
    if isinstance(found.cut, Hierarchy):
        first, filled = (found.of(arm, asked, depth) for depth in (k, max(1, budget // 50)))
    else:
        filled = found.of(arm, asked, max(k, score.DEPTH))
        first = [ranked[:k] for ranked in filled]
    yield "passages", k, [*first]
    yield "tokens", budget, [score.within_budget(ranked, budget) for ranked in filled]


def id_rules(arm: Arm, items: Sequence[Question], phrasings: Sequence[Phrasing], ks: Sequence[int]) -> pd.DataFrame:
    """Recall@k by the ids of the documents alone: equal ids, as the paper means it, and the released code's substrings.

    For passages that are whole documents. A question is answered when every document of its gold is among the first k.
    Columns: arm, phrasing, k, equal, substring (questions answered), n, falsely (ids of the questions that only the
    substring answers).
    """
    rows: list[dict[str, object]] = []
    for phrasing in phrasings:
        found = {
            item.id: [hit.passage.article for hit in arm.search(item.phrased(phrasing), max(ks))] for item in items
        }
        for k in ks:
            equal = {item.id for item in items if all(span.article in found[item.id][:k] for span in item.gold)}
            inside = {
                item.id for item in items if all(substring_hit(span.article, found[item.id][:k]) for span in item.gold)
            }
            rows.append(
                {
                    "arm": arm.name,
                    "phrasing": phrasing,
                    "k": k,
                    "equal": len(equal),
                    "substring": len(inside),
                    "n": len(items),
                    "falsely": ", ".join(sorted(inside - equal)),
                }
            )
    return pd.DataFrame(rows)
