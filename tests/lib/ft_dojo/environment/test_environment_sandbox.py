"""What a script can see, and what becomes of one that will not behave. Nothing here asserts a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.ft_dojo.environment import sandbox
from triptych.ft_dojo.environment.sandbox import HOME, Caps, Mount, ScriptRun

MB = 1_000_000
CAPS = Caps(wall=20.0, cpu=10.0, memory=250 * MB, disk=4 * MB, output=200_000, processes=16)

pytestmark = pytest.mark.usefixtures("isolated")


@pytest.fixture
def public(tmp_path: Path) -> Mount:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "train.jsonl").write_text("row\n")
    return Mount(tmp_path / "public", f"{HOME}/public")


def run(code: str, *mounts: Mount, caps: Caps = CAPS, isolated: bool = True) -> ScriptRun:
    return sandbox.run_script(code, mounts, caps, isolated)


def test_a_script_reads_public_data_and_its_output_comes_back(public: Mount) -> None:
    code = "print('hello'); open('out/train.jsonl', 'w').write(open('public/train.jsonl').read() * 3)"
    for isolated in (True, False):
        done = run(code, public, isolated=isolated)
        assert (done.status, done.output, done.stdout, done.killed) == (0, b"row\nrow\nrow\n", "hello\n", None)


def test_numpy_and_pandas_are_there_and_this_project_is_not() -> None:
    done = run("import numpy, pandas\ntry:\n    import triptych\nexcept ImportError:\n    print('absent')")
    assert done.stdout == "absent\n", done.stderr


def test_the_same_script_prints_the_same() -> None:
    """Names, process ids, hash order and paths do not depend on the machine or the moment."""
    code = "import os, sys; print(os.getpid(), hash('a'), os.getcwd(), sys.prefix, sorted(os.environ), os.uname()[1])"
    first, second = run(code), run(code)
    assert first.stdout == second.stdout and first.status == 0


@pytest.mark.parametrize(
    "code",
    [
        "import os; assert not os.path.exists({secret!r})",
        "import os; assert sorted(os.listdir('/proc/self/fd')) <= ['0', '1', '2', '3', '4']",
        "import os; assert [name for name in os.listdir('/proc') if name.isdigit() and int(name) > 9] == []",
        "import os; assert os.getuid() == 65534 and 'HOME' in os.environ and 'PATH' not in os.environ",
        "import socket; assert [name for _, name in socket.if_nameindex()] in ([], ['lo'])",
        "import os; assert not [p for p in ('/proc/sys/kernel/core_pattern', '/', '/dev', '/packages', '/python', "
        "'/work/public', '/etc', '/usr/lib') if os.access(p, os.W_OK)]",
        "caps = [l.split()[1] for l in open('/proc/self/status') if l.startswith('Cap')]\n"
        "assert set(caps) == {{'0000000000000000'}}",
        "assert 'NoNewPrivs:\\t1' in open('/proc/self/status').read()",
    ],
    ids=[
        "host",
        "descriptors",
        "processes",
        "identity",
        "network",
        "read-only",
        "capabilities",
        "setuid",
    ],
)
def test_what_is_not_there(code: str, tmp_path: Path, public: Mount) -> None:
    (tmp_path / "secret").write_text("gold")
    done = run(code.format(secret=str(tmp_path / "secret")), public)
    assert done.status == 0, done.stderr


def test_a_network_address_cannot_be_reached() -> None:
    done = run(
        "import socket\ntry:\n    socket.create_connection(('1.1.1.1', 53), 2)\nexcept OSError as e:\n    print(e)"
    )
    assert "unreachable" in done.stdout


@pytest.mark.parametrize(
    ("code", "killed"),
    [
        ("import time\ntime.sleep(1000)", "timeout"),
        ("while True: pass", "cpu"),
        ("kept = []\nwhile True: kept.append(bytearray(5_000_000))", "memory"),
        ("while True: print('x' * 10_000)", "output"),
        ("import os\nfor _ in range(3):\n    if os.fork() == 0:\n        while True: pass\nos.wait()", "cpu"),
        ("import os, time\nos.close(1); os.close(2); os.setsid()\ntime.sleep(1000)", "timeout"),
        ("import signal, time\nfor number in {1, 2, 3, 13, 14, 15, 24}:\n    signal.signal(number, signal.SIG_IGN)\n"
         "time.sleep(1000)", "timeout"),
    ],
    ids=["sleeps", "spins", "allocates", "prints", "spins in children", "detaches", "ignores signals"],
)  # fmt: skip
def test_what_does_not_end_is_ended(code: str, killed: str) -> None:
    caps = Caps(**{**vars(CAPS), "wall": 2.0} if killed == "timeout" else {**vars(CAPS), "cpu": 0.7})
    assert run(code, caps=caps).killed == killed


def test_forks_without_end_meet_a_wall() -> None:
    done = run("import os\nwhile True: os.fork()")
    assert done.status != 0 or done.killed
    assert "Resource temporarily unavailable" in done.stderr or done.killed


@pytest.mark.parametrize(
    "code",
    [
        "f = open('big', 'wb')\nwhile True: f.write(b'x' * 100_000)",
        "n = 0\nwhile True:\n    n += 1\n    open(f'file{n}', 'wb').write(b'x' * 100_000)",
        "n = 0\nwhile True:\n    n += 1\n    open(f'/dev/shm/{n}', 'wb').write(b'x' * 100_000)",
    ],
)
def test_the_disk_is_finite(code: str) -> None:
    done = run(code)
    assert done.status == 1 and "OSError: [Errno 2" in done.stderr
    assert done.disk_full or "shm" in code


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("pass", "missing"),
        ("import os; os.symlink('/proc/1/environ', 'out/train.jsonl')", "no plain file"),
        ("import os; os.mkfifo('out/train.jsonl')", "no plain file"),
        ("import os; os.mkdir('out/train.jsonl')", "no plain file"),
        ("import os; os.rmdir('out'); os.symlink('/python', 'out')", "missing"),
    ],
)
def test_only_a_plain_output_file_is_read(code: str, problem: str) -> None:
    done = run(code)
    assert (done.status, done.problem, done.output) == (0, problem, b"")


@pytest.mark.parametrize("target", ["os.getppid()", "-1"])
def test_killing_what_runs_it_gives_nothing(target: str) -> None:
    done = run(f"import os\nopen('out/train.jsonl', 'w').write('x')\nos.kill({target}, 9)")
    assert done.status is None and done.output == b""


def test_the_first_process_inside_cannot_be_killed() -> None:
    done = run("import os\nopen('out/train.jsonl', 'w').write('x')\nos.kill(1, 9)")
    assert done.status == 0 and done.output == b"x"


def test_forging_the_runners_answer_gives_only_data(public: Mount) -> None:
    """A script may write to its parent's descriptor: what comes of it is judged like any output."""
    code = (
        "import os, json\nfd = os.open(f'/proc/{os.getppid()}/fd/3', os.O_WRONLY)\n"
        "head = {'status': 0, 'problem': '', 'full': False, 'bytes': 5}\n"
        "os.write(fd, json.dumps(head).encode() + b'\\nforged-and-more')"
    )
    done = run(code, public)
    assert done.output in (b"", b"forge")


def test_without_bubblewrap_it_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    assert sandbox.problem.__wrapped__() == "bubblewrap is not installed"
