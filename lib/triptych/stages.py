"""What a stage is: its declaration in notebooks/stages.toml and the typed parameters cell of its notebook.

Standard library only: `make` reads the declarations before anything is installed.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from triptych import paths
from triptych.errors import ParameterError, StageError

PROFILES = ("smoke", "quick", "full", "paper")
STUDIES = ("legal_rag", "bitsys", "ft_dojo")
Literal = bool | int | float | str | list[Any] | None


@dataclass(frozen=True)
class Spec:
    """One stage, as declared.

    `inputs` names results of other stages ("study/notebook/result.json"), `reads` are globs of files in the checkout
    that the code reads, `data` names sources of data.toml, `recorded` results of a `full` run that are committed.
    Limits are wall minutes and gigabytes (10**9 bytes) of resident memory, all processes of the stage together.
    """

    name: str
    question: str
    minutes: float
    figures: tuple[str, ...]
    results: tuple[str, ...]
    inputs: tuple[str, ...]
    reads: tuple[str, ...]
    data: tuple[str, ...]
    recorded: tuple[str, ...]
    limit_minutes: float
    cell_limit_minutes: float
    limit_gb: float
    profiles: Mapping[str, Mapping[str, Any]]

    @property
    def study(self) -> str:
        return self.name.split("/")[0]

    @property
    def slug(self) -> str:
        """The name as one file name."""
        return self.name.replace("/", "-")

    @property
    def notebook(self) -> Path:
        return paths.notebooks() / f"{self.name}.ipynb"

    @property
    def recorded_folder(self) -> Path:
        """Where recorded results of this stage are committed."""
        return paths.notebooks() / self.study / "recorded" / self.name.split("/")[1]

    def read_files(self) -> list[Path]:
        """The files that `reads` matches now, sorted. A glob that matches nothing is an error."""
        found: list[Path] = []
        for pattern in self.reads:
            matched = sorted(path for path in paths.root().glob(pattern) if path.is_file())
            if not matched:
                raise StageError(f"{self.name}: reads = {pattern!r} matches no file", "correct notebooks/stages.toml")
            found += matched
        return sorted(set(found))


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    type: str
    default: Literal
    meaning: str


_LISTS = ("figures", "results", "inputs", "reads", "data", "recorded")
_REQUIRED = ("question", "minutes", "figures", "results", "profiles")
_OPTIONAL = {
    "inputs": [],
    "reads": [],
    "data": [],
    "recorded": [],
    "limit_minutes": 30,
    "cell_limit_minutes": 20,
    "limit_gb": 6,
}


def declaration_file() -> Path:
    """notebooks/stages.toml"""
    return paths.notebooks() / "stages.toml"


def load() -> dict[str, Spec]:
    """Every stage by name, each after the stages it reads from. Raises StageError when the declaration is faulty."""
    try:
        table = tomllib.loads(declaration_file().read_text("utf-8"))
    except OSError as error:
        raise StageError(f"notebooks/stages.toml: {error.strerror}", "git checkout notebooks/stages.toml") from None
    except tomllib.TOMLDecodeError as error:
        raise StageError(f"notebooks/stages.toml does not parse: {error}", "correct the line named") from None
    specs = {name: _spec(name, row) for name, row in table.items()}
    _check_whole(specs)
    return _ordered(specs)


def get(name: str) -> Spec:
    """The stage called `name`: as declared, or its notebook's path. Raises ParameterError with the list of names."""
    specs = load()
    wanted = name.removesuffix(".ipynb").removeprefix("./").removeprefix("notebooks/")
    if wanted not in specs:
        raise ParameterError(f"no stage is called {name!r}", f"stages: {', '.join(specs)}")
    return specs[wanted]


def select(study: str | None = None) -> list[Spec]:
    """The stages of one study (or all), together with every stage that they read from."""
    specs = load()
    if study and study not in STUDIES:
        raise ParameterError(f"no study is called {study!r}", f"studies: {', '.join(STUDIES)}")
    wanted = {name for name, spec in specs.items() if not study or spec.study == study}
    for name in reversed(specs):
        if name in wanted:
            wanted |= {producer(ref)[0] for ref in specs[name].inputs}
    return [spec for name, spec in specs.items() if name in wanted]


def longest_first(chosen: Sequence[Spec]) -> list[Spec]:
    """The stages in the order in which to begin them when several run at a time: by the declared minutes that must pass
    from there on, a stage's own and those of the longest chain that waits for it."""
    chain: dict[str, float] = {}
    for spec in reversed(chosen):  # readers stand after what they read
        waiting = [chain[other.name] for other in chosen if spec.name in {producer(ref)[0] for ref in other.inputs}]
        chain[spec.name] = spec.minutes + max(waiting, default=0.0)
    return sorted(chosen, key=lambda spec: -chain[spec.name])


def producer(reference: str) -> tuple[str, str]:
    """Split "study/notebook/result.json" into the stage's name and the result."""
    stage, _, result = reference.rpartition("/")
    return stage, result


def check_profile(profile: str) -> str:
    """`profile` itself. Raises ParameterError with the list of profiles."""
    if profile not in PROFILES:
        raise ParameterError(f"no profile is called {profile!r}", f"profiles: {', '.join(PROFILES)}")
    return profile


def _spec(name: str, row: dict[str, Any]) -> Spec:
    def fault(message: str) -> StageError:
        return StageError(f"notebooks/stages.toml, [{name!r}]: {message}", "correct the declaration")

    parts = PurePosixPath(name).parts
    if len(parts) != 2 or parts[0] not in STUDIES:
        raise fault(f"a stage is called STUDY/NOTEBOOK, with a study of {', '.join(STUDIES)}")
    if unknown := set(row) - set(_REQUIRED) - set(_OPTIONAL):
        raise fault(f"unknown key {sorted(unknown)[0]!r}; known: {', '.join([*_REQUIRED, *_OPTIONAL])}")
    if missing := [key for key in _REQUIRED if key not in row]:
        raise fault(f"{missing[0]!r} is missing")
    row = {**_OPTIONAL, **row}
    for key in _LISTS:
        if not isinstance(row[key], list) or not all(isinstance(item, str) for item in row[key]):
            raise fault(f"{key} is a list of strings")
    for result in [*row["results"], *row["recorded"]]:
        if PurePosixPath(result).suffix not in (".json", ".parquet", ".html"):
            raise fault(f"result {result!r} must end in .json or .parquet, or in .html for the report to show it")
    for key in ("minutes", "limit_minutes", "cell_limit_minutes", "limit_gb"):
        if isinstance(row[key], bool) or not isinstance(row[key], (int, float)) or row[key] <= 0:
            raise fault(f"{key} is a positive number")
    profiles = row["profiles"]
    if not isinstance(profiles, dict) or set(profiles) != set(PROFILES):
        raise fault(f"profiles are exactly {', '.join(PROFILES)}")
    if wrong := [profile for profile in PROFILES if not isinstance(profiles[profile], dict)]:
        raise fault(f"profile {wrong[0]} is a table of parameters, for example {wrong[0]} = {{ k = 5 }}")
    values: dict[str, Any] = {key: tuple(row[key]) if key in _LISTS else row[key] for key in row}
    return Spec(name=name, **values)


def _check_whole(specs: dict[str, Spec]) -> None:
    owner: dict[str, str] = {}
    for name, spec in specs.items():
        for figure in spec.figures:
            if figure in owner:
                raise StageError(f"figure {figure!r} is declared by {owner[figure]} and by {name}", "rename one")
            owner[figure] = name
        for reference in spec.inputs:
            stage, result = producer(reference)
            if stage not in specs or result not in specs[stage].results:
                raise StageError(
                    f"{name} reads {reference!r}, which no stage publishes", "correct notebooks/stages.toml"
                )


def _ordered(specs: dict[str, Spec]) -> dict[str, Spec]:
    ordered: dict[str, Spec] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            raise StageError(
                f"stages read from each other in a circle: {' → '.join([*trail, name])}", "break the circle"
            )
        if name not in ordered:
            for reference in specs[name].inputs:
                visit(producer(reference)[0], (*trail, name))
            ordered[name] = specs[name]

    for name in specs:
        visit(name, ())
    return ordered


# --- the notebook -------------------------------------------------------------------------------------------------


@cache
def _cells(notebook: Path, _modified: int) -> list[dict[str, Any]]:
    try:
        return json.loads(notebook.read_text("utf-8"))["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise StageError(f"{notebook.name} is not a notebook: {error}", "restore it: git checkout notebooks") from None


def code_cells(spec: Spec) -> list[str]:
    """Source of every code cell, in order."""
    if not spec.notebook.exists():
        raise StageError(
            f"{spec.name} is declared but notebooks/{spec.name}.ipynb does not exist", "restore the notebook"
        )
    cells = _cells(spec.notebook, spec.notebook.stat().st_mtime_ns)
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def parameters(spec: Spec) -> dict[str, Parameter]:
    """The typed parameters of a notebook, in the order of its `parameters` cell.

    Raises StageError unless there is exactly one such cell and each of its lines is `name: type = literal  # meaning`.
    """
    code_cells(spec)
    tagged = [
        "".join(cell["source"])
        for cell in _cells(spec.notebook, spec.notebook.stat().st_mtime_ns)
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(tagged) != 1:
        raise StageError(f"{spec.name} has {len(tagged)} cells tagged `parameters`, not one", "tag exactly one cell")
    return parse_parameters(tagged[0], spec.name)


def parse_parameters(source: str, where: str) -> dict[str, Parameter]:
    """Parse the source of a parameters cell. Raises StageError that names the offending line."""
    try:
        nodes = ast.parse(source).body
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, tokenize.TokenError) as error:
        raise StageError(f"{where}, parameters cell does not parse: {error}", "write `k: int = 5  # meaning`") from None
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    found: dict[str, Parameter] = {}
    for node in nodes:
        line = ast.get_source_segment(source, node) or ""
        try:
            if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value):
                raise ValueError("not `name: type = literal`")
            name, kind, default = node.target.id, ast.unparse(node.annotation), ast.literal_eval(node.value)
            _check_type(default, kind)
            # a formatter may have wrapped a long line: the comment may then stand on any of its lines
            meaning = next(comments[at] for at in range(node.lineno, (node.end_lineno or 0) + 1) if at in comments)
        except StopIteration:
            raise StageError(
                f"{where}, parameters cell: `{line}` has no comment that says what it is", "add one"
            ) from None
        except (ValueError, TypeError) as error:
            raise StageError(f"{where}, parameters cell: `{line}`: {error}", "write `k: int = 5  # meaning`") from None
        found[name] = Parameter(name, kind, default, meaning)
    return found


def resolve(spec: Spec, profile: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Literal]:
    """Every parameter's value in `profile`, with `overrides` on top.

    Raises ParameterError for an unknown name (with the list of names) and for a value of the wrong type.
    """
    known = parameters(spec)
    values: dict[str, Any] = {name: parameter.default for name, parameter in known.items()}
    for origin, given in ((f"profile {profile}", spec.profiles[check_profile(profile)]), ("-p", overrides or {})):
        for name, value in given.items():
            if name not in known:
                raise ParameterError(
                    f"{spec.name} has no parameter {name!r} ({origin})",
                    f"its parameters: {', '.join(f'{p.name} ({p.type})' for p in known.values()) or 'none'}",
                )
            try:
                _check_type(value, known[name].type)
            except TypeError as error:
                raise ParameterError(
                    f"{spec.name}, parameter {name} ({origin}): {error}", known[name].meaning
                ) from None
            values[name] = float(value) if known[name].type == "float" else value
    return values


def parse_override(text: str) -> tuple[str, Literal]:
    """`name=value` of the command line; the value is JSON where it parses as JSON, else the string itself."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ParameterError(f"{text!r} is not name=value", "for example: -p k=10")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


_SCALARS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}


def _check_type(value: object, annotation: str) -> None:
    """Raise TypeError unless `value` is of the annotated type: int, float, str, bool, list[one of them], `| None`."""
    known = {*_SCALARS, *(f"list[{kind}]" for kind in _SCALARS), "None"}
    kinds = [kind.strip() for kind in annotation.split("|")]
    if not known.issuperset(kinds):
        raise TypeError(
            f"type {annotation!r} is not int, float, str, bool or a list of one of them, with `| None` or not"
        )
    if not any(_fits(value, kind) for kind in kinds):
        raise TypeError(f"{value!r} is {type(value).__name__}, not {annotation}")


def _fits(value: object, kind: str) -> bool:
    if kind == "None":
        return value is None
    if kind.startswith("list["):
        return isinstance(value, list) and all(_fits(item, kind[5:-1]) for item in value)
    if isinstance(value, bool):  # bool is an int to Python, never to a reader
        return kind == "bool"
    return isinstance(value, _SCALARS[kind])
