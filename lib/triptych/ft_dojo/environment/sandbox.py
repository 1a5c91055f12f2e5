"""Code that an agent wrote runs here and nowhere else: bubblewrap, and a watchdog outside it.

What a script can see is listed in `command`: the interpreter and its packages, the task's public folder and the run's
own data sets, all read-only, and one folder in memory of limited size. Everything else, hidden splits above all, is
absent: not a permission away but not there. No network, no other process, no capability, no nested namespace, and a
user id of its own (see `sandbox_launcher` for why root must give up being root first). Inside, `sandbox_guard` adds a
filter of system calls and a witness of what a script reaches for in vain.

`python -m triptych.ft_dojo.environment.sandbox` says whether this works here. Standard library and psutil only.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

from triptych.ft_dojo.environment.sandbox_guard import NOTES

Killed = Literal["timeout", "cpu", "memory", "output", "processes"]
HOME = "/work"
NOBODY = 65534  # as the process inside sees itself
SCRIPT_UID = 64021  # as the host sees it, when the environment runs as root
POLL = 0.02  # seconds between two looks of the watchdog
TAIL = 4000  # characters kept of what a script prints
# Address space a process may map beyond its memory limit. The watchdog decides; this holds where it comes too late.
HEADROOM = 1_000_000_000
FORGED = "forged_answer"  # a note of the orchestrator's own: what came was not written by the runner
GRACE = 1.0  # seconds to let pipes drain after a kill
# What bubblewrap itself is started with. Its first process inside keeps this for anybody to read in /proc/1/environ,
# and an agent's keys stand in the environment of whoever starts it: so it gets none of that.
BARE: Mapping[str, str] = {"LC_ALL": "C.UTF-8"}
FIXED = {
    "HOME": HOME,
    "TMPDIR": HOME,
    "USER": "nobody",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host and where it appears inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Caps:
    """What one script may take: seconds, bytes, processes."""

    wall: float
    cpu: float
    memory: int | None
    disk: int
    output: int | None
    processes: int


@dataclass
class ScriptRun:
    """What a script did. `status` is its exit status (negative: the signal), None when its end was not reported."""

    status: int | None = None
    killed: Killed | None = None
    stdout: str = ""
    stderr: str = ""
    output: bytes = b""
    problem: str = ""
    notes: tuple[str, ...] = ()  # words of `sandbox_guard.NOTES`: what it reached for
    printed: int = 0  # bytes, on both outputs
    disk_full: bool = False
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0


@dataclass
class _Tail:
    """The last of what a pipe carried, and how much it was."""

    most: int
    total: int = 0
    kept: bytearray = field(default_factory=bytearray)

    def add(self, piece: bytes) -> None:
        self.total += len(piece)
        self.kept += piece
        del self.kept[: max(len(self.kept) - self.most, 0)]

    def text(self) -> str:
        return self.kept.decode("utf-8", "replace")


@contextmanager
def command(
    argv: Sequence[str],
    mounts: Sequence[Mount],
    disk: int,
    uid: int = SCRIPT_UID,
    network: bool = False,
    bound: bool = True,
) -> Generator[list[str]]:
    """A command line that runs `argv` isolated, in a home of `disk` bytes in memory.

    `bound` ends it with the thread that starts it. While the context is open its mount points exist.
    """
    shown = [*_system(), *mounts]
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="triptych-sandbox-") as points:
        Path(points).chmod(0o755)
        pairs: list[tuple[str, str]] = []
        binds: list[str] = []
        for number, mount in enumerate(shown):
            source = str(mount.source)
            if root:  # the user that bubblewrap will be cannot walk to the source; root binds it where it can
                point = Path(points) / str(number)
                if mount.source.is_dir():
                    point.mkdir()
                else:
                    point.touch()
                pairs.append((source, str(point)))
                source = str(point)
            binds += ["--bind" if mount.writable else "--ro-bind", source, mount.target]
        links = [part for link in ("lib", "lib64", "lib32") if (Path("/") / link).is_symlink()
                 for part in ("--symlink", f"usr/{link}", f"/{link}")]  # fmt: skip
        first, later = _split(binds)
        line = [
            _bwrap(), *first, *links, "--proc", "/proc", "--dev", "/dev", "--size", str(disk), "--tmpfs", "/dev/shm",
            "--size", str(disk), "--tmpfs", HOME, *later, *_masked(), "--remount-ro", "/dev", "--remount-ro", "/",
            "--unshare-all", "--unshare-user", "--disable-userns", *(["--share-net"] if network else []),
            *(["--die-with-parent"] if bound else []), "--new-session", "--cap-drop", "ALL", "--clearenv",
            *[part for name, value in {**FIXED, **_libraries()}.items() for part in ("--setenv", name, value)],
            "--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "dojo", "--chdir", HOME, *argv,
        ]  # fmt: skip
        if root:
            launcher = Path(__file__).with_name("sandbox_launcher.py")
            line = [sys.executable, "-I", "-S", str(launcher), json.dumps([pairs, uid, line])]
        yield line


def run_script(
    code: str,
    mounts: Sequence[Mount],
    caps: Caps,
    isolated: bool = True,
    network: bool = False,
    filtered: bool = True,
    witnessed: bool = True,
) -> ScriptRun:
    """Run a data script and bring back what it left in out/train.jsonl.

    `mounts` have targets below `HOME`. Not isolated, the script runs as the caller in a folder that holds copies of
    them: only for code that somebody answers for. `network`, `filtered` and `witnessed` are for tests of attackers.
    """
    runner = Path(__file__).with_name("sandbox_runner.py")
    with tempfile.TemporaryDirectory(prefix="triptych-script-") as scratch:
        Path(scratch).chmod(0o755)
        script = Path(scratch) / "script.py"
        script.write_text(code, "utf-8")
        settings = {
            "cpu": int(caps.cpu) + 1,
            "disk": caps.disk,
            "processes": caps.processes if isolated else None,
            "memory": None if caps.memory is None else caps.memory + HEADROOM,
            "home": HOME,
            "packages": ["/packages"],
            "result": f"{HOME}/out/train.jsonl",
            "roots": ["/packages", "/python"],
            "filter": filtered,
            "witness": witnessed,
        }
        if isolated:
            guard = Mount(runner.with_name("sandbox_guard.py"), "/runner/sandbox_guard.py")
            own = [Mount(runner, "/runner/sandbox_runner.py"), guard]
            shown = [*mounts, Mount(script, f"{HOME}/script.py"), *own]
            argv = [interpreter(), *_FLAGS, "/runner/sandbox_runner.py", json.dumps(settings)]
            with command(argv, shown, caps.disk, network=network) as line:
                return _watch(line, caps, BARE)
        home = Path(scratch) / "home"
        home.mkdir()
        shutil.copy(script, home)
        for mount in mounts:
            shutil.copytree(mount.source, home / mount.target.removeprefix(f"{HOME}/"))
        roots = [*_packages(), sys.prefix, str(_base())]
        settings |= {"home": str(home), "packages": _packages(), "roots": roots}
        settings |= {"result": str(home / "out" / "train.jsonl")}
        return _watch(
            [sys.executable, *_FLAGS, str(runner), json.dumps(settings)],
            caps,
            {**FIXED, "HOME": str(home), "TMPDIR": str(home)},
        )


_FLAGS = (
    "-s",
    "-S",
    "-P",
)  # no user packages, no site, no current folder: but PYTHONHASHSEED counts, as it would not with -I


def _watch(line: Sequence[str], caps: Caps, environment: Mapping[str, str]) -> ScriptRun:
    done, result = ScriptRun(), bytearray()
    (read_end, write_end), (hear_end, tell_end) = os.pipe(), os.pipe()
    started = time.monotonic()

    def hand_over() -> None:  # the runner finds the result pipe at descriptor 3, that for notes at 4
        high = fcntl.fcntl(tell_end, fcntl.F_DUPFD, 10)  # it may stand in the other's place
        os.dup2(write_end, 3)
        os.dup2(high, 4)

    process = subprocess.Popen(
        line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        pass_fds=(3, 4), preexec_fn=hand_over, start_new_session=True,
    )  # fmt: skip
    os.close(write_end)
    os.close(tell_end)
    assert process.stdout is not None and process.stderr is not None  # both are pipes
    out, err, notes = _Tail(TAIL), _Tail(TAIL), _Tail(TAIL)
    with (
        process, selectors.DefaultSelector() as pipes, os.fdopen(read_end, "rb", buffering=0) as answer,
        os.fdopen(hear_end, "rb", buffering=0) as witness,
    ):  # fmt: skip
        for pipe in (process.stdout, process.stderr, answer, witness):
            pipes.register(pipe, selectors.EVENT_READ)
        deadline, stop, looked = started + caps.wall, None, 0.0
        while pipes.get_map():
            for key, _ in pipes.select(POLL):
                piece = os.read(key.fd, 1 << 16)
                if not piece:
                    pipes.unregister(key.fileobj)
                elif key.fileobj is answer:
                    result += piece
                elif key.fileobj is witness:
                    notes.add(piece)
                else:
                    (out if key.fileobj is process.stdout else err).add(piece)
            now = time.monotonic()
            if now - looked >= POLL and done.killed is None:
                looked = now
                used = usage(process.pid, caps.memory)
                done.cpu, done.memory = max(done.cpu, used.cpu), max(done.memory, used.memory)
                done.killed = _broken(caps, used, now > deadline, out.total + err.total)
                if done.killed is None and len(result) > caps.disk + 65536:
                    done.killed = "output"
                if done.killed:
                    kill(process)
                    stop = now + GRACE
            if stop is not None and now > stop:
                break
        kill(process) if done.killed else None
    done.wall = time.monotonic() - started
    done.stdout, done.stderr, done.printed = out.text(), err.text(), out.total + err.total
    done.notes = tuple(sorted(set(notes.text().split()) & NOTES.keys()))
    head, _, content = bytes(result).partition(b"\n")
    if done.killed is None and head:
        try:
            said = _Answer(**json.loads(head))
            done.status, done.problem, done.disk_full = int(said.status), str(said.problem), bool(said.full)
            done.output = content[: max(int(said.bytes), 0)]
        except (ValueError, TypeError, RecursionError):  # the script found the pipe; what it wrote is no answer
            done.notes = (*done.notes, FORGED)
    return done


@dataclass(frozen=True)
class _Answer:
    """What the runner says; only the number of `bytes` is taken from what follows."""

    status: int
    problem: str
    full: bool
    bytes: int


def _broken(caps: Caps, used: Usage, late: bool, printed: int) -> Killed | None:
    if late:
        return "timeout"
    if used.cpu > caps.cpu:
        return "cpu"
    if caps.memory is not None and used.memory > caps.memory:
        return "memory"
    if caps.output is not None and printed > caps.output:
        return "output"
    return "processes" if used.processes > caps.processes + 8 else None  # bubblewrap's own, and a little


@dataclass(frozen=True)
class Usage:
    """What a process and all below it use now: bytes, CPU-seconds, processes."""

    memory: int
    cpu: float
    processes: int


def usage(pid: int, limit: int | None) -> Usage:
    """What the tree below `pid` uses.

    Where resident sizes sum to more than `limit`, shared pages are counted once; that takes its time, so it is left
    out where one process alone is over.
    """
    family = _family(pid)
    memory, largest, cpu = 0, 0, 0.0
    for member in family:
        try:
            with member.oneshot():
                times = member.cpu_times()
                cpu += times.user + times.system + times.children_user + times.children_system
                resident = member.memory_info().rss
                memory, largest = memory + resident, max(largest, resident)
        except psutil.Error:
            continue
    if limit is not None and largest <= limit < memory:
        memory = sum(map(_proportional, family))
    return Usage(memory, cpu, len(family))


def _family(pid: int) -> list[psutil.Process]:
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.Error:
        return []


def _proportional(member: psutil.Process) -> int:
    try:
        return int(member.memory_full_info().pss)
    except psutil.Error:
        return 0


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything below it."""
    for member in reversed(_family(process.pid)):
        try:
            member.kill()
        except psutil.Error:
            continue


def _split(binds: Sequence[str]) -> tuple[list[str], list[str]]:
    """Binds outside the home, which come first, and those inside, which need it to exist."""
    triples = [list(binds[start : start + 3]) for start in range(0, len(binds), 3)]
    inside = [triple for triple in triples if triple[2].startswith(f"{HOME}/")]
    outside = [triple for triple in triples if triple not in inside]
    return [part for triple in outside for part in triple], [part for triple in inside for part in triple]


def _bwrap() -> str:
    return shutil.which("bwrap") or "/usr/bin/bwrap"


def _packages() -> list[str]:
    found = sysconfig.get_paths()
    return list(dict.fromkeys([found["purelib"], found["platlib"]]))


def _base() -> Path:
    return Path(sys.base_prefix).resolve()


def interpreter() -> str:
    """The interpreter's path inside."""
    inner = Path(getattr(sys, "_base_executable", sys.executable)).resolve().relative_to(_base())
    return f"/usr/{inner}" if _base() == Path("/usr") else f"/python/{inner}"


def _system() -> list[Mount]:
    """Shared libraries, the interpreter at /python (unless it is the system's) and its packages at /packages."""
    mounts = [Mount(Path(name), name) for name in ("/usr/lib", "/usr/lib64", "/usr/lib32") if Path(name).is_dir()]
    mounts += [
        Mount(path, str(path)) for path in map(Path, ("/lib", "/lib64")) if path.is_dir() and not path.is_symlink()
    ]
    cached = Path("/etc/ld.so.cache")
    mounts += [Mount(cached, str(cached))] if cached.exists() else []
    if _base() == Path("/usr"):
        mounts.append(Mount(Path(interpreter()), interpreter()))
    else:
        mounts.append(Mount(_base(), "/python"))
    return [*mounts, Mount(Path(_packages()[0]), "/packages")]


def _libraries() -> dict[str, str]:
    """The interpreter's own libraries come first: the path it was linked with does not exist inside."""
    return {} if _base() == Path("/usr") else {"LD_LIBRARY_PATH": "/python/lib"}


def _masked() -> list[str]:
    """An installed copy of this project holds the generators: scripts see an empty folder in its place."""
    return ["--tmpfs", "/packages/triptych"] if (Path(_packages()[0]) / "triptych").is_dir() else []


@cache
def problem() -> str:
    """Why nothing can be isolated on this machine, or an empty string. Looked at once in a process."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    with tempfile.TemporaryDirectory() as secret:
        code = (
            "import os, socket\n"
            f"assert not os.path.exists({secret!r}), 'the host is visible'\n"
            "assert [name for _, name in socket.if_nameindex()] in ([], ['lo']), 'there is a network'\n"
            "assert not os.access('/proc/sys/kernel/core_pattern', os.W_OK), 'the kernel can be configured'\n"
            "open('out/train.jsonl', 'w').write('isolated')\n"
        )
        try:
            done = run_script(code, [], Caps(10.0, 5.0, 500_000_000, 1_000_000, 100_000, 16))
        except OSError as error:
            return f"bubblewrap does not start: {error}"
    if done.output == b"isolated":
        return ""
    return f"bubblewrap does not isolate here: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"


if __name__ == "__main__":
    print(problem())
    sys.exit(1 if problem() else 0)
