"""Reading an item's slots back out of a text: contamination of generated tasks is decided on these, exactly.

Two texts with equal slots ask the same thing, whatever the wording and the names in it. A reader knows every wording
that its generator uses; a text in any other wording has no slots, and the text methods of `contamination` judge it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from triptych.ft_dojo.tasks import finance

Slots = tuple[str | int, ...]
Reader = Callable[[str], Slots | None]


def reader(task: str) -> Reader | None:
    """The reader of a task's slots, or None where only text can be compared."""
    return _READERS.get(task)


def finance_slots(text: str) -> Slots | None:
    """(concept, amounts): in order for a difference, sorted where 3 and 4 mean the same as 4 and 3."""
    words = " ".join(text.casefold().split())
    for name, operation, pattern in _patterns():
        if found := pattern.search(words):
            pair = (int(found["a"]), int(found["b"]))
            return (name, *(pair if operation == "minus" else sorted(pair)))
    return None


@cache
def _patterns() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    found: list[tuple[str, str, re.Pattern[str]]] = []
    for concept in finance.CONCEPTS:
        for template in concept.templates:
            pattern = re.escape(template).replace(r"\{a\}", r"(?P<a>\d{1,4})").replace(r"\{b\}", r"(?P<b>\d{1,4})")
            pattern = pattern.replace(r"\{who\}", r"\S+")
            found.append((concept.name, concept.operation, re.compile(pattern)))
    return tuple(found)


_READERS: dict[str, Reader] = {finance.ID: finance_slots}
