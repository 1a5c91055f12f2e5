"""Shared by the tests of the legal study: a cache of their own, and the corpus read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych import paths
from triptych.legal_rag import corpus


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that shares only the verified data wheels with the real one."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "data").symlink_to(paths.cache() / "data")
    monkeypatch.setenv("TRIPTYCH_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def eu_law() -> corpus.Corpus:
    """The real corpus."""
    return corpus.load()
