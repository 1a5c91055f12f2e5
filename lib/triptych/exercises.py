"""Exercises: one source notebook, from which the copy that a reader works in is made.

An exercise is three consecutive code cells, told apart by their tag:

- `exercise`: functions with a docstring that says what to do and a body that is `raise NotImplementedError`;
- `solution`: the same functions, solved;
- `check`: calls them and asserts what must hold.

The committed notebook holds all three, so running it runs the solved exercises: that is what the tests and `make
figures` do. The reader's copy is the same notebook without the `solution` cells; its checks fail until the functions
are written. A copy that exists is never overwritten, because somebody's work may be in it.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from triptych import keys, paths, stages
from triptych.errors import StageError
from triptych.stages import Spec

TAGS = ("exercise", "solution", "check")
_MADE_FROM = "triptych_made_from"


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook: the names it asks for and the sources of its three cells."""

    functions: tuple[str, ...]
    exercise: str
    solution: str
    check: str


@dataclass(frozen=True)
class Copy:
    """A reader's copy: where it is, and whether it was `written` now, is `current`, or is `older` than the notebook."""

    path: Path
    state: str


def tag(cell: Any) -> str | None:
    """Which part of an exercise a cell is, if any."""
    return next((name for name in TAGS if name in cell.get("metadata", {}).get("tags", [])), None)


def find(document: Any, name: str) -> list[Exercise]:
    """The exercises of a notebook called `name`, in order.

    Raises StageError when one is not the three cells it should be: tags in another order, a function that is already
    solved, or a solution whose functions have other names or arguments.
    """
    tagged = [(place, tag(cell), str(cell["source"])) for place, cell in enumerate(document["cells"]) if tag(cell)]
    found: list[Exercise] = []
    for start in range(0, len(tagged), len(TAGS)):
        group = tagged[start : start + len(TAGS)]
        number = start // len(TAGS) + 1
        places = [place for place, _, _ in group]
        if tuple(kind for _, kind, _ in group) != TAGS or places != list(range(places[0], places[0] + len(TAGS))):
            raise StageError(
                f"{name}, exercise {number}: not three consecutive cells tagged {', '.join(TAGS)}", "correct the tags"
            )
        sources = [source for _, _, source in group]
        asked, solved = _functions(sources[0]), _functions(sources[1])
        if not asked or any(not _is_open(node) for node in asked.values()):
            raise StageError(
                f"{name}, exercise {number}: every function of the exercise cell must end in raise NotImplementedError",
                "put the answer into the cell tagged solution",
            )
        if {key: ast.unparse(node.args) for key, node in asked.items()} != {
            key: ast.unparse(solved[key].args) for key in asked if key in solved
        }:
            raise StageError(
                f"{name}, exercise {number}: the solution must define {', '.join(asked)} with the same arguments",
                "correct one of the two cells",
            )
        found.append(Exercise(tuple(asked), *sources))
    return found


def student(document: Any) -> Any:
    """The reader's copy of a notebook: everything but the cells tagged `solution`."""
    made = copy.deepcopy(document)
    made["cells"] = [cell for cell in made["cells"] if tag(cell) != "solution"]
    made["metadata"][_MADE_FROM] = keys.digest([cell["source"] for cell in made["cells"]])
    return made


def folder() -> Path:
    """build/exercises/, one folder a study."""
    return paths.build() / "exercises"


def write(spec: Spec, *, again: bool = False) -> Copy:
    """Write the reader's copy of a notebook unless there is one; with `again`, put the old one aside as `.old.ipynb`.

    Raises StageError for a notebook without exercises, or with a malformed one.
    """
    document = nbformat.read(spec.notebook, as_version=4)
    if not find(document, spec.name):
        raise StageError(f"{spec.name} has no exercises", f"those that do: {', '.join(s.name for s in having())}")
    made = student(document)
    path = folder() / f"{spec.name}.ipynb"
    if path.exists() and not again:
        before = nbformat.read(path, as_version=4)["metadata"].get(_MADE_FROM)
        return Copy(path, "current" if before == made["metadata"][_MADE_FROM] else "older")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_suffix(".old.ipynb"))
    nbformat.write(made, path)
    return Copy(path, "written")


def having() -> list[Spec]:
    """The stages whose notebooks have exercises."""
    return [
        spec
        for spec in stages.load().values()
        if any(tag(cell) for cell in nbformat.read(spec.notebook, as_version=4)["cells"])
    ]


def _functions(source: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def _is_open(node: ast.FunctionDef) -> bool:
    last = node.body[-1]
    if not isinstance(last, ast.Raise) or last.exc is None:
        return False
    raised = last.exc.func if isinstance(last.exc, ast.Call) else last.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
