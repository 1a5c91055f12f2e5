"""Hosted embedders against a server that misbehaves: clear errors, no key in them, and what was paid for is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from triptych.errors import ModelError
from triptych.legal_rag import embed, embed_hosted
from triptych.legal_rag.embed import Embedder

KEY = "sk-very-secret"
HANG_UP = "hang up"


class Server:
    """Embeds a text as (its length, 1, 0); `trouble` maps the number of a request to what happens instead."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.trouble: dict[int, Any] = {}
        self.always: Any = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append({"path": self.path, "key": self.headers["Authorization"], **body})
                reply = outer.trouble.get(len(outer.requests), outer.always)
                if reply == HANG_UP:
                    self.connection.close()
                    return
                status, payload = (200, outer.good(body)) if reply is None else reply
                data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    @staticmethod
    def good(body: dict[str, Any]) -> dict[str, Any]:
        texts = body.get("texts") or body["input"]
        rows = [{"index": i, "embedding": [float(len(text)), 1.0, 0.0]} for i, text in enumerate(texts)]
        return {"embeddings" if "texts" in body else "data": rows[::-1]}  # order is told by `index` alone


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[Server]:
    made = Server()
    for name in embed_hosted.PROVIDERS:
        monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
        monkeypatch.setenv(f"{name.upper()}_BASE_URL", made.url)
    yield made
    made.http.shutdown()


def unit(*values: float) -> Any:
    return pytest.approx(np.array(values) / np.linalg.norm(values), abs=1e-6)


def test_openai_form(server: Server) -> None:
    model = Embedder("openai/text-embedding-3-large")
    rows = model.texts(["four", "seventy"])
    assert rows[0] == unit(4, 1, 0)
    assert rows[1] == unit(7, 1, 0)
    (request,) = server.requests
    assert request["path"] == "/v1/embeddings"
    assert request["key"] == f"Bearer {KEY}"
    assert (request["model"], request["input"]) == ("text-embedding-3-large", ["four", "seventy"])
    assert Embedder("openai/text-embedding-3-large").texts(["seventy"])[0] == unit(7, 1, 0)
    assert len(server.requests) == 1, "cached by content"


def test_isaacus_is_told_what_is_a_question(server: Server) -> None:
    model = Embedder("isaacus/kanon-2-embedder")
    assert model.texts(["four"])[0] == unit(4, 1, 0)
    assert model.queries(["seventy"])[0] == unit(7, 1, 0)
    assert [request["task"] for request in server.requests] == ["retrieval/document", "retrieval/query"]
    assert server.requests[0]["texts"] == ["four"]


@pytest.mark.parametrize("trouble", [HANG_UP, (429, {"error": {"message": "slow down"}}), (503, b"")])
def test_trouble_that_passes_is_tried_again(server: Server, trouble: Any) -> None:
    server.trouble = {1: trouble}
    assert Embedder("gemini/gemini-embedding-001").texts(["four"])[0] == unit(4, 1, 0)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((401, {"error": {"message": f"bad key {KEY}"}}), "HTTP status 401: .*"),
        ((429, {"error": {"message": "slow down"}}), "HTTP status 429"),
        (HANG_UP, "cannot be reached"),
        ((200, b'{"data": [{"ind'), "sent something else than embeddings|cannot be asked|JSON"),
        ((200, {"data": None}), "something else than embeddings"),
        ((200, {"data": [{"index": 0, "embedding": "AAAA"}]}), "something else than embeddings"),
        ((200, {"data": []}), "0 embeddings for 1 texts"),
        ((200, b'{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}'), "NaN or infinity|something else"),
    ],
)
def test_trouble_that_stays_is_told_without_the_key(server: Server, reply: Any, said: str) -> None:
    server.always = reply
    model = Embedder("openai/m", embed_hosted.HostedEmbedding("openai/m", retries=1), identity="m")
    with pytest.raises(ModelError, match=said) as caught:
        model.texts(["four"])
    assert KEY not in str(caught.value)
    assert len(server.requests) <= 2


def test_what_was_paid_for_is_kept(server: Server) -> None:
    texts = [f"text {number}" for number in range(2 * embed.BATCH)]
    server.trouble = {2: (401, {"error": {"message": "the budget is used up"}})}
    with pytest.raises(ModelError, match="budget"):
        Embedder("openai/m").texts(texts)
    assert Embedder("openai/m").texts(texts).shape == (len(texts), 3)
    assert [len(request["input"]) for request in server.requests] == [embed.BATCH] * 3


def test_a_missing_key_names_its_variable(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISAACUS_API_KEY")
    model = Embedder("isaacus/kanon-2-embedder")
    with pytest.raises(ModelError, match="needs a key") as caught:
        model.texts(["four"])
    assert "ISAACUS_API_KEY" in str(caught.value.hint)
    assert server.requests == []


def test_another_server_or_model_never_shares_vectors(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Embedder("openai/m").identity
    assert Embedder("openai/other").identity != here
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert Embedder("openai/m").identity != here


@pytest.mark.parametrize("name", ["nobody/model", "openai/"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ModelError, match="no hosted embedder"):
        Embedder(name)
