"""Rankings kept by content: an arm that is asked the same question over the same passages need not search again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version

from triptych.legal_rag.chunk import Hierarchy, Passage
from triptych.legal_rag.combine import AutoMerge, Hyde, within
from triptych.legal_rag.kept import Kept
from triptych.legal_rag.retrieve import Arm, Dense

SEARCHING = ("combine.py", "embed.py", "lexical.py", "rankings.py", "retrieve.py")
_PACKAGES = ("bm25s", "chromadb", "llama-index-core", "pystemmer")


class Rankings:
    """What arms find in a corpus that was cut in one way; a hierarchy is merged (`AutoMerge`).

    Arms are told apart by their names and their embedders, so give only those that `grid.arms` makes of a name.
    """

    def __init__(self, cut: Sequence[Passage] | Hierarchy) -> None:
        self.cut = cut
        self.leaves = cut.leaves if isinstance(cut, Hierarchy) else [*cut]
        """The passages that are searched."""
        self._merging: dict[str, AutoMerge] = {}

    def of(self, arm: Arm, questions: Sequence[str], depth: int) -> list[list[Passage]]:
        """The first `depth` passages of each question. An arm that asks a language model is always asked, because its
        silences are counted."""
        if any(isinstance(part, Hyde) for part in within(arm)):
            return [self._searched(arm, question, depth) for question in questions]
        embedders = [part.embedder.identity for part in within(arm) if isinstance(part, Dense)]
        kept = Kept("rankings", json.dumps([arm.name, *embedders, self._identity]), SEARCHING)
        rows = kept.values(
            [[question, depth] for question in questions],
            lambda places: [[hit.id for hit in self._searched(arm, questions[place], depth)] for place in places],
        )
        return [[self._passages[name] for name in row] for row in rows]

    def _searched(self, arm: Arm, question: str, depth: int) -> list[Passage]:
        if isinstance(self.cut, Hierarchy):
            if arm.name not in self._merging:
                self._merging[arm.name] = AutoMerge(arm, self.cut)
            arm = self._merging[arm.name]
        return [hit.passage for hit in arm.search(question, depth)]

    @cached_property
    def _passages(self) -> dict[str, Passage]:
        wholes = self.cut.parent.values() if isinstance(self.cut, Hierarchy) else []
        return {passage.id: passage for passage in [*self.leaves, *wholes]}

    @cached_property
    def _identity(self) -> str:
        """The digest of the passages and of the packages that search."""
        texts = [[name, passage.text] for name, passage in self._passages.items()]
        packages = [f"{package} {version(package)}" for package in _PACKAGES]
        return hashlib.sha256(json.dumps([texts, packages]).encode()).hexdigest()
