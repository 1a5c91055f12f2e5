"""Values kept by content: what the same code made of the same things is not made again.

A file of values is told from others by an identity: whatever its maker depends on, the source of its modules among it.
A value is found by the digest of what it was made from. So nothing stale can be served.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from triptych import paths
from triptych.errors import DataError


class Kept:
    """A file of JSON values under `paths.cache()` / `kind`. `modules` are files beside this one."""

    def __init__(self, kind: str, identity: str, modules: Sequence[str]) -> None:
        sources = "".join(Path(__file__).with_name(name).read_text("utf-8") for name in modules)
        name = hashlib.sha256(f"{identity}\0{sources}".encode()).hexdigest()[:16]
        self.file = paths.cache() / kind / f"{name}.sqlite"

    def values(self, contents: Sequence[Any], make: Callable[[list[int]], Sequence[Any]]) -> list[Any]:
        """One value for each of `contents` (anything JSON can write), in order.

        `make` gets the places of those that are not kept, each content once, and gives their values. Raises DataError
        when the file cannot be used.
        """
        names = [hashlib.sha256(json.dumps(content).encode()).hexdigest() for content in contents]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.file, timeout=120)) as table:
                table.execute("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
                known = dict(table.execute("SELECT name, value FROM kept").fetchall())
                missing = {name: place for place, name in reversed([*enumerate(names)]) if name not in known}
                places = sorted(missing.values())
                made = [json.dumps(value) for value in make(places)] if places else []
                rows = [(names[place], value) for place, value in zip(places, made, strict=True)]
                with table:
                    table.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?)", rows)
        except sqlite3.DatabaseError as error:
            raise DataError(f"the cache {self.file.name} cannot be used: {error}", f"rm {self.file}") from None
        known |= dict(rows)
        return [json.loads(known[name]) for name in names]
