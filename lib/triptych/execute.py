"""Run one stage: validate, execute its notebook with papermill, publish all of its outputs or none.

A run writes into build/runs/PROFILE/STAGE.partial/. Only when every code cell ran and exactly the declared outputs
exist are they renamed into place, the record last, so that whatever kills us leaves the published files whole and the
record of a half-published run out of date.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Container, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from triptych import claims, keys, paths, record, stages
from triptych.errors import InputMissing, LimitError, StageError, TriptychError, is_disk_full, readable
from triptych.stages import Spec

HEARTBEAT_SECONDS = 20.0  # a cell that runs longer than this says so again and again
WATCH_SECONDS = 0.25  # between two looks at time and memory
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def run(name: str, profile: str, overrides: dict[str, Any] | None = None) -> Path:
    """Execute one stage and publish it; return the path of its record.

    With `overrides` the outputs go to a folder of their own (`PROFILE-xxxxxxxx`), so that an experiment never replaces
    what `make` published. Raises TriptychError of the kind that fits; nothing published is touched on failure.
    """
    spec = stages.get(name)
    parameters = stages.resolve(spec, profile, overrides)
    folder = f"{profile}-{keys.digest(overrides)[:8]}" if overrides else profile
    for reference in spec.inputs:
        if not (paths.results(profile) / reference).exists():
            raise InputMissing(
                f"{spec.name} reads {reference}, which has not been made in profile {profile}",
                f"make figures PROFILE={profile} STUDY={spec.study}",
            )
    with _readable_errors():
        claims.claim_for_make(paths.runs(folder) / "make.json")
    with _readable_errors(), claims.hold(paths.runs(folder) / f"{spec.slug}.lock", f"stage {spec.name}"):
        return _Run(spec, profile, folder, parameters, overrides or {}).go()


@contextmanager
def _readable_errors() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise readable(error) from error


class _Run:
    """One execution of one stage."""

    def __init__(
        self, spec: Spec, profile: str, folder: str, parameters: dict[str, Any], overrides: dict[str, Any]
    ) -> None:
        self.spec, self.profile, self.folder = spec, profile, folder
        self.parameters, self.overrides = parameters, overrides
        self.partial = paths.runs(folder) / f"{spec.slug}.partial"
        self.notebook = self.partial / "notebook.ipynb"
        self.previous = keys.read_record(spec, folder) or {}
        self.parts = keys.parts(spec, profile, overrides)  # of the code as it is now, not when the run ends
        self.timings: list[float] = []

    def go(self) -> Path:
        if self.partial.exists():
            shutil.rmtree(self.partial)
        self.partial.mkdir(parents=True)
        self.started = time.monotonic()
        self.say(f"profile {self.profile}, {self._expectation()}")
        try:
            self._execute()
            target = self._publish(self._verify())
        except BaseException as error:
            self._keep_failed()
            if isinstance(error, KeyboardInterrupt):
                state = (
                    "it was just publishing and will be made again"
                    if self.publishing
                    else ("what was published before is untouched")
                )
                raise StageError(
                    f"{self.spec.name} was interrupted: {state}",
                    "run the same command again: it resumes from the last finished stage",
                ) from None
            raise
        self.say(
            f"done in {_clock(self.wall)}, peak {self.peak / 1e9:.1f} GB: {len(self.spec.figures)} figures, "
            f"{len(self.spec.results)} results"
        )
        return target

    # --- executing ------------------------------------------------------------------------------------------------

    def _execute(self) -> None:
        leave_out_slow_grammar()
        import papermill
        from papermill.exceptions import PapermillExecutionError
        from traitlets.config import Config

        watch = _Watch(self)
        _adopt_orphans()
        with (
            tempfile.TemporaryDirectory(prefix="triptych-kernel-") as private,
            _environment(self._kernel_environment(private)),
            _sigterm(),
        ):
            # Each kernel gets socket paths of its own: with the shared default, parallel kernels talk to each other.
            config = Config({"KernelManager": {"transport": "ipc", "ip": str(Path(private) / "k")}})
            watch.start()
            try:
                papermill.execute_notebook(
                    str(self.spec.notebook),
                    str(self.notebook),
                    parameters=self._changed_parameters(),
                    engine_name=_engine(self),
                    kernel_name="python3",
                    cwd=str(paths.root()),
                    progress_bar=False,
                    log_output=False,
                    start_timeout=120,
                    execution_timeout=int(self.spec.cell_limit_minutes * 60),
                    config=config,
                    extra_arguments=["--IPKernelApp.log_level=ERROR"],
                )
            except PapermillExecutionError as error:
                raise self._cell_failure(error.exec_count, error.ename, error.evalue, error.traceback) from None
            except Exception as error:
                if is_disk_full(error):
                    raise
                raise self._kernel_failure(error, watch) from None
            finally:
                watch.stop()
                self.wall = time.monotonic() - self.started
                self.peak = watch.peak
        if watch.reason:
            raise LimitError(watch.reason, "the published outputs are those of the last successful run")

    def _kernel_environment(self, private: str) -> dict[str, str]:
        threads = os.environ.get("TRIPTYCH_THREADS", "1")
        pinned = (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "NUMEXPR_NUM_THREADS",
            "RAYON_NUM_THREADS",
        )
        environment = {
            **dict.fromkeys(pinned, threads),  # busy-waiting threads of two stages would halve both
            "PYTHONHASHSEED": "0",
            "IPYTHONDIR": private,  # the user's own start-up files and kernels must not change a result
            "JUPYTER_PATH": "",
            "JUPYTER_PREFER_ENV_PATH": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "TRIPTYCH_ROOT": str(paths.root()),
            "TRIPTYCH_BUILD": str(paths.build()),
            "TRIPTYCH_CACHE": str(paths.cache()),
            "TRIPTYCH_STAGE": self.spec.name,
            "TRIPTYCH_PROFILE": self.profile,
            "TRIPTYCH_FOLDER": self.folder,
            "TRIPTYCH_PARTIAL": str(self.partial),
            "TRIPTYCH_OVERRIDES": json.dumps(self.overrides) if self.overrides else "",
        }
        if self.profile != "paper":
            environment |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        return environment

    def _changed_parameters(self) -> dict[str, Any]:
        """Only what differs from the notebook's own defaults: papermill then adds no empty cell."""
        defaults = stages.parameters(self.spec)
        return {name: value for name, value in self.parameters.items() if value != defaults[name].default}

    # --- failing --------------------------------------------------------------------------------------------------

    def _cell_failure(self, count: int, ename: str, evalue: str, traceback: list[str]) -> TriptychError:
        title = self.at or "?"
        elapsed = _clock(time.monotonic() - self.started)
        if "No space left on device" in evalue or "Disk quota exceeded" in evalue:
            return readable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        lines = _ANSI.sub("", "\n".join(traceback)).strip().splitlines()
        tail = "\n".join(f"    {line}" for line in lines[-12:]) or f"    {ename}: {evalue}"
        return StageError(
            f"{self.spec.name} failed in code cell {self.cell_number} ({title}), after {elapsed}\n{tail}",
            f"the executed notebook is {self._failed_path()}; published outputs are untouched",
        )

    def _kernel_failure(self, error: Exception, watch: _Watch) -> TriptychError:
        where = f"code cell {self.cell_number} ({self.at})" if self.at else "start-up"
        hint = f"the notebook up to there is {self._failed_path()}; published outputs are untouched"
        if watch.reason:
            return LimitError(f"{self.spec.name}, {where}: {watch.reason}", hint)
        kind = type(error).__name__
        if kind == "CellTimeoutError":
            limit = self.spec.cell_limit_minutes
            return LimitError(f"{self.spec.name}, {where}: longer than its limit of {limit:g} minutes a cell", hint)
        if kind == "DeadKernelError":
            return StageError(
                f"{self.spec.name}, {where}: the kernel was killed from outside (often the system, out of memory: peak "
                f"{watch.peak / 1e9:.1f} GB, {psutil.virtual_memory().available / 1e9:.1f} GB free now)",
                f"free memory, or JOBS=1; {hint}",
            )
        if kind == "NoSuchKernel":
            return StageError(f"{self.spec.name}: this Python has no Jupyter kernel", "make setup")
        return StageError(f"{self.spec.name}, {where}: {kind}: {error}", hint)

    def _failed_path(self) -> str:
        path = paths.runs(self.folder) / f"{self.spec.slug}.failed.ipynb"
        return str(path.relative_to(paths.root()) if path.is_relative_to(paths.root()) else path)

    def _keep_failed(self) -> None:
        try:
            if self.notebook.exists() and self.notebook.stat().st_size:
                self.notebook.replace(paths.runs(self.folder) / f"{self.spec.slug}.failed.ipynb")
        finally:
            shutil.rmtree(self.partial, ignore_errors=True)

    # --- publishing -----------------------------------------------------------------------------------------------

    def _verify(self) -> dict[str, Path]:
        """Published path → partial path, once the run is known to be whole. Raises StageError when it is not."""
        document = json.loads(self.notebook.read_text("utf-8"))
        for number, cell in enumerate(_code(document), 1):
            if errors := [output for output in cell["outputs"] if output["output_type"] == "error"]:
                raise StageError(
                    f"{self.spec.name} stopped in code cell {number} ({_title(''.join(cell['source']))}): "
                    f"{errors[0]['ename']} {errors[0]['evalue']}",
                    f"the executed notebook is {self._failed_path()}; published outputs are untouched",
                )
            if "".join(cell["source"]).strip() and cell["execution_count"] is None:
                raise StageError(f"{self.spec.name}: code cell {number} was never executed", "run it again")
        if not (self.partial / "kernel.json").exists():
            raise StageError(f"{self.spec.name} never opens its stage", f'add: stage = Stage("{self.spec.name}")')
        self._strip(document)
        sources = {path.name: path for path in (*self._files("figures"), *self._files("results"))}
        sources[f"{self.spec.slug}.ipynb"] = self.notebook
        manifest: dict[str, Path] = {}
        for target in keys.published(self.spec, self.folder)[:-1]:
            source = sources.pop(target.name, None)
            if source is None:
                raise StageError(
                    f"{self.spec.name} declares {target.name} but did not make it", "correct one of the two"
                )
            manifest[str(target)] = source
        if sources:
            raise StageError(
                f"{self.spec.name} made {sorted(sources)[0]}, which it does not declare", "correct one of the two"
            )
        return manifest

    def _files(self, kind: str) -> list[Path]:
        return [path for path in (self.partial / kind).glob("*") if path.is_file()]

    def _strip(self, document: dict[str, Any]) -> None:
        """Leave out the times that papermill notes in the notebook: equal runs should give equal files."""
        document["metadata"].pop("papermill", None)
        for cell in document["cells"]:
            cell["metadata"].pop("papermill", None)
            cell["metadata"].pop("execution", None)
        self.notebook.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def _publish(self, manifest: dict[str, Path]) -> Path:
        facts = json.loads((self.partial / "kernel.json").read_text("utf-8"))
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        made = {Path(target).name: keys.file_digest(source) for target, source in manifest.items()}
        whole = {
            "stage": self.spec.name,
            "question": self.spec.question,
            "profile": self.profile,
            "overrides": self.overrides,
            "key": keys.digest(self.parts),
            "parts": self.parts,
            "parameters": self.parameters,
            "git": record.git_state(),
            "machine": record.machine(),
            "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "wall_seconds": round(self.wall, 2),
            "cpu_seconds": round(sum(u.ru_utime + u.ru_stime for u in usage), 2),
            "peak_memory_gb": round(self.peak / 1e9, 3),
            "cell_seconds": [round(seconds, 3) for seconds in self.timings],
            "outputs": made,
            **{name: facts[name] for name in ("seeds", "data", "versions", "tools", "models", "notes")},
            "recorded": facts["made"]["recorded"],
        }
        scratch = self.partial / "record.json"
        scratch.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
        final = keys.record_file(self.spec, self.folder)
        for target in {*map(Path, manifest), final}:
            target.parent.mkdir(parents=True, exist_ok=True)
        kept = paths.runs(self.folder) / f"{self.spec.slug}.recorded"
        shutil.rmtree(kept, ignore_errors=True)
        if (self.partial / "recorded").exists():
            (self.partial / "recorded").replace(kept)
        self.publishing = True
        final.unlink(missing_ok=True)  # half-published counts as never made: the next run makes it whole
        for target, source in manifest.items():
            source.replace(target)
        scratch.replace(final)
        shutil.rmtree(self.partial, ignore_errors=True)
        (paths.runs(self.folder) / f"{self.spec.slug}.failed.ipynb").unlink(missing_ok=True)
        return final

    # --- telling --------------------------------------------------------------------------------------------------

    publishing = False
    at: str | None = None
    cell_clock = 0.0
    cell_number = 0
    cell_count = 0
    wall = 0.0
    peak = 0

    def cell_started(self, cell: dict[str, Any], document: dict[str, Any]) -> None:
        self.cell_count = len(_code(document))
        self.cell_number += 1
        self.cell_clock = time.monotonic()
        self.at = _title("".join(cell["source"]))
        self.tell()

    def cell_finished(self) -> None:
        self.timings.append(time.monotonic() - self.cell_clock)

    def tell(self) -> None:
        """One line: where we are, how long it took so far, what is left."""
        elapsed = time.monotonic() - self.started
        self.say(f"{self.cell_number}/{self.cell_count} {self.at}  · {_clock(elapsed)}{self._left(elapsed)}")

    def say(self, text: str) -> None:
        with suppress(OSError):  # somebody piped us into `head`: the work goes on
            print(f"[{self.spec.name}] {text}", flush=True)

    def _expectation(self) -> str:
        seconds = self.previous.get("wall_seconds")
        if seconds:
            return f"last time {_clock(seconds)}"
        return f"about {self.spec.minutes:g} min expected" if self.profile == "quick" else "first run in this profile"

    def _left(self, elapsed: float) -> str:
        before: list[float] = self.previous.get("cell_seconds", [])
        if len(before) == self.cell_count:
            into = time.monotonic() - self.cell_clock
            left = max(0.0, before[self.cell_number - 1] - into) + sum(before[self.cell_number :])
        elif self.profile == "quick":
            left = self.spec.minutes * 60 - elapsed
        else:
            return ""
        return f", about {_clock(left)} left" if left >= 1 else ""


class _Watch(threading.Thread):
    """Look at time and memory of the whole process tree; kill the kernel when a limit is passed."""

    def __init__(self, running: _Run) -> None:
        super().__init__(daemon=True)
        self.running, self.peak, self.reason = running, 0, ""
        self._stopped = threading.Event()

    def run(self) -> None:
        spec, told = self.running.spec, time.monotonic()
        me, own = psutil.Process(), set[int]()
        while not self._stopped.wait(WATCH_SECONDS):
            family = [me, *me.children(recursive=True)]
            own = own or self._kernel(family)
            _bury(family, own)
            used = sum(_resident(process) for process in family)
            self.peak = max(self.peak, used)
            if time.monotonic() - self.running.started > spec.limit_minutes * 60:
                self._kill(f"longer than the stage's limit of {spec.limit_minutes:g} minutes")
            elif used > spec.limit_gb * 1e9:
                self._kill(f"{used / 1e9:.1f} GB of memory used, over the stage's limit of {spec.limit_gb:g} GB")
            if self.running.at and time.monotonic() - max(told, self.running.cell_clock) > HEARTBEAT_SECONDS:
                told = time.monotonic()
                self.running.tell()

    def _kernel(self, family: Sequence[psutil.Process]) -> set[int]:
        """What was started by this process once a cell runs: later children were left behind by others."""
        return {process.pid for process in family if _parent(process) == family[0].pid} if self.running.at else set()

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        _kill_children()

    def _kill(self, reason: str) -> None:
        self.reason = self.reason or reason
        _kill_children()


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _bury(family: Sequence[psutil.Process], own: Container[int]) -> None:
    """Take leave of adopted processes that have ended. Every script of an agent leaves one, and each look at a process
    tree, here and in the sandbox, walks over all that are still on the machine's list.
    """
    for process in family[1:]:
        if own and process.pid not in own and _parent(process) == family[0].pid:
            with suppress(ChildProcessError):  # somebody else took leave of it
                os.waitpid(process.pid, os.WNOHANG)


def _adopt_orphans() -> None:
    """Become the parent of whatever a killed kernel leaves behind (Linux), so that it can be found and ended too."""
    if sys.platform == "linux":
        set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _kill_children() -> None:
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.Error:
            continue


def _engine(running: _Run) -> str:
    """Register a papermill engine that reports each cell to `running`; return its name."""
    from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *args: Any, **kwargs: Any) -> Any:
            start, complete = nb_man.cell_start, nb_man.cell_complete

            def cell_start(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
                start(cell, cell_index, **rest)
                if cell.cell_type == "code":
                    running.cell_started(cell, nb_man.nb)

            def cell_complete(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
                complete(cell, cell_index, **rest)
                if cell.cell_type == "code":
                    running.cell_finished()

            nb_man.cell_start, nb_man.cell_complete = cell_start, cell_complete
            return super().execute_managed_notebook(nb_man, kernel_name, *args, **kwargs)

    papermill_engines.register("triptych", Engine)
    return "triptych"


def leave_out_slow_grammar() -> None:
    """jsonschema compiles a grammar for one string format that notebooks never use: five seconds at each import."""
    if "jsonschema" not in sys.modules:
        sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore[reportArgumentType]  (None: "not importable")


@contextmanager
def _environment(values: dict[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({name: value for name, value in values.items() if value})
    for name in (name for name, value in values.items() if not value):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _sigterm() -> Generator[None]:
    """Treat SIGTERM, which make sends when it is interrupted, like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _code(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in document["cells"] if cell["cell_type"] == "code"]


def _title(source: str) -> str:
    """What a cell does, in its author's words: its first comment line."""
    first = source.strip().splitlines()[0] if source.strip() else ""
    return first.lstrip("# ").rstrip() if first.startswith("#") else first[:50]


def _clock(seconds: float) -> str:
    seconds = round(seconds)
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min {seconds % 60:02d} s"


def keep(name: str, profile: str = "full") -> list[Path]:
    """Copy the recorded results of the last `full` run into the checkout, each with its record; return the files.

    Raises InputMissing when that run recorded nothing.
    """
    spec = stages.get(name)
    source = paths.runs(profile) / f"{spec.slug}.recorded"
    facts = keys.read_record(spec, profile)
    made = [] if facts is None else [result for result in facts["recorded"] if (source / result).exists()]
    if facts is None or not made:
        raise InputMissing(
            f"the last {profile} run of {name} computed nothing to keep (what is recorded may be current)",
            f"make figures PROFILE={profile} STUDY={spec.study}",
        )
    written: list[Path] = []
    spec.recorded_folder.mkdir(parents=True, exist_ok=True)
    for result in made:
        about = facts["recorded"][result]
        target, described = keys.recorded_files(spec, result)
        shutil.copyfile(source / result, target)
        story = {
            **about,
            "command": f"make figures PROFILE={profile} STUDY={spec.study} && python -m triptych keep {name}",
            **{
                part: facts[part]
                for part in ("date", "parameters", "git", "machine", "versions", "tools", "wall_seconds")
            },
        }
        described.write_text(json.dumps(story, indent=1, ensure_ascii=False) + "\n", "utf-8")
        written += [target, described]
    return written


def digest_of_outputs(spec: Spec, folder: str) -> str:
    """One digest over published figures and results (not the notebook or the record): equal runs give equal digests."""
    total = hashlib.sha256()
    for path in keys.published(spec, folder)[:-2]:
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()
