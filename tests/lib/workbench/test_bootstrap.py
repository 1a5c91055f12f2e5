"""Set-up, in miniature and for real: own checkouts, own wheels, real venv, real pip, no network."""

from __future__ import annotations

import ast
import base64
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from triptych import bootstrap, native, paths
from triptych.errors import BusyError, LimitError, ToolMissing

LIBRARY = paths.root() / "lib" / "triptych"


# --- a checkout in miniature ------------------------------------------------------------------------------------------


def wheel(folder: Path, name: str, version: str, files: dict[str, str], requires: str = "") -> Path:
    """A wheel made by hand."""
    info = f"{name}-{version}.dist-info"
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (
        f"Requires-Dist: {requires}\n" if requires else ""
    )
    files = {
        **files,
        f"{info}/METADATA": meta,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}"
        for path, text in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return made


BACKEND = """
import zipfile
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    name, info = "triptych-0.1.0-py3-none-any.whl", "triptych-0.1.0.dist-info"
    with zipfile.ZipFile(Path(folder) / name, "w") as archive:
        archive.writestr("triptych.pth", str(Path(__file__).parent / "lib") + "\\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: triptych\\nVersion: 0.1.0\\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{info}/RECORD", "")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "triptych"
version = "0.1.0"
"""
NATIVE = """
[compiler]
probe = "test -e '{folder}/compiler'"
apt = ["compiler-package"]
required = true
for = "compiling"
without = "nothing runs"
[luxury]
probe = "test -e '{folder}/luxury'"
apt = ["luxury-package"]
required = false
for = "comfort"
without = "less comfort"
"""
APT = """#!/bin/sh
echo "$@" >> '{folder}/apt.log'
case "$*" in *update*) exit 0;; *luxury*) echo 'E: Unable to locate package luxury-package' >&2; exit 100;; esac
touch '{folder}/compiler'
"""


@dataclass
class Checkout:
    """A small project with its own lock, data wheel, native tools, package index and apt-get."""

    root: Path
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Checkout:
        root, index, tools = folder / "checkout", folder / "index", folder / "bin"
        library = root / "lib" / "triptych"
        for new in (library, index, tools):
            new.mkdir(parents=True)
        for name in ("__init__", "bootstrap", "native", "data", "paths", "errors"):
            shutil.copy(LIBRARY / f"{name}.py", library)
        wheel(index, "alpha", "1.0", {"alpha.py": "VALUE = 1\n"})
        wheel(index, "alpha", "2.0", {"alpha.py": "VALUE = 2\n"})
        wheel(index, "beta_pack", "1.1", {"beta_pack/__init__.py": "", "beta_pack/part.py": "VALUE = 3\n"})
        wheel(index, "torch", "2.0+cpu", {"torch.py": ""})
        carrier = wheel(index, "carrier", "0.1", {"carrier/words.txt": "words\n"})
        (library / "data.toml").write_text(
            f'[words]\npackage = "carrier==0.1"\nsha256 = "{hashlib.sha256(carrier.read_bytes()).hexdigest()}"\n'
            f'default = true\nholds = "words"\nlicence = "none"\n[words.members]\n'
            f'"carrier/words.txt" = "{hashlib.sha256(b"words" + bytes([10])).hexdigest()}"\n',
            "utf-8",
        )
        (library / "native.toml").write_text(NATIVE.format(folder=folder), "utf-8")
        (root / "pyproject.toml").write_text(PYPROJECT, "utf-8")
        (root / "backend.py").write_text(BACKEND, "utf-8")
        (root / "requirements-cuda.lock").write_text("torch==2.0\nnvidia-x==1.0\n", "utf-8")
        (tools / "apt-get").write_text(APT.format(folder=folder), "utf-8")
        (tools / "apt-get").chmod(0o755)
        (folder / "compiler").touch()
        (folder / "luxury").touch()
        checkout = cls(root, folder)
        checkout.lock("alpha==1.0", "beta-pack==1.1  # via alpha", "torch==2.0")
        return checkout

    def lock(self, *rows: str) -> None:
        (self.root / "requirements.lock").write_text("# a comment\n" + "\n".join(rows) + "\n", "utf-8")

    def environment(self, **more: str) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "TRIPTYCH_", "CONDA_"))
        }
        return {
            **kept,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.root / "lib"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder / "index"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            **more,
        }

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "triptych.bootstrap", *arguments],
            cwd=self.folder, env=self.environment(**more), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *arguments: str, **more: str) -> tuple[int, str]:
        process = self.start(*arguments, **more)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def value(self, program: str) -> str:
        """What a program prints in the environment that was set up, without any path from outside."""
        python = self.root / ".venv" / "bin" / "python"
        environment = self.environment()
        del environment["PYTHONPATH"]
        return subprocess.run(
            [python, "-c", program], env=environment, text=True, capture_output=True, check=True
        ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout.make(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, int, str]:
    """One checkout that was set up from nothing, with what that said. Tests that use it leave it working."""
    made = Checkout.make(tmp_path_factory.mktemp("setup"))
    elsewhere = made.folder / "conda-base"
    elsewhere.mkdir()
    return made, *made.run(CONDA_DEFAULT_ENV="base", CONDA_PREFIX=str(elsewhere), VIRTUAL_ENV=str(elsewhere))


def test_set_up_from_nothing(shared: tuple[Checkout, int, str]) -> None:
    made, status, said = shared
    assert status == 0, said
    assert made.value("import alpha, beta_pack.part, triptych; print(alpha.VALUE, beta_pack.part.VALUE)") == "1 3"
    assert made.value("import triptych; print(triptych.__file__)") == str(made.root / "lib/triptych/__init__.py")
    assert (made.root / "build/cache/data/words/carrier/words.txt").read_text("utf-8") == "words\n"
    assert "is ignored" not in said
    assert re.search(r"packages: 3 installed in \d+:\d\d", said)
    assert "CUDA" not in said
    assert not any((made.folder / "conda-base").iterdir()), "another active environment was touched"
    assert not (made.folder / "apt.log").exists()


def test_nothing_to_do_is_nothing_done(shared: tuple[Checkout, int, str]) -> None:
    made = shared[0]
    stamp = made.root / ".venv" / bootstrap.STAMP
    before = stamp.stat().st_mtime_ns
    assert made.run("--check") == (0, "")
    assert made.run() == (0, "set-up: nothing to do in .venv\n")
    assert stamp.stat().st_mtime_ns == before


def test_offline_with_everything_there(shared: tuple[Checkout, int, str]) -> None:
    made = shared[0]
    (made.root / ".venv" / bootstrap.STAMP).unlink()
    status, said = made.run(PIP_FIND_LINKS=str(made.folder / "nowhere"))
    assert status == 0, said
    assert made.run("--check")[0] == 0


def test_a_changed_pin_is_followed(shared: tuple[Checkout, int, str]) -> None:
    made = shared[0]
    made.lock("alpha==2.0", "beta-pack==1.1", "torch==2.0")
    assert made.run("--check")[0] == 1
    status, said = made.run()
    assert status == 0, said
    assert "packages: 1 installed" in said
    assert made.value("import alpha; print(alpha.VALUE)") == "2"
    made.lock("alpha==1.0", "beta-pack==1.1", "torch==2.0")
    assert made.run()[0] == 0
    assert made.value("import alpha; print(alpha.VALUE)") == "1"


def test_data_that_was_deleted_is_fetched_again(shared: tuple[Checkout, int, str]) -> None:
    made = shared[0]
    shutil.rmtree(made.root / "build")
    assert made.run("--check")[0] == 1
    status, said = made.run()
    assert status == 0, said
    assert "data: fetching words" in said
    assert made.run("--check")[0] == 0


def test_a_half_installed_package_is_repaired(shared: tuple[Checkout, int, str]) -> None:
    made = shared[0]
    site = made.root / ".venv/lib/python3.11/site-packages"
    (info,) = site.glob("beta_pack-*.dist-info")
    (info / "INSTALLER").unlink()  # pip was killed after METADATA and before its last two files
    (site / "beta_pack" / "part.py").unlink()
    (site / "~alpha").mkdir()
    (made.root / ".venv" / bootstrap.STAMP).unlink()
    status, said = made.run()
    assert status == 0, said
    assert made.value("import beta_pack.part; print(beta_pack.part.VALUE)") == "3"
    assert not (site / "~alpha").exists()


def test_a_pin_that_does_not_exist_is_pips_own_message(shared: tuple[Checkout, int, str]) -> None:
    made = shared[0]
    before = (made.root / "requirements.lock").read_text("utf-8")
    try:
        made.lock("alpha==9.9")
        status, said = made.run()
    finally:
        (made.root / "requirements.lock").write_text(before, "utf-8")
    assert status == 1
    assert "pip could not install the packages" in said
    assert "No matching distribution found for alpha==9.9" in said
    assert "make setup" in said
    assert made.run("--check")[0] == 1, "a failed set-up may not look finished"
    assert made.run()[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "status", "last_word"), [(signal.SIGINT, 130, "goes on where it stopped"), (signal.SIGKILL, -9, "")]
)
def test_stopped_or_killed_while_the_environment_is_made(
    checkout: Checkout, stop: signal.Signals, status: int, last_word: str
) -> None:
    process = checkout.start()
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("environment:"):
            break
    process.send_signal(stop)
    process.wait()
    assert process.returncode == status
    assert last_word in process.stdout.read()
    assert checkout.run("--check")[0] == 1
    with (checkout.root / ".venv" / f"{bootstrap.STAMP}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # what a killed process had started is still at work, and holds the lock
    code, said = checkout.run()
    assert code == 0, said
    assert checkout.value("import alpha; print(alpha.VALUE)") == "1"


@pytest.mark.slow
def test_a_checkout_that_was_moved_gets_a_new_environment(checkout: Checkout) -> None:
    assert checkout.run()[0] == 0
    moved = checkout.root.rename(checkout.folder / "elsewhere")
    there = Checkout(moved, checkout.folder)
    assert there.run("--check")[0] == 1
    status, said = there.run()
    assert status == 0, said
    assert there.value("import triptych; print(triptych.__file__)").startswith(str(moved))
    assert str(moved) in (moved / ".venv/bin/pip").read_text("utf-8")


def test_a_cuda_build_of_torch_brings_its_libraries(checkout: Checkout) -> None:
    index = checkout.folder / "index"
    (index / "torch-2.0+cpu-py3-none-any.whl").unlink()
    wheel(index, "torch", "2.0", {"torch.py": ""}, requires="nvidia-x==1.0; platform_system == 'Linux'")
    wheel(index, "nvidia_x", "1.0", {"nvidia_x.py": ""})
    status, said = checkout.run()
    assert status == 0, said
    assert "requirements-cuda.lock" in said
    checkout.value("import nvidia_x")


def test_the_active_conda_environment_is_used_and_never_remade(checkout: Checkout) -> None:
    prefix = checkout.folder / "envs" / "triptych"
    conda = {"CONDA_DEFAULT_ENV": "triptych", "CONDA_PREFIX": str(prefix)}
    status, said = checkout.run(**conda)
    assert status == ToolMissing.exit_code
    assert "conda env update -f environment.yml" in said

    subprocess.run([sys.executable, "-m", "venv", prefix], check=True)  # stands for what conda makes
    (prefix / "bin" / "pip").write_text("#!/somewhere/else/bin/python\n", "utf-8")
    status, said = checkout.run(**conda)
    assert status == 0, said
    assert (prefix / "lib/python3.11/site-packages/alpha.py").exists()
    assert not (checkout.root / ".venv").exists()
    assert checkout.run("--check", **conda)[0] == 0
    assert checkout.run("--check")[0] == 1, "the other environment is not set up"


def test_another_python_in_the_environment_is_refused(checkout: Checkout) -> None:
    python = checkout.root / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    python.chmod(0o755)
    status, said = checkout.run()
    assert status == ToolMissing.exit_code
    assert ".venv holds another Python than 3.11" in said
    assert "rm -r .venv" in said


def test_data_that_is_not_what_was_pinned_stops_the_set_up(checkout: Checkout) -> None:
    table = checkout.root / "lib/triptych/data.toml"
    table.write_text(re.sub(r'(?m)^sha256 = ".*"', f'sha256 = "{"0" * 64}"', table.read_text("utf-8")), "utf-8")
    status, said = checkout.run()
    assert status != 0
    assert "is not the pinned file" in said
    assert "Traceback" not in said
    assert checkout.run("--check")[0] == 1


# --- native tools -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="installs as root, here through an apt-get of its own")
def test_missing_tools_are_installed_saying_so_and_optional_ones_stop_nothing(checkout: Checkout) -> None:
    (checkout.folder / "compiler").unlink()
    (checkout.folder / "luxury").unlink()
    status, said = checkout.run()
    assert status == 0, said
    assert said.index("installing compiler-package, luxury-package with apt-get") < said.index("environment:")
    calls = (checkout.folder / "apt.log").read_text("utf-8").splitlines()
    assert [re.search(r"(update|install.*)$", call)[0] for call in calls] == [  # type: ignore[index]  # all match
        "update",
        "install -y --no-install-recommends compiler-package",
        "install -y --no-install-recommends luxury-package",
    ]
    assert "Unable to locate package luxury-package" in said
    assert "luxury is absent (optional): less comfort" in said


@pytest.fixture
def two_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tools `compiler` (required, absent) and `luxury` (optional, absent), and an ordinary user on Debian."""

    def tool(name: str, required: bool, conda: str | None) -> native.Tool:
        probe = f"test -e '{tmp_path}/{name}'"
        return native.Tool(name, probe, (f"{name}-package",), conda, required, True, "use", f"no {name}")

    monkeypatch.setattr(native, "tools", lambda: [tool("compiler", True, "gxx"), tool("luxury", False, "lux")])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(native, "has_apt", lambda: True)
    monkeypatch.setattr(native, "_apt", lambda *_: pytest.fail("apt-get was run without the right to"))
    monkeypatch.delenv("CONDA_DEFAULT_ENV", raising=False)
    yield tmp_path


def test_a_user_is_told_the_one_command(two_tools: Path) -> None:
    with pytest.raises(ToolMissing, match=r"missing: compiler(.|\n)*sudo apt-get install .* compiler-package"):
        native.ensure("python3")


def test_an_absent_optional_tool_only_says_what_is_lost(two_tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (two_tools / "compiler").touch()
    native.ensure("python3")
    said = capsys.readouterr().out
    assert "luxury is absent (optional): no luxury" in said
    assert "sudo apt-get install -y --no-install-recommends luxury-package" in said
    assert "compiler" not in said


def test_in_conda_the_environment_file_has_them(two_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "triptych")
    with pytest.raises(ToolMissing, match=r"compiler(.|\n)*conda env update -f environment.yml"):
        native.ensure("python3")


def test_without_apt_and_conda_the_way_is_conda(two_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "has_apt", lambda: False)
    with pytest.raises(ToolMissing, match=r"conda env create -f environment\.yml"):
        native.ensure("python3")


def test_native_toml_is_complete() -> None:
    tools = {tool.name: tool for tool in native.tools()}
    assert {name for name, tool in tools.items() if tool.required} == {"python", "g++", "make", "perl"}
    assert all(tool.apt and tool.use and tool.without for tool in tools.values())
    assert not tools["opensta"].automatic
    assert tools["make"].present() and tools["python"].present(sys.executable)
    assert not tools["python"].present("/nonexistent/python")


# --- the pieces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("active", "expected"),
    [(None, ".venv"), ("base", ".venv"), ("triptych-old", ".venv"), ("triptych", "conda")],
)
def test_only_the_conda_environment_of_that_name_is_used(
    active: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    if active is None:
        monkeypatch.delenv("CONDA_DEFAULT_ENV", raising=False)
    else:
        monkeypatch.setenv("CONDA_DEFAULT_ENV", active)
    chosen = bootstrap.choose()
    assert chosen.prefix == (tmp_path if expected == "conda" else paths.root() / ".venv")
    assert chosen.conda == (expected == "conda")


def test_the_stamp_covers_what_decides_the_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Checkout.make(tmp_path)
    monkeypatch.setenv("TRIPTYCH_ROOT", str(checkout.root))
    seen = {bootstrap.digest()}
    (checkout.root / "README.md").write_text("prose", "utf-8")
    (checkout.root / "pyproject.toml").write_text(PYPROJECT + "[tool.ruff]\nline-length = 99\n", "utf-8")
    assert bootstrap.digest() in seen
    deciding = ["requirements.lock", "requirements-cuda.lock", "lib/triptych/native.toml", "lib/triptych/data.toml"]
    for count, name in enumerate(deciding, start=2):
        (checkout.root / name).write_text((checkout.root / name).read_text("utf-8") + "\n", "utf-8")
        seen.add(bootstrap.digest())
        assert len(seen) == count, name
    (checkout.root / "pyproject.toml").write_text(PYPROJECT + 'dependencies = ["x"]\n', "utf-8")
    assert bootstrap.digest() not in seen


def test_a_second_set_up_says_who_holds_the_lock(tmp_path: Path) -> None:
    environment = bootstrap.Environment(tmp_path / "env", conda=False)
    with (
        bootstrap._held(environment),  # pyright: ignore[reportPrivateUsage]
        pytest.raises(BusyError, match=rf"process {os.getpid()}, since \d\d:\d\d:\d\d holds"),
        bootstrap._held(environment),  # pyright: ignore[reportPrivateUsage]
    ):
        pass
    with bootstrap._held(environment) as lock:  # pyright: ignore[reportPrivateUsage]  # free again
        fcntl.fcntl(lock, fcntl.F_GETFD)


def test_two_set_ups_at_once(checkout: Checkout) -> None:
    first = checkout.start()
    assert first.stdout is not None
    assert first.stdout.readline().startswith("set-up: into")
    status, said = checkout.run()
    rest, _ = first.communicate(timeout=300)
    assert first.returncode == 0, rest
    assert status == BusyError.exit_code
    assert f"process {first.pid}, since" in said


def test_a_disk_too_small_for_the_packages_is_said_before_pip_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = bootstrap.Environment(tmp_path, conda=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(LimitError, match=r"1\.0 GB are free"):
        bootstrap._install(environment, {"alpha": "1.0", "beta": "2.0"}, 0)  # pyright: ignore[reportPrivateUsage]


def test_the_installed_packages_of_this_environment_are_read_right() -> None:
    """Against pip's own view of the environment that runs the tests."""
    import importlib.metadata

    environment = bootstrap.Environment(Path(sys.prefix), conda=False)
    oracle = {
        re.sub(r"[-_.]+", "-", dist.metadata["Name"]).lower(): dist.version.partition("+")[0]
        for dist in importlib.metadata.distributions(path=[str(environment.packages)])
    }
    assert bootstrap.installed(environment) == oracle


@pytest.mark.parametrize(
    ("requires", "cuda"),
    [
        ("filelock", False),
        ("nvidia-cublas==13.1.1.3; platform_system == 'Linux'", True),
        ("cuda-bindings>=13", True),
        ("triton==3.7.1", True),
        ("nvidiable", False),
    ],
)
def test_the_build_of_torch_is_read_from_its_metadata(tmp_path: Path, requires: str, cuda: bool) -> None:
    environment = bootstrap.Environment(tmp_path, conda=False)
    info = environment.packages / "torch-2.13.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: torch\nRequires-Dist: sympy\nRequires-Dist: {requires}\n\nProse\n", "utf-8")
    assert bootstrap.is_cuda_build(environment) == cuda


# --- old Pythons ------------------------------------------------------------------------------------------------------


def test_an_old_python_can_parse_the_module() -> None:
    for name in ("bootstrap.py", "__init__.py"):
        source = (LIBRARY / name).read_text("utf-8")
        tree = ast.parse(source, feature_version=(3, 7))
        assert not [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]


@pytest.mark.parametrize("version", [(3, 6), (3, 9), (3, 10)])
def test_an_old_python_gets_one_clear_sentence(version: tuple[int, int]) -> None:
    program = (
        f"import sys, runpy; sys.version_info = ({version[0]}, {version[1]}, 0); sys.modules['tomllib'] = None; "
        "runpy.run_module('triptych.bootstrap', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(LIBRARY.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"this project needs Python 3.11, this is Python {version[0]}.{version[1]}" in done.stderr
    assert "conda env create" in done.stderr
    assert "Traceback" not in done.stderr
