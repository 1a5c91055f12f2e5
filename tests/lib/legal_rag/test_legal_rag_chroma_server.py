"""Vectors on a Chroma server: the same answers as from the cache, built once, completed after a kill, clear errors."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import chromadb
import httpx
import pytest

from triptych.errors import DataError
from triptych.legal_rag import chunk
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.embed import Embedder
from triptych.legal_rag.retrieve import Dense

QUESTION = "within how many hours must a controller notify the supervisory authority of a breach?"


@pytest.fixture(scope="module")
def passages(eu_law: Corpus) -> list[Passage]:
    return chunk.semantic(eu_law.only(["gdpr/33", "gdpr/34"]))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    command = [Path(sys.executable).with_name("chroma"), "run", "--path", folder, "--host", "127.0.0.1"]
    with subprocess.Popen(
        [*map(str, command), "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        for _ in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{port}/api/v2/heartbeat").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
        process.terminate()


def test_a_server_gives_what_the_cache_gives_and_is_filled_once(
    server: str, passages: list[Passage], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Dense(passages, Embedder("wordllama")).search(QUESTION, 3)
    monkeypatch.setenv("CHROMA_HOST", server)
    there = Dense(passages, Embedder("wordllama"))
    assert [hit.passage.id for hit in there.search(QUESTION, 3)] == [hit.passage.id for hit in here]
    assert [hit.score for hit in there.search(QUESTION, 3)] == pytest.approx([hit.score for hit in here], abs=1e-5)
    host, port = server.split(":")
    client = chromadb.HttpClient(host, int(port))
    (kept,) = [found for found in client.list_collections() if found.name.startswith("triptych-")]
    assert kept.count() == len(passages)
    Dense(passages, Embedder("wordllama"))
    assert kept.count() == len(passages)
    kept.delete(ids=[passages[0].id, passages[-1].id])  # as if the process that filled it had been killed
    assert [hit.passage.id for hit in Dense(passages, Embedder("wordllama")).search(QUESTION, 3)] == [
        hit.passage.id for hit in here
    ]
    kept.add(ids=["a stranger"], embeddings=[[1.0] * 256])
    with pytest.raises(DataError, match="holds other passages"):
        Dense(passages, Embedder("wordllama"))


@pytest.mark.parametrize("host", ["127.0.0.1:9", "127.0.0.1:no-port"])
def test_no_server_is_told(
    host: str, passages: list[Passage], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHROMA_HOST", host)
    with pytest.raises(DataError, match=f"Chroma server at {host} cannot be used") as caught:
        Dense(passages, Embedder("wordllama"))
    assert "CHROMA_HOST" in str(caught.value.hint)
