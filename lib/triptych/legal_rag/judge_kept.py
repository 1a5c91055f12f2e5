"""Verdicts kept by content: the same judge asked about the same answer again need not measure it again.

The key of a verdict is the digest of the judge (its coefficients and the source of the modules that measure), of the
question with its rubric, the answer and the passages shown, so nothing stale can be served.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from triptych import paths
from triptych.errors import DataError
from triptych.legal_rag.judge import Case, Verdict

MEASURING = ("judge.py", "judge_features.py", "judge_rubric.py", "judge_space.py", "judge_text.py")


class Kept:
    """A file of verdicts of one judge under `paths.cache()`. `identity` is whatever else tells judges apart."""

    def __init__(self, identity: str) -> None:
        sources = "".join(Path(__file__).with_name(name).read_text("utf-8") for name in MEASURING)
        self.identity = hashlib.sha256(f"{identity}\0{sources}".encode()).hexdigest()

    @property
    def file(self) -> Path:
        """Where the verdicts are."""
        return paths.cache() / "verdicts" / f"{self.identity[:16]}.sqlite"

    def verdicts(self, cases: Sequence[Case], judge: Callable[[list[Case]], list[Verdict]]) -> list[Verdict]:
        """One verdict a case, in order; `judge` is asked only about those that are not kept, each once.

        Raises DataError when the file cannot be used.
        """
        names = [_digest(case) for case in cases]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.file, timeout=120)) as table:
                table.execute("CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, verdict TEXT) WITHOUT ROWID")
                known = dict(table.execute("SELECT key, verdict FROM verdicts").fetchall())
                fresh = {name: case for name, case in zip(names, cases, strict=True) if name not in known}
                made = judge(list(fresh.values()))
                rows = [(name, json.dumps(asdict(verdict))) for name, verdict in zip(fresh, made, strict=True)]
                with table:
                    table.executemany("INSERT OR IGNORE INTO verdicts VALUES (?, ?)", rows)
        except sqlite3.DatabaseError as error:
            raise DataError(f"the cache {self.file.name} cannot be used: {error}", f"rm {self.file}") from None
        known |= dict(rows)
        return [_verdict(known[name]) for name in names]


def _digest(case: Case) -> str:
    parts = [case.question.model_dump_json(), case.text, *case.passages]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _verdict(text: str) -> Verdict:
    row = json.loads(text)
    row["reasons"] = tuple(row["reasons"])
    row["scores"] = tuple((name, value) for name, value in row["scores"])
    return Verdict(**row)
