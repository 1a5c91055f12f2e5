"""Our embeddings are the published ones, and the cache never lies about them."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import threading
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import Field

from triptych import data
from triptych.errors import DataError, ModelError
from triptych.legal_rag import embed
from triptych.legal_rag.embed import Embedder


class Toy(BaseEmbedding):
    """A model that counts what it is asked; `table` overrides single texts."""

    asked: list[str] = Field(default_factory=list)
    table: dict[str, Any] = Field(default_factory=dict)

    def _get_text_embedding(self, text: str) -> list[float]:
        self.asked.append(text)
        return self.table.get(text, [float(len(text)), 1.0, 0.0])

    def _get_query_embedding(self, query: str) -> list[float]:
        self.asked.append(f"query: {query}")
        return [0.0, 0.0, 2.0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def toy(**fields: Any) -> Toy:
    return Toy(model_name="toy", **fields)


def test_wordllama_gives_the_similarities_of_its_readme() -> None:
    """Published in the README of wordllama: `similarity` and the example of `rank`."""
    places = ["pawn shop", "vehicle", "truck", "shop", "park"]
    model = embed.WordLlama()
    car, *others = (np.array(model.get_text_embedding(f"i went to the {place}")) for place in ["car", *places])
    published = [0.06641249096698882, 0.7441646856486314, 0.2832691551894259, 0.19732814982305436, 0.15101404519322253]
    assert [float(car @ other) for other in others] == pytest.approx(published, abs=1e-6)


def test_minilm_gives_the_published_similarities_without_any_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The three sentences of the sentence-transformers quickstart, whose matrix is printed there for this model."""

    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    sentences = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    rows = np.array(embed.minilm().get_text_embedding_batch(sentences))
    assert rows.shape == (3, 384)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-6)
    similar = rows @ rows.T
    assert [similar[0, 1], similar[0, 2], similar[1, 2]] == pytest.approx([0.6660, 0.1046, 0.1411], abs=1e-4)


def test_minilm_is_the_mean_of_the_last_hidden_states() -> None:
    """Against transformers alone, text by text (so without padding): mean over all tokens, then unit length.

    The long text has 250 tokens, more than the 128 at which the tokenizer file would cut it by itself.
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    folder = data.member("minilm", "modules.json").parent
    reference = AutoModel.from_pretrained(folder, local_files_only=True)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = ["Who answers for that?", "The controller shall notify. " * 41 + "At once and without"]
    ours = np.array(embed.minilm().get_text_embedding_batch(texts))
    for text, vector in zip(texts, ours, strict=True):
        ids = torch.tensor([tokenizer.encode(text).ids])
        assert ids.shape[1] in (7, 252)
        with torch.no_grad():
            mean = reference(input_ids=ids).last_hidden_state[0].mean(dim=0).numpy()
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


@pytest.mark.skipif(not data.folder("mpnet-5").exists(), reason="mpnet is optional, 400 MB: fetched when it is used")
def test_mpnet_is_the_mean_of_the_last_hidden_states() -> None:
    """Against transformers alone: mean over all tokens, then unit length."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = embed.mpnet_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    reference = AutoModel.from_pretrained(folder, local_files_only=True)
    text = "The controller shall notify the personal data breach."
    with torch.no_grad():
        mean = reference(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0).numpy()
    (ours,) = embed.mpnet().get_text_embedding_batch([text])
    assert np.array(ours) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def _mpnet_parts(folder: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip in five parts, as the five packages hold it, in place of what they download."""
    with zipfile.ZipFile(folder / "whole.zip", "w") as archive:
        archive.writestr("all-mpnet-base-v2/model.safetensors", weights)
    whole = (folder / "whole.zip").read_bytes()
    step = len(whole) // 5 + 1
    for number in range(5):
        ((member, _),) = data.source(f"mpnet-{number + 1}").members.items()
        part = folder / f"mpnet-{number + 1}" / member
        part.parent.mkdir(parents=True)
        part.write_bytes(whole[number * step : (number + 1) * step])
    monkeypatch.setattr(embed.data, "fetch", lambda name: folder / name)


def test_mpnet_is_joined_from_its_parts_and_verified(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mpnet_parts(tmp_path, b"weights", monkeypatch)
    with pytest.raises(DataError, match="not the pinned ones"):
        embed.mpnet_folder()
    monkeypatch.setattr(embed, "MPNET", hashlib.sha256(b"weights").hexdigest())
    assert (embed.mpnet_folder() / "model.safetensors").read_bytes() == b"weights"


def test_a_text_is_embedded_once(own_cache: Path) -> None:
    first = Embedder("toy", toy(), identity="1")
    rows = first.texts(["aa", "b", "aa"])
    assert rows.dtype == np.float32
    assert np.array_equal(rows[0], rows[2])
    assert rows[0] == pytest.approx(np.array([2, 1, 0]) / np.sqrt(5))
    model = toy()
    again = Embedder("toy", model, identity="1")
    assert np.array_equal(again.texts(["b", "aa"]), rows[[1, 0]])
    assert (first.computed, again.computed) == (2, 0)
    assert model.asked == []


def test_two_that_want_the_same_texts_share_them(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "BATCH", 2)
    texts = ["a" * length for length in range(1, 11)]  # batches of 1 2, 3 4, …, 9 10 letters
    last = threading.Event()  # the second has embedded the last batch

    class First(Toy):
        """Begins the second in its first batch, and goes on when that one has made a batch."""

        def _get_text_embedding(self, text: str) -> list[float]:
            if other.ident is None:
                other.start()
                last.wait(60)
            return super()._get_text_embedding(text)

    class Second(Toy):
        """Waits in its second batch until the first embedder has ended."""

        def _get_text_embedding(self, text: str) -> list[float]:
            if len(self.asked) == 2:
                last.set()
                ended.wait(60)
            return super()._get_text_embedding(text)

    found: list[embed.Vectors] = []
    ended = threading.Event()
    models = First(model_name="toy"), Second(model_name="toy")
    second = Embedder("toy", models[1], identity="1")
    other = threading.Thread(target=lambda: found.append(second.texts(texts)))
    first = Embedder("toy", models[0], identity="1").texts(texts)
    ended.set()
    other.join(60)
    assert np.array_equal(found[0], first)
    assert [len(text) for text in models[0].asked] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [len(text) for text in models[1].asked] == [9, 10, 7, 8]  # the batch where they met, twice


def test_questions_and_passages_are_kept_apart(own_cache: Path) -> None:
    made = Embedder("toy", toy(), identity="1")
    assert made.texts(["a"])[0] == pytest.approx(np.array([1, 1, 0]) / np.sqrt(2))
    assert made.queries(["a"])[0] == pytest.approx([0, 0, 1])
    assert made.get_query_embedding("a") == pytest.approx([0, 0, 1])


def test_other_weights_never_share_vectors(own_cache: Path) -> None:
    Embedder("toy", toy(), identity="1").texts(["a"])
    other = Embedder("toy", toy(table={"a": [0.0, 3.0, 0.0]}), identity="2")
    assert other.texts(["a"])[0] == pytest.approx([0, 1, 0])


def test_what_was_paid_for_survives_a_failure(own_cache: Path) -> None:
    texts = [f"text {number:03}" for number in range(embed.BATCH)] + ["a very much longer bad text"]
    failing = Embedder("toy", toy(table={texts[-1]: [float("nan"), 0.0, 0.0]}), identity="1")
    with pytest.raises(ModelError, match="NaN"):
        failing.texts(texts)
    mended = Embedder("toy", toy(), identity="1")
    assert mended.texts(texts).shape == (len(texts), 3)
    assert mended.computed == 1


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([float("inf"), 0.0, 0.0], "NaN or infinity"),
        ([0.0, 0.0, 0.0], "length nought"),
        ([1.0, 2.0], "different lengths"),
        ([], "different lengths"),
    ],
)
def test_unusable_vectors_are_refused(own_cache: Path, vector: list[float], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Embedder("toy", toy(table={"bad": vector}), identity="1").texts(["good", "bad"])


def test_another_dimension_than_the_cached_one_is_refused(own_cache: Path) -> None:
    Embedder("toy", toy(), identity="1").texts(["a"])
    with pytest.raises(ModelError, match="different lengths"):
        Embedder("toy", toy(table={"b": [1.0, 2.0]}), identity="1").texts(["a", "b"])


def test_a_reply_of_another_dimension_leaves_the_cache_as_it_was(own_cache: Path) -> None:
    made = Embedder("toy", toy(), identity="1")
    good = made.texts(["a"])
    odd = Embedder("toy", toy(table={"b": [1.0, 2.0]}), identity="1")
    with pytest.raises(ModelError, match="2 now, 3 in its cache"):
        odd.texts(["b"])
    with closing(sqlite3.connect(made.file)) as table:
        assert table.execute("SELECT count(*) FROM vectors").fetchone() == (1,)
    mended = Embedder("toy", toy(), identity="1")
    assert mended.texts(["a", "b"]).shape == (2, 3)
    assert np.array_equal(mended.texts(["a"]), good)


def test_a_damaged_cache_is_told(own_cache: Path) -> None:
    made = Embedder("toy", toy(), identity="1")
    made.texts(["a"])
    made.file.write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match=r"cannot be used") as caught:
        made.texts(["b"])
    assert caught.value.hint == f"rm {made.file}"


def test_the_cache_is_a_plain_table(own_cache: Path) -> None:
    made = Embedder("toy", toy(), identity="1")
    made.texts(["a", "b"])
    with closing(sqlite3.connect(made.file)) as table:
        assert table.execute("SELECT count(*), length(vector) FROM vectors").fetchone() == (2, 12)


def test_names_and_identities() -> None:
    with pytest.raises(ModelError, match="no embedding model is called 'MiniLN'"):
        Embedder("MiniLN")
    with pytest.raises(ModelError, match="identity"):
        Embedder("toy", toy())


def test_no_texts_no_vectors(own_cache: Path) -> None:
    assert Embedder("toy", toy(), identity="1").texts([]).shape == (0, 0)
