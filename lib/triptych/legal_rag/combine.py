"""Retrieval arms made of other arms: fusion, second-stage reranking, query expansion, auto-merging of small passages.

These are what reviewers of the paper missed: its pipeline is one embedder and nothing else.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from llama_index.core import QueryBundle, StorageContext
from llama_index.core.callbacks import CallbackManager
from llama_index.core.retrievers import AutoMergingRetriever, BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from pydantic import JsonValue

from triptych.errors import ParameterError
from triptych.legal_rag import lexical
from triptych.legal_rag.chunk import Hierarchy, Passage
from triptych.legal_rag.generate import Prompt, prompt
from triptych.legal_rag.retrieve import Arm, Bm25, Dense, Found
from triptych.llm import Client, TooLong

WRITES: Mapping[str, JsonValue] = {"temperature": 0, "seed": 0, "max_tokens": 128}
"""How HyDE's model is asked unless told otherwise."""


class Fusion:
    """Weighted reciprocal rank fusion: a passage scores the sum over the arms of weight / (c + rank).

    Ranks start at 1 and c = 60 (Cormack, Clarke and Büttcher, SIGIR 2009, who give every arm the weight 1). llama-index
    has a fusion too, but it ignores weights in this mode. Each arm is asked for `depth` passages.
    """

    def __init__(
        self, arms: Sequence[Arm], weights: Sequence[float] | None = None, depth: int = 100, c: float = 60
    ) -> None:
        """Raises ParameterError for weights that mean nothing (see `checked_weights`)."""
        self.weights = checked_weights([1.0] * len(arms) if weights is None else weights, len(arms))
        self.arms, self.depth, self.c = list(arms), depth, c
        self.name = " + ".join(
            arm.name if weight == 1 else f"{weight:.15g} {arm.name}"
            for arm, weight in zip(self.arms, self.weights, strict=True)
        )

    def search(self, question: str, k: int) -> list[Found]:
        """The k best passages by fused score; ties go to the arm named first."""
        scores: dict[Passage, float] = defaultdict(float)
        for arm, weight in zip(self.arms, self.weights, strict=True):
            for rank, hit in enumerate(arm.search(question, max(self.depth, k)), start=1):
                scores[hit.passage] += weight / (self.c + rank)
        ranked = sorted(scores, key=lambda passage: -scores[passage])[:k]
        return [Found(passage, scores[passage]) for passage in ranked if scores[passage] > 0]


def checked_weights(weights: Sequence[float], arms: int) -> list[float]:
    """The weights, once it is known that so many arms can be fused with them.

    Raises ParameterError unless there is an arm, each has one finite weight of nought or more, and one is not nought.
    """
    usable = all(math.isfinite(weight) and weight >= 0 for weight in weights) and any(weights)
    if len(weights) != arms or not usable:
        raise ParameterError(
            f"{arms} arms cannot be fused with the weights {[*weights]}",
            "one weight an arm, none below nought, not all of them nought",
        )
    return [*weights]


class Rerank:
    """A second stage: the first arm's `depth` best passages in the order of the second arm's embedder.

    A cross-encoder would be the usual second stage. None comes in a package, so this is a bi-encoder.
    """

    def __init__(self, first: Arm, second: Dense, depth: int = 50) -> None:
        self.first, self.second, self.depth = first, second, depth
        self.name = f"{first.name} → {second.name}"

    def search(self, question: str, k: int) -> list[Found]:
        """The k best of the first stage's passages, with their cosines."""
        candidates = [hit.passage for hit in self.first.search(question, max(self.depth, k))]
        if not candidates:
            return []
        vectors = self.second.embedder.texts([passage.text for passage in candidates])
        cosines = vectors @ self.second.embedder.queries([question])[0]
        ranked = sorted(range(len(candidates)), key=lambda row: -float(cosines[row]))[:k]
        return [Found(candidates[row], float(cosines[row])) for row in ranked]


class Rm3:
    """BM25 with the query expanded by pseudo-relevance feedback (RM3; Abdul-Jaleel et al., TREC 2004).

    The `documents` first passages are taken for relevant. Their stems form the relevance model
    P(w|R) = Σ_d P(d|q) · tf(w, d) / |d| with P(d|q) in proportion to the BM25 score; its `terms` heaviest stems,
    normalised, are mixed with the question's own in the proportion 1 − `original` to `original`. The defaults are those
    usual in the literature: 10, 10 and 0.5.
    """

    name = "BM25 + RM3"

    def __init__(self, bm25: Bm25, documents: int = 10, terms: int = 10, original: float = 0.5) -> None:
        """Raises ParameterError for a proportion outside [0, 1], or no documents or terms."""
        if not 0 <= original <= 1 or documents < 1 or terms < 1:
            raise ParameterError(
                f"RM3 with {documents} documents, {terms} terms and proportion {original} is undefined",
                "at least one document and term; the question's own proportion lies between 0 and 1",
            )
        self.bm25, self.documents, self.terms, self.original = bm25, documents, terms, original
        self._stems: dict[Passage, Counter[str]] = {}  # of passages that were found before

    def expanded(self, question: str) -> dict[str, float]:
        """The stems of the expanded query with their weights, which add up to 1; empty for a question without any."""
        asked = Counter(lexical.tokens(question))
        weights = {stem: self.original * count / asked.total() for stem, count in asked.items()}
        found = self.bm25.search(question, self.documents)
        if not found:
            return {stem: weight / self.original for stem, weight in weights.items()} if self.original else {}
        total = sum(hit.score for hit in found)
        model: dict[str, float] = defaultdict(float)
        for hit in found:
            if hit.passage not in self._stems:
                self._stems[hit.passage] = Counter(lexical.tokens(hit.passage.text))
            stems = self._stems[hit.passage]
            for stem, count in stems.items():
                model[stem] += hit.score / total * count / stems.total()
        heaviest = sorted(model, key=lambda stem: (-model[stem], stem))[: self.terms]
        mass = sum(model[stem] for stem in heaviest)
        for stem in heaviest:
            weights[stem] = weights.get(stem, 0.0) + (1 - self.original) * model[stem] / mass
        return weights

    def search(self, question: str, k: int) -> list[Found]:
        """The k best passages of the expanded query."""
        return self.bm25.weighted(self.expanded(question), k)


class Hyde:
    """Hypothetical document embeddings (Gao et al., 2022): a model writes the passage that would answer, and that is
    searched for, with the question's own vector beside it as in the paper's experiments.

    Needs a language model that answers, live or recorded. `parameters` are those of its chat completions. A question
    that does not fit the model, or to which it writes nothing, is searched for with its own vector alone, and counted:
    `unwritten` holds these questions, for whoever reports the results.
    """

    def __init__(self, dense: Dense, client: Client, parameters: Mapping[str, JsonValue] = WRITES) -> None:
        self.dense, self.client, self.parameters = dense, client, dict(parameters)
        self.prompt: Prompt = prompt("hyde")
        self.name = f"HyDE {dense.name}"
        self.unwritten: set[str] = set()

    def search(self, question: str, k: int) -> list[Found]:
        """The k passages nearest to the mean of the two vectors. Raises ModelError when the model cannot be asked."""
        try:
            written = self.client.ask(self.prompt.messages(question), **self.parameters).text.strip()
        except TooLong:
            written = ""
        vector = self.dense.embedder.queries([question])[0]
        if written:
            vector = vector + self.dense.embedder.texts([written])[0]
        else:
            self.unwritten.add(question)
        return self.dense.nearest(vector, k)


def within(arm: Arm) -> Iterator[Arm]:
    """An arm and every arm that it is made of."""
    yield arm
    parts: Sequence[Arm] = ()
    if isinstance(arm, Fusion):
        parts = arm.arms
    elif isinstance(arm, Rerank):
        parts = arm.first, arm.second
    elif isinstance(arm, Rm3):
        parts = (arm.bm25,)
    elif isinstance(arm, Hyde):
        parts = (arm.dense,)
    elif isinstance(arm, AutoMerge):
        parts = (arm.leaves,)
    for part in parts:
        yield from within(part)


def unwritten(arms: Sequence[Arm]) -> set[str]:
    """The questions to which some HyDE arm, alone or inside another, had no passage written so far."""
    asking = [part for arm in arms for part in within(arm) if isinstance(part, Hyde)]
    return {question for arm in asking for question in arm.unwritten}


class AutoMerge:
    """Search small passages, and hand over the larger one when more than `ratio` of its parts were found.

    llama-index's auto-merging retriever over any arm that searches the leaves of a `Hierarchy`. Merged passages are
    longer, so compare at equal context tokens, not only at equal k. `breadth` leaves are asked for per passage wanted.
    """

    def __init__(self, leaves: Arm, hierarchy: Hierarchy, ratio: float = 0.5, breadth: int = 4) -> None:
        self.name = leaves.name
        self.leaves, self.ratio, self.breadth = leaves, ratio, breadth
        self._passages = {passage.id: passage for passage in [*hierarchy.leaves, *hierarchy.parent.values()]}
        nodes = {leaf.id: TextNode(id_=f"leaf {leaf.id}", text=leaf.text) for leaf in hierarchy.leaves}
        parents: dict[str, TextNode] = {}
        for leaf in hierarchy.leaves:
            whole = hierarchy.parent[leaf.id]
            parent = parents.setdefault(whole.id, TextNode(id_=f"parent {whole.id}", text=whole.text))
            nodes[leaf.id].relationships[NodeRelationship.PARENT] = RelatedNodeInfo(node_id=parent.node_id)
            children = parent.relationships.setdefault(NodeRelationship.CHILD, [])
            assert isinstance(children, list)
            children.append(RelatedNodeInfo(node_id=nodes[leaf.id].node_id))
        store = SimpleDocumentStore()
        store.add_documents([*nodes.values(), *parents.values()])
        self._nodes, self._storage = nodes, StorageContext.from_defaults(docstore=store)

    def search(self, question: str, k: int) -> list[Found]:
        """The k best passages, leaves and wholes mixed, best first."""
        hits = self.leaves.search(question, k * self.breadth)
        found = _Fixed([NodeWithScore(node=self._nodes[hit.passage.id], score=hit.score) for hit in hits])
        merging = AutoMergingRetriever(
            cast(Any, found),  # declared as a vector retriever, used as any retriever
            self._storage,
            simple_ratio_thresh=self.ratio,
        )
        merged = merging.retrieve(question)
        return [
            Found(self._passages[node.node.node_id.partition(" ")[2]], float(node.score or 0.0)) for node in merged[:k]
        ]


class _Fixed(BaseRetriever):
    """A retriever that has already found what it returns."""

    def __init__(self, found: list[NodeWithScore]) -> None:
        super().__init__(callback_manager=CallbackManager())
        self.found = found

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return list(self.found)
