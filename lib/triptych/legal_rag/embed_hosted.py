"""Embedders behind an API key: OpenAI's, Gemini's and Isaacus' (the paper's three), or any compatible server's.

`PROVIDERS` also serves the generators (`generate.hosted`), so that two vendors can be run in one design.

    Embedder("openai/text-embedding-3-large")      # OPENAI_API_KEY, and OPENAI_BASE_URL for another server
    Embedder("gemini/gemini-embedding-001")        # GEMINI_API_KEY, its OpenAI-compatible endpoint
    Embedder("isaacus/kanon-2-embedder")           # ISAACUS_API_KEY, its own form of request

Vectors are cached batch by batch by the `Embedder` around them: what was paid for is kept when a later batch fails.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from pydantic import BaseModel

from triptych.errors import ModelError
from triptych.llm.clients import explained

if TYPE_CHECKING:
    import openai


@dataclass(frozen=True)
class Provider:
    """An endpoint and the environment variables that configure it.

    `tasks`: the endpoint wants to know whether a text is a document or a query, and has a form of its own (texts, task;
    embeddings). Otherwise the form is OpenAI's (input; data), in which both are embedded alike. `chat`: it completes
    chats in OpenAI's form as well. `seeds`: it accepts a seed there.
    """

    name: str
    base_url: str
    tasks: bool = False
    chat: bool = True
    seeds: bool = True

    @property
    def key_variable(self) -> str:
        return f"{self.name.upper()}_API_KEY"

    @property
    def url_variable(self) -> str:
        return f"{self.name.upper()}_BASE_URL"

    @property
    def url(self) -> str:
        """Where requests go: the variable's value, else the provider's own address."""
        return os.environ.get(self.url_variable) or self.base_url


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("openai", "https://api.openai.com/v1"),
        # "Unknown name "seed"" was its answer to a seed (reported in February 2025, not tried from here)
        Provider("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", seeds=False),
        Provider("isaacus", "https://api.isaacus.com/v1", tasks=True, chat=False),
    )
}


def find(name: str) -> tuple[Provider, str]:
    """Provider and model of a name "provider/model". Raises ModelError for any other."""
    provider, _, model = name.partition("/")
    if provider not in PROVIDERS or not model:
        raise ModelError(
            f"no hosted embedder is called {name!r}", f"provider/model, the provider one of {', '.join(PROVIDERS)}"
        )
    return PROVIDERS[provider], model


class _Row(BaseModel):
    """One embedding of a reply; the rest of the reply is not relied on."""

    index: int
    embedding: list[float]


class HostedEmbedding(BaseEmbedding):
    """An embedding endpoint as a llama-index model. No key is looked for before the first text.

    Connection errors, time-outs and the statuses 408, 409, 429 and 5xx are tried again `retries` times. Raises
    ModelError for what stays, for a reply that is no list of embeddings, and for one that has too few or too many.
    """

    _provider: Provider = PrivateAttr()
    _model: str = PrivateAttr()
    _limits: tuple[float, int] = PrivateAttr()
    _connection: Any = PrivateAttr(default=None)

    def __init__(self, name: str, timeout: float = 120, retries: int = 4, batch: int = 32) -> None:
        super().__init__(model_name=name, embed_batch_size=batch)
        self._provider, self._model = find(name)
        self._limits = timeout, retries

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._ask(texts, "retrieval/document")

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._ask([text], "retrieval/document")[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._ask([query], "retrieval/query")[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _ask(self, texts: Sequence[str], task: str) -> list[list[float]]:
        provider, (timeout, retries) = self._provider, self._limits
        body = {"texts": [*texts], "task": task} if provider.tasks else {"input": [*texts], "encoding_format": "float"}
        names = {"key": provider.key_variable, "url": provider.url_variable}
        with explained(self.model_name, timeout, retries, lambda: self._connection, **names):
            raw = self._connected().post("/embeddings", cast_to=str, body={"model": self._model, **body})
        return self._rows(raw, len(texts))

    def _connected(self) -> openai.OpenAI:
        import openai

        if self._connection is None:
            provider, (timeout, retries) = self._provider, self._limits
            key = os.environ.get(provider.key_variable)
            if not key:
                raise ModelError(
                    f"{self.model_name} needs a key",
                    f"export {provider.key_variable}=…, or leave this embedder out of the arms",
                )
            self._connection = openai.OpenAI(api_key=key, base_url=provider.url, timeout=timeout, max_retries=retries)
        return cast("openai.OpenAI", self._connection)

    def _rows(self, raw: str, expected: int) -> list[list[float]]:
        try:
            listed: Any = json.loads(raw)["embeddings" if self._provider.tasks else "data"]
            rows = sorted((_Row.model_validate(row) for row in listed), key=lambda row: row.index)
        except (KeyError, TypeError, ValueError):  # pydantic's and json's errors are ValueErrors
            raise ModelError(
                f"{self.model_name} sent something else than embeddings: {raw[:200]!r}",
                f"check {self._provider.url_variable}",
            ) from None
        if [row.index for row in rows] != list(range(expected)):
            raise ModelError(f"{self.model_name} sent {len(rows)} embeddings for {expected} texts", "run again")
        return [row.embedding for row in rows]
