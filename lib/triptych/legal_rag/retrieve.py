"""Retrieval arms on llama-index: BM25 over words (bm25s), cosine over embeddings (Chroma). A question in, passages out.

Every arm indexes the text of the passage and nothing else, as the paper did: no title, no article number.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import chromadb
import httpx
import numpy as np
from chromadb.api.client import Client
from chromadb.api.collection_configuration import CreateCollectionConfiguration, CreateHNSWConfiguration
from chromadb.config import Settings
from chromadb.errors import ChromaError
from llama_index.core import VectorStoreIndex
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.chroma import ChromaVectorStore
from numpy.typing import NDArray

from triptych import paths
from triptych.errors import DataError, ParameterError
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.embed import Embedder, Vectors

# Chroma's defaults are squared Euclidean distance and a graph so thin that a quarter of random queries miss their
# nearest neighbour. With these, recall against exhaustive search was at least 0.999 on random 384-d vectors.
HNSW = CreateHNSWConfiguration(space="cosine", ef_construction=400, ef_search=1000, max_neighbors=64)
COLLECTION = "passages"


@dataclass(frozen=True)
class Found:
    """A passage that an arm returned, with the arm's own score (larger is nearer; not comparable between arms)."""

    passage: Passage
    score: float


class Arm(Protocol):
    """One way to find passages. `search` returns at most `k`, best first, each passage once."""

    @property
    def name(self) -> str: ...

    def search(self, question: str, k: int) -> list[Found]: ...


class Bm25:
    """BM25 in Lucene's form (k1 = 1.5, b = 0.75: bm25s's defaults) over English Snowball stems without stop words.

    Passages that share no word with the question score nought and are left out, so fewer than k may come back.
    """

    name = "BM25"

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = _by_id(passages)
        self._retriever = BM25Retriever(nodes=[*_nodes(passages)], similarity_top_k=1)

    def search(self, question: str, k: int) -> list[Found]:
        """The k best passages. Raises ParameterError unless k is positive."""
        self._retriever.similarity_top_k = _checked(k, self._passages)
        found = _found(self._retriever.retrieve(question), self._passages)
        return [hit for hit in found if hit.score > 0]

    def weighted(self, stems: Mapping[str, float], k: int) -> list[Found]:
        """The k best passages for stems that count by their weights, which is how an expanded query is asked."""
        index = self._retriever.bm25
        scores = np.zeros(len(self._passages))
        for stem, weight in stems.items():
            if stem in index.vocab_dict:
                scores += weight * index.get_scores([stem])
        ranked = np.argsort(-scores, kind="stable")[: _checked(k, self._passages)]
        ids = list(self._passages)
        return [Found(self._passages[ids[row]], float(scores[row])) for row in ranked if scores[row] > 0]


class Dense:
    """Nearest passages by the cosine of their embeddings, from a Chroma collection that is kept in the cache."""

    def __init__(self, passages: Sequence[Passage], embedder: Embedder) -> None:
        self.name = embedder.name
        self.embedder = embedder
        self.vectors = embedder.texts([passage.text for passage in passages])
        self._passages = _by_id(passages)
        self.collection = collection(passages, self.vectors, embedder.identity)
        store = ChromaVectorStore(chroma_collection=self.collection)
        self._index = VectorStoreIndex.from_vector_store(store, embed_model=embedder)

    def search(self, question: str, k: int) -> list[Found]:
        """The k best passages with their cosines. Raises ParameterError unless k is positive."""
        retriever = self._index.as_retriever(similarity_top_k=_checked(k, self._passages))
        found = _found(retriever.retrieve(question), self._passages)
        # llama-index's Chroma store reports exp(−distance); Chroma's cosine distance is 1 − cosine.
        return [Found(hit.passage, 1.0 + math.log(hit.score)) for hit in found]

    def nearest(self, vector: Vectors, k: int) -> list[Found]:
        """The k passages with the largest cosine to a vector of any length, by exhaustive search."""
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        ids = list(self._passages)
        rows = exhaustive(self.vectors, unit, _checked(k, self._passages))
        return [Found(self._passages[ids[row]], float(self.vectors[row] @ unit)) for row in rows]

    def disagreements(self, questions: Sequence[str], k: int, tolerance: float = 1e-5) -> list[str]:
        """Where Chroma's top k is not the exhaustive search's, in words; empty when it always is (see `compare`)."""
        ids = list(self._passages)
        exact = self.vectors.astype(np.float64) @ self.embedder.queries(questions).astype(np.float64).T
        complaints: list[str] = []
        for column, question in enumerate(questions):
            answered = [hit.passage.id for hit in self.search(question, k)]
            similarity = dict(zip(ids, exact[:, column], strict=True))
            complaints += [f"{question[:60]}…: {what}" for what in compare(answered, similarity, k, tolerance)]
        return complaints


def arms(passages: Sequence[Passage], names: Sequence[str]) -> list[Arm]:
    """The arms called `names`, in that order: "BM25", a model of `embed.MODELS`, or a hosted one ("provider/model")."""
    return [Bm25(passages) if name == Bm25.name else Dense(passages, Embedder(name)) for name in names]


def compare(answered: Sequence[str], similarity: Mapping[str, float], k: int, tolerance: float) -> list[str]:
    """How an approximate top k differs from the exhaustive one, in words.

    Ties are free: an id may stand for another whose similarity is within `tolerance` of it, because which of several
    equal passages comes first is nobody's fault. So: k different ids, none clearly farther than the k-th nearest,
    none clearly nearer left out, and in order of falling similarity.
    """
    wanted = min(k, len(similarity))
    if len(set(answered)) != wanted or len(answered) != wanted:
        return [f"{len(answered)} passages, {len(set(answered))} of them different, instead of {wanted}"]
    ranked = sorted(similarity, key=lambda name: -similarity[name])
    last = similarity[ranked[wanted - 1]]
    complaints = [f"{name} is farther than rank {wanted}" for name in answered if similarity[name] < last - tolerance]
    complaints += [
        f"{name} is missing" for name in ranked if similarity[name] > last + tolerance and name not in set(answered)
    ]
    values = [similarity[name] for name in answered]
    if any(later > earlier + tolerance for earlier, later in pairwise(values)):
        complaints.append("not in order of falling similarity")
    return complaints


def exhaustive(vectors: Vectors, query: Vectors, k: int) -> NDArray[np.intp]:
    """Row numbers of the k rows of `vectors` (n, d) with the largest cosine to `query` (d,), all of unit length."""
    return np.argsort(-(vectors.astype(np.float64) @ query.astype(np.float64)), kind="stable")[:k]


def collection(passages: Sequence[Passage], vectors: Vectors, identity: str) -> chromadb.Collection:
    """The Chroma collection of these passages and vectors, built once and kept under a content key.

    It is kept in the cache, built in a temporary folder and renamed when complete, so a killed run leaves no half of
    one; or on the Chroma server of CHROMA_HOST ("host" or "host:port") when that is set. `identity` names the model
    that made the vectors. Raises DataError when the one that is kept does not hold these passages, or the server cannot
    be used.
    """
    if len(passages) != len(vectors):
        raise ParameterError(f"{len(passages)} passages but {len(vectors)} vectors", "embed these passages")
    digest = hashlib.sha256(f"{identity}\0{sorted(HNSW.items())}\0{version('chromadb')}\0".encode())
    for passage in passages:
        digest.update(f"{passage.id}\0{passage.text}\0".encode())
    name = digest.hexdigest()[:24]
    if host := os.environ.get("CHROMA_HOST"):
        return _on_server(host, name, passages, vectors)
    folder = paths.cache() / "chroma" / name
    if not folder.exists():
        build(folder, passages, vectors)
    opened = _client(folder).get_collection(COLLECTION, embedding_function=None)
    if not _holds(opened, passages):
        raise DataError(f"the Chroma collection {folder.name} does not hold these passages", f"rm -r {folder}")
    kept = opened.get(limit=1, include=["embeddings"])["embeddings"]
    if kept is None or len(kept[0]) != vectors.shape[1]:  # chromadb would say so at the first search, in its own words
        raise DataError(f"the Chroma collection {folder.name} holds vectors of another length", f"rm -r {folder}")
    return opened


def _holds(opened: chromadb.Collection, passages: Sequence[Passage]) -> bool:
    # `count()` also counts what is queued but not yet indexed, and adding a known id is silently ignored: ask for ids.
    return set(opened.get(include=[])["ids"]) == {passage.id for passage in passages}


def _on_server(host: str, name: str, passages: Sequence[Passage], vectors: Vectors) -> chromadb.Collection:
    """The collection on a Chroma server; one that is incomplete, because its builder was killed, is completed.

    Adding an id that is there is ignored by Chroma, and the name is a digest of the content: filling up is safe.
    """
    address, _, port = host.partition(":")
    hint = "start one with `chroma run --path FOLDER`, or unset CHROMA_HOST to keep vectors in the cache"
    try:
        client = chromadb.HttpClient(address, int(port or 8000), settings=Settings(anonymized_telemetry=False))
        opened = client.get_or_create_collection(
            f"triptych-{name}", configuration=CreateCollectionConfiguration(hnsw=HNSW), embedding_function=None
        )
        if not _holds(opened, passages):
            _add(opened, passages, vectors)
        complete = _holds(opened, passages)
    except (ValueError, ChromaError, httpx.HTTPError) as error:  # chromadb says ValueError when nobody listens
        raise DataError(f"the Chroma server at {host} cannot be used: {error}", hint) from None
    if not complete:
        raise DataError(f"the collection triptych-{name} at {host} holds other passages", "delete it on the server")
    return opened


def _client(folder: Path) -> Client:
    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    assert isinstance(client, Client)  # chromadb declares the interface, which lacks close()
    return client


def build(folder: Path, passages: Sequence[Passage], vectors: Vectors) -> None:
    """Build a collection in a temporary folder and rename it to `folder`, unless another process was faster."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        client = _client(scratch)
        made = client.create_collection(
            COLLECTION, configuration=CreateCollectionConfiguration(hnsw=HNSW), embedding_function=None
        )
        _add(made, passages, vectors)
        client.close()
        scratch.rename(folder)
    except OSError:
        if not folder.exists():  # otherwise another process was faster, with the same content
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _add(made: chromadb.Collection, passages: Sequence[Passage], vectors: Vectors) -> None:
    nodes = _nodes(passages)
    for node, vector in zip(nodes, vectors, strict=True):
        node.embedding = vector.tolist()
    store = ChromaVectorStore(chroma_collection=made)
    for start in range(0, len(nodes), 1000):  # well below Chroma's largest batch
        store.add(list(nodes[start : start + 1000]))


def _nodes(passages: Sequence[Passage]) -> list[TextNode]:
    """llama-index's form. Without metadata, because llama-index would embed and index that together with the text."""
    return [TextNode(id_=passage.id, text=passage.text) for passage in passages]


def _by_id(passages: Sequence[Passage]) -> dict[str, Passage]:
    if not passages:
        raise ParameterError("there are no passages to search", "give a corpus with at least one article")
    found = {passage.id: passage for passage in passages}
    if len(found) != len(passages):
        raise ParameterError("two passages have the same id", "each span of an article may occur once")
    return found


def _checked(k: int, passages: Mapping[str, Passage]) -> int:
    if k < 1:
        raise ParameterError(f"k = {k} passages cannot be asked for", "k is at least 1")
    return min(k, len(passages))


def _found(nodes: Sequence[NodeWithScore], passages: Mapping[str, Passage]) -> list[Found]:
    return [Found(passages[node.node.node_id], float(node.score or 0.0)) for node in nodes]
