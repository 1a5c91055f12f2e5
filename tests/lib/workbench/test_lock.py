"""The locks agree with what they were made from, with each other, and with environment.yml. No network."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from triptych import lock, paths

ROOT = paths.root()


def requirements(file: Path) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def pins(file: Path) -> dict[str, Version]:
    found: dict[str, Version] = {}
    for requirement in requirements(file):
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", f"{requirement} is no pin"
        found[canonicalize_name(requirement.name)] = Version(specifier.version)
    return found


def disagreements(made: lock.Lock, root: Path) -> list[str]:
    """What is wrong with a lock, judged offline: its digest, then each requirement against its pin."""
    wrong: list[str] = []
    if made.digest(root) not in (root / made.file).read_text("utf-8").splitlines()[0]:
        wrong.append(f"{made.file} was made from another {made.source} or {made.overrides}")
    pinned = pins(root / made.file)
    replaced = {canonicalize_name(rule.name) for rule in requirements(root / made.overrides)}
    for wanted in requirements(root / made.source) + requirements(root / made.overrides):
        name = canonicalize_name(wanted.name)
        if wanted.marker and not wanted.marker.evaluate():
            if name in pinned:
                wrong.append(f"{wanted} is overridden away, yet {made.file} pins it")
        elif name not in pinned:
            wrong.append(f"{wanted} has no pin in {made.file}")
        elif not wanted.specifier.contains(pinned[name], prereleases=True) and (
            name not in replaced or wanted in requirements(root / made.overrides)
        ):
            wrong.append(f"{wanted} is pinned to {pinned[name]} in {made.file}")
    return wrong


@pytest.mark.parametrize("made", lock.LOCKS, ids=lambda made: made.file)
def test_lock_agrees_with_what_it_is_made_of(made: lock.Lock) -> None:
    assert disagreements(made, ROOT) == [], "run `make lock`"


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("requirements.in", "papermill==2.7.0", "papermill==2.6.0", "papermill==2.6.0 is pinned to 2.7.0"),
        ("requirements.in", "accelerate\n", "accelerate\nno-such-package\n", "no-such-package has no pin"),
        ("requirements-overrides.txt", "certifi>=", "certifi>=9", "certifi>=92026.1 is pinned to"),
        ("requirements-overrides.txt", "xformers ;", "tqdm ; sys_platform == 'never'\nxformers ;", "overridden away"),
    ],
)
def test_a_disagreement_is_noticed(tmp_path: Path, file: str, old: str, new: str, complaint: str) -> None:
    for name in {lock.CPU.file, lock.CPU.source, lock.CPU.overrides}:
        shutil.copy(ROOT / name, tmp_path)
    changed = (tmp_path / file).read_text("utf-8").replace(old, new, 1)
    assert changed != (ROOT / file).read_text("utf-8")
    (tmp_path / file).write_text(changed, "utf-8")
    wrong = "\n".join(disagreements(lock.CPU, tmp_path))
    assert "was made from another" in wrong
    assert complaint in wrong


def imports() -> dict[str, Path]:
    """Top-level name of every absolute import in the library, the tests and the notebooks, with a file that has it."""
    sources = {file: file.read_text("utf-8") for folder in ("lib", "tests") for file in (ROOT / folder).rglob("*.py")}
    for file in (ROOT / "notebooks").rglob("*.ipynb"):
        cells = nbformat.read(file, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        sources[file] = re.sub(r"(?m)^\s*[%!].*$", "", code)
    found: dict[str, Path] = {}
    for file, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0]: file for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module.partition(".")[0]] = file
    return found


def test_what_we_import_is_asked_for_by_name() -> None:
    """Not only because another package happens to need it today."""
    asked = {canonicalize_name(wanted.name) for wanted in requirements(ROOT / lock.CPU.source)}
    provided = importlib.metadata.packages_distributions()
    unasked = {
        f"{name} ({file.relative_to(ROOT)})"
        for name, file in imports().items()
        if name in provided
        and name != "triptych"
        and name not in sys.stdlib_module_names
        and not asked & {canonicalize_name(package) for package in provided[name]}
    }
    assert not unasked, "add these to requirements.in, then: make lock"


def test_both_locks_share_their_pins() -> None:
    cpu, cuda = pins(ROOT / lock.CPU.file), pins(ROOT / lock.CUDA.file)
    assert {name: cuda.get(name) for name in cpu} == cpu
    assert any(name.startswith("nvidia-") for name in cuda)
    assert not any(name.startswith("nvidia-") for name in cpu)


@pytest.mark.parametrize("made", lock.LOCKS, ids=lambda made: made.file)
def test_lock_names_no_machine_and_no_index(made: lock.Lock) -> None:
    text = (ROOT / made.file).read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|(^|\s)/\w", text)


def test_environment_yml_is_made_from_native_toml() -> None:
    assert (ROOT / "environment.yml").read_text("utf-8") == lock.environment(ROOT), "run `make lock`"


def test_environment_yml_names_nothing_that_disagrees_with_the_locks() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert conda["name"] == "triptych"
    packages = dict(re.fullmatch(r"([\w.+-]+?)(?:=([\w.]+))?", row).groups() for row in conda["dependencies"])
    assert packages["python"] == lock.PYTHON
    locked = pins(ROOT / lock.CPU.file) | pins(ROOT / lock.CUDA.file)
    differing = [name for name, version in packages.items()
                 if (pin := locked.get(canonicalize_name(name))) and str(pin) != version]  # fmt: skip
    assert not differing, "the same package at another version, from conda and from the lock"


def test_a_hopeless_set_is_explained_and_the_old_lock_stays(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("packaging==26.3\npackaging==26.2\n", "utf-8")
    (tmp_path / "requirements-overrides.txt").write_text("", "utf-8")
    (tmp_path / "requirements.lock").write_text("packaging==26.3\n", "utf-8")
    with pytest.raises(lock.TriptychError, match="no solution"):
        lock.build(lock.CPU, tmp_path)
    assert (tmp_path / "requirements.lock").read_text("utf-8") == "packaging==26.3\n"
