"""Content keys: what a stage's outputs depend on, as one digest, and the Make fragment that follows from it.

A key covers the code cells, the parameters of the profile, the library modules the notebook imports (transitively, read
from the syntax tree), the files and data the declaration names, the keys of the stages it reads from, and the lock
file. Times of files never matter. Standard library only: `make` calls this before anything is installed.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from triptych import paths, stages
from triptych.errors import LimitError, StageError, TriptychError, readable
from triptych.stages import Spec

Parts = dict[str, Any]


def digest(value: Any) -> str:
    """sha256 (hex) of a JSON-native value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def text_digest(text: str) -> str:
    """sha256 (hex) of a string."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def parts(spec: Spec, profile: str, overrides: dict[str, Any] | None = None) -> Parts:
    """What the key of a stage is made of, by kind: small enough to keep in the record and to compare."""
    cells = stages.code_cells(spec)
    return {
        "cells": [text_digest(cell) for cell in cells],
        "parameters": stages.resolve(spec, profile, overrides),
        "modules": {_relative(path): file_digest(path) for path in modules(cells)},
        "files": {_relative(path): file_digest(path) for path in spec.read_files()},
        "data": data_digests(spec),
        "recorded": _recorded(spec, profile),
        "inputs": {ref: key(stages.get(stages.producer(ref)[0]), profile) for ref in spec.inputs},
        "outputs": [*spec.figures, *spec.results],
        "lock": file_digest(paths.root() / "requirements.lock"),
    }


def key(spec: Spec, profile: str, overrides: dict[str, Any] | None = None) -> str:
    """The content key of a stage in a profile: sha256 (hex) of its parts."""
    return digest(parts(spec, profile, overrides))


def changed(old: Parts, new: Parts) -> list[str]:
    """What differs between two sets of parts, in words."""
    found: list[str] = []
    for kind in new:
        before, after = old.get(kind), new[kind]
        if before == after:
            continue
        if isinstance(after, dict) and isinstance(before, dict):
            found += [f"{kind}: {name}" for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        else:
            found.append(kind)
    return found


def data_digests(spec: Spec) -> dict[str, str]:
    """For each data source of a stage the digest of its pins: it changes when any pinned byte does."""
    table = _data_table()
    if unknown := [name for name in spec.data if name not in table]:
        raise StageError(f"{spec.name}: data = {unknown[0]!r} is not in data.toml", f"sources: {', '.join(table)}")
    return {
        name: digest({part: table[name].get(part) for part in ("package", "sha256", "members")}) for name in spec.data
    }


def _data_table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).with_name("data.toml")).read_text("utf-8"))


def _recorded(spec: Spec, profile: str) -> dict[str, str]:
    """What `quick` replays, and how old the code finds it. `full` depends on the code alone, which remakes it."""
    if not spec.recorded or profile != "quick":
        return {}
    files = [path for name in spec.recorded for path in recorded_files(spec, name) if path.exists()]
    return {**{_relative(path): file_digest(path) for path in files}, "current key": recorded_key(spec)}


def recorded_files(spec: Spec, name: str) -> tuple[Path, Path]:
    """Where a recorded result and the record of how it was made are committed."""
    return spec.recorded_folder / name, spec.recorded_folder / f"{name}.record.json"


def _relative(path: Path) -> str:
    return path.relative_to(paths.root()).as_posix()


# --- library modules a piece of code imports ------------------------------------------------------------------------


def modules(sources: list[str]) -> list[Path]:
    """Files of the `triptych` modules that the sources import, transitively, with every package on the way."""
    seen: set[Path] = set()
    waiting = [name for source in sources for name in _cell_imports(source)]
    while waiting:
        for path in _files(waiting.pop()):
            if path not in seen:
                seen.add(path)
                waiting += _module_imports(path, path.stat().st_mtime_ns)
    return sorted(seen)


@cache
def _module_imports(path: Path, _modified: int) -> list[str]:
    relative = path.relative_to(paths.root() / "lib")
    return list(_imports(path.read_text("utf-8"), ".".join(relative.parent.parts), relative.as_posix()))


def _imports(source: str, package: str, where: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise StageError(f"{where} does not parse: {error.msg}, line {error.lineno}", "correct it") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "triptych")


def _files(module: str) -> list[Path]:
    """The file of a dotted name and of every package above it; a name that is not a module (a function) adds none."""
    found: list[Path] = []
    folder = paths.root() / "lib"
    for part in module.split("."):
        folder = folder / part
        found += [path for path in (folder / "__init__.py", folder.with_suffix(".py")) if path.exists()]
    return found


def _cell_imports(source: str) -> Iterator[str]:
    """Imports of a notebook cell, which may hold lines that only IPython understands (`%time import …`, `x = !ls`)."""
    try:
        yield from _imports(source, "", "")
    except StageError:
        for statement in re.findall(r"\b(?:from\s+triptych\S*\s+import\s+[^\n;#]+|import\s+triptych[^\n;#]*)", source):
            yield from re.findall(r"triptych[\w.]*", statement)
            if base := re.match(r"from\s+(\S+)\s+import\s+(.*)", statement):
                yield from (f"{base[1]}.{name}" for name in re.findall(r"\w+", base[2]))


# --- recorded results -----------------------------------------------------------------------------------------------


def recorded_key(spec: Spec) -> str:
    """Key of a recorded result: what computes it, and nothing that only draws or runs it.

    Parameters of `full`, inputs, data, named files, the modules of the study that the notebook imports, and the locked
    versions of the packages which those modules import.
    """
    study = paths.root() / "lib" / "triptych" / spec.study
    own = [path for path in modules(stages.code_cells(spec)) if study in path.parents]
    return digest(
        {
            "parameters": stages.resolve(spec, "full"),
            "inputs": {ref: key(stages.get(stages.producer(ref)[0]), "full") for ref in spec.inputs},
            "data": data_digests(spec),
            "files": {_relative(path): file_digest(path) for path in spec.read_files()},
            "modules": {_relative(path): file_digest(path) for path in own},
            "packages": _locked_versions(own),
        }
    )


# Packages that are imported under another name than they are installed under.
_INSTALLED_AS = {
    "sklearn": "scikit-learn",
    "llama_index": "llama-index-core",
    "Stemmer": "pystemmer",
    "bs4": "beautifulsoup4",
}


def _locked_versions(files: list[Path]) -> dict[str, str]:
    """The lock's pin of every package that the files import; of one not found there, the whole lock's digest."""
    lock = paths.root() / "requirements.lock"
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text("utf-8"), re.MULTILINE))
    roots = {name.split(".")[0] for path in files for name in _third_party(path)}
    found = {root: _INSTALLED_AS.get(root, root.lower().replace("_", "-")) for root in roots}
    return {root: pins.get(name, file_digest(lock)) for root, name in sorted(found.items())}


def _third_party(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        yield from (n for n in names if n.split(".")[0] not in {*sys.stdlib_module_names, "triptych"})


# --- make -----------------------------------------------------------------------------------------------------------


def published(spec: Spec, folder: str) -> list[Path]:
    """Every file that a finished run publishes, the record last. `folder` is the profile's folder name."""
    figures = [
        paths.figures(folder) / f"{name}.{suffix}"
        for name in spec.figures
        for suffix in ("svg", "pdf", "png", "md", "csv")
    ]
    results = [paths.results(folder) / spec.name / name for name in spec.results]
    return [*figures, *results, paths.runs(folder) / f"{spec.slug}.ipynb", record_file(spec, folder)]


def record_file(spec: Spec, folder: str) -> Path:
    """Where the record of a stage is published."""
    return paths.runs(folder) / f"{spec.slug}.record.json"


def read_record(spec: Spec, folder: str) -> dict[str, Any] | None:
    """The published record, or None when there is none, or none that can be read."""
    try:
        found = json.loads(record_file(spec, folder).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("parts"), dict) else None


def why_stale(spec: Spec, profile: str) -> str:
    """Why a stage must run again, in words; empty when its outputs were made from exactly what is in the checkout."""
    record = read_record(spec, profile)
    if record is None:
        return "never made in this profile"
    if missing := [path.name for path in published(spec, profile) if not path.exists()]:
        return f"missing: {', '.join(missing)}"
    now = parts(spec, profile)
    if record.get("key") != digest(now):
        return f"changed: {', '.join(changed(record['parts'], now)) or 'its key'}"
    return ""


def write_fragment(profile: str, study: str | None = None) -> Path:
    """Write the key files and the Make rules of a profile; return the path of the fragment.

    Make compares times, we compare content: the key file of a fresh stage is dated 1980, older than anything, and that
    of a stale one is dated now, younger than anything. So `make -n` and `make -q` tell the truth whatever was touched.
    """
    chosen = stages.longest_first(stages.select(study))  # make begins what it can in the order of its goals
    lines = ["# Made by triptych.keys from notebooks/stages.toml; not to be edited."]
    everything: list[str] = []
    for spec in chosen:
        key_file = paths.keys(profile) / f"{spec.slug}.key"
        _replace_if_changed(key_file, key(spec, profile) + "\n")
        os.utime(key_file, None if why_stale(spec, profile) else (315_532_800, 315_532_800))
        targets = [_make_path(path) for path in published(spec, profile)]
        inputs = [
            _make_path(paths.results(profile) / ref.rpartition("/")[0] / ref.rpartition("/")[2]) for ref in spec.inputs
        ]
        everything += targets
        lines += [
            f"{' '.join(targets)} &: {_make_path(key_file)} | {' '.join(['$(SETUP)', *inputs])}",
            f"\t@TRIPTYCH_MAKE=$$PPID $(PYTHON) -m triptych run {spec.name} --profile {profile}",
        ]
    lines += [f".PRECIOUS: {' '.join(everything)}", f"OUTPUTS := {' '.join(everything)}", ""]
    fragment = paths.keys(profile) / f"{study or 'all'}.mk"
    _replace_if_changed(fragment, "\n".join(lines))
    return fragment


def _make_path(path: Path) -> str:
    try:
        return path.relative_to(paths.root()).as_posix()
    except ValueError:
        return str(path).replace(" ", "\\ ")


def _replace_if_changed(path: Path, text: str) -> None:
    if path.exists() and path.read_text("utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text, "utf-8")
    scratch.replace(path)


def main() -> int:
    """`python -m triptych.keys PROFILE [STUDY]`: write the Make fragment and print its path (for the Makefile)."""
    try:
        print(_make_path(write_fragment(stages.check_profile(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)))
    except TriptychError as error:
        print(f"triptych: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"triptych: {readable(error)}", file=sys.stderr)
        return LimitError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
