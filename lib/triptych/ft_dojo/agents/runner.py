"""Tasks × agents × seeds as jobs that can be interrupted, each with one row that is kept on its own.

    jobs = runner.jobs(["finance"], ["default", "FT-Agent"], seeds=[0, 1])
    rows = runner.sweep(jobs)                            # one after another, in this process
    rows = runner.sweep(jobs, processes=2)               # in two local processes
    rows = runner.sweep(jobs, scheduler="tcp://host:8786")   # on the workers of a dask scheduler

A job is identified by its content: the code of its agent and of the environment, the base's weights, task, agent,
options, seed and limits. A finished one is never played again: its row lies beside its run in `folder`, or stands in
`known`, a frame of earlier rows. An unfinished one goes on from its journal. When nothing but the agent's code has
changed, its new code is asked again and answered from the old journal: where it does the same it trains nothing and
its row is that of the old run, where it strays the run begins anew. An agent that crashes, and a worker that is lost
for good, leave a row with a verdict and what was spent; so a sweep always ends with one row a job.

An agent of one's own is a function `module:function` that takes a `roster.Place`; see `roster`.
`python -m triptych.ft_dojo.agents.runner --minutes 9` gathers rows of the benchmark for nine minutes and stops.
"""

from __future__ import annotations

import argparse
import atexit
import fcntl
import hashlib
import inspect
import json
import math
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from triptych import keys, paths, stages
from triptych.errors import BusyError, LimitError, ParameterError, ToolMissing, TriptychError, is_disk_full
from triptych.ft_dojo import tasks, tiny
from triptych.ft_dojo.agents import roster, workplace
from triptych.ft_dojo.agents.plan import Verdict
from triptych.ft_dojo.environment import journal, sandbox, session
from triptych.ft_dojo.environment.actions import AnyAction, Stop
from triptych.ft_dojo.environment.budget import Charge, Limits, Measured, total
from triptych.ft_dojo.environment.observations import Outcome
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.tiny import TinySpec

if TYPE_CHECKING:
    from distributed import Client

ROW = "row.json"
PACKAGES = ("torch", "transformers", "numpy", "optuna")  # whose versions may change a score
LOST = 3  # processes that a job may kill before it is given up: one of them may have been another job's doing
DIVERGED = 2.0  # times its first loss: a rehearsal that ends there was rejected for divergence
Ended = Literal["submitted", "stopped", "crashed", "lost"]


class Job(BaseModel):
    """One run to be played: a task, an agent, a seed, and what the agent may spend."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    agent: str  # of the roster, or module:function
    seed: int
    options: dict[str, JsonValue] = Field(default={})  # handed to the agent's function
    reserved: bool = False  # whether the kinds of damage that are kept back are planted too
    limits: Limits = Limits()
    sizes: dict[str, int] | None = None
    base: TinySpec = TinySpec()

    @cached_property
    def run(self) -> str:
        """Sixteen hex digits of everything that decides the run but the agent's code; its folder is called so."""
        return _digest(self.model_dump_json(), _base(self.base).sha256, _ground(), session.code_digest())

    @cached_property
    def key(self) -> str:
        """Sixteen hex digits of everything that decides the row."""
        return _digest(self.run, _code(roster.maker(self.agent)))

    def __str__(self) -> str:
        return f"{self.task}, {self.agent}, seed {self.seed}" + (", reserved" if self.reserved else "")


class Row(BaseModel):
    """What came of a job. Seconds are nominal CPU-seconds; `cpu` and `wall` are measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    domain: str
    agent: str
    proposer: str
    seed: int
    reserved: bool
    options: str  # JSON
    val: float | None  # val score of the model that was handed in, in [0, 1], where the agent asked for it
    test: float | None  # its test score; None when nothing was handed in
    normalised: float | None  # 100·(test − chance)/(1 − chance)
    seconds: float  # nominal, of all actions
    wasted: float  # nominal, of actions that ended in an error and of rehearsals that diverged
    trainings: int  # full ones that were done
    evaluations: int
    actions: int
    tokens: int  # of the agent's language model
    money: float | None  # None where a model was asked whose price nobody said (`models.reached`)
    tried: int  # plans or candidates
    ended: Ended
    reason: str
    flags: str
    cpu: float  # of all actions, by the kernel's count
    wall: float  # of the whole job
    base: str  # sha256 (hex) of the base's weights, its first digits
    course: str  # JSON: [nominal seconds so far, normalised val score] of each evaluation but the base's, in order
    trajectory: str  # last hash of the journal: two runs that share it did the same
    run: str  # the folder of the run
    key: str


COLUMNS = tuple(Row.model_fields)


def jobs(names: Sequence[str], agents: Sequence[str], seeds: Sequence[int], **more: Any) -> list[Job]:
    """Every task with every agent, seed by seed; `more` are other fields of Job. Raises ParameterError."""
    for name in names:
        if name not in tasks.names():
            raise ParameterError(f"no task is called {name!r}", f"tasks: {', '.join(tasks.names())}")
    for agent in agents:
        roster.maker(agent)
    return [Job(task=name, agent=agent, seed=seed, **more) for seed in seeds for name in names for agent in agents]


@dataclass(frozen=True)
class Progress:
    """Where a sweep is: jobs that have a row, all jobs, seconds that the rest will take (None: nobody knows yet)."""

    done: int
    total: int
    left: float | None
    row: Row

    def __str__(self) -> str:
        left = "" if self.left is None else f", {self.left / 60:.0f} min left"
        score = "–" if self.row.normalised is None else f"{self.row.normalised:.1f}"
        who = f"{self.row.task}, {self.row.agent}, seed {self.row.seed}"
        return f"{self.done} of {self.total}{left}: {who}: {score} ({self.row.ended}, {self.row.wall:.0f} s)"


def sweep(
    wanted: Sequence[Job],
    *,
    processes: int = 1,
    scheduler: str | None = None,
    folder: Path | None = None,
    known: pd.DataFrame | None = None,
    minutes: float = math.inf,
    on_row: Callable[[Progress], None] | None = None,
) -> pd.DataFrame:
    """One row a job, in the order of the jobs; see `Row`.

    `minutes` is when no more jobs are begun; the rows that are missing then are missing in the frame. Raises
    LimitError when a sweep's machine fails it (a full disk), ParameterError when nobody answers at `scheduler`,
    ToolMissing when scripts cannot be isolated here. What was finished until then is kept.
    """
    folder = folder or default_folder()
    earlier = _rows_of(known)
    found = {job.key: row for job in wanted if (row := _kept(job, folder) or earlier.get(job.key)) is not None}
    waiting = list({job.key: job for job in wanted if job.key not in found}.values())
    started, spent = time.monotonic(), list(found.values())
    if waiting and scheduler is None and (problem := sandbox.problem()):
        raise ToolMissing(f"agents' scripts cannot be isolated here: {problem}", "install bubblewrap (triptych doctor)")
    total_jobs = len({job.key for job in wanted})
    with _players(processes, scheduler, folder, len(waiting)) as players:
        for job, row in players.play(waiting, lambda: time.monotonic() - started < minutes * 60):
            found[job.key] = row
            spent.append(row)
            if on_row is not None:
                rest = [other for other in waiting if other.key not in found]
                on_row(Progress(len(found), total_jobs, _left(rest, spent, players.width), row))
    return pd.DataFrame(
        [found[job.key].model_dump() for job in wanted if job.key in found], columns=list(COLUMNS)
    ).astype({"val": float, "test": float, "normalised": float, "money": float})


def play(job: Job, folder: Path) -> Row:
    """Play one job in this process, beginning or continuing its run in `folder`; its row is written there last.

    Where another process plays the same job, this one waits for it and gives its row.
    """
    own = folder / job.run
    own.mkdir(parents=True, exist_ok=True)
    with (own / ".playing").open("w") as file:
        if (row := _kept(job, folder)) is None:
            fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed, or the process dies
            row = _kept(job, folder) or _play(job, own)
    return row


def _play(job: Job, own: Path) -> Row:
    began = time.monotonic()
    earlier = _row_in(own)
    made = tasks.make(job.task, job.seed, job.sizes, reserved=job.reserved)
    base = _base(job.base)
    worker, lock = _worker(base.folder)
    with lock:
        verdict = None
        while verdict is None:
            with workplace.run(
                own, job.task, job.seed, base, worker, sizes=job.sizes, limits=job.limits, reserved=job.reserved
            ) as run:  # fmt: skip
                verdict = _verdict(job, run, made)
            if verdict is None:  # the old journal is of no use to this agent, but what it cost was spent
                earlier = None
                (own / "run").rename(own / f"strayed-{len(list(own.glob('strayed-*')))}")
    ended = verdict.ended if isinstance(verdict, Verdict) else "crashed"
    wall = earlier.wall if earlier else time.monotonic() - began
    row = _row(job, ended, verdict, own, journal.read(own / "run"), wall)
    partial = own / f".{ROW}"
    partial.write_text(row.model_dump_json(), "utf-8")
    partial.replace(own / ROW)
    for part in ("models", "data", "debug", "submissions"):  # megabytes that no reader of a trajectory needs
        shutil.rmtree(own / "run" / part, ignore_errors=True)
    return row


def trajectory_folder(run: str, folder: Path | None = None) -> Path:
    """The run of a row, for `trajectory.read`; it is there on the machine that played it."""
    return (folder or default_folder()) / run / "run"


def default_folder() -> Path:
    """Where runs and their rows are kept when nobody says otherwise."""
    return paths.cache() / "ft_dojo" / "runs"


def committed(stage: str, name: str) -> pd.DataFrame | None:
    """The recorded rows that the checkout holds for a stage, to be handed on as `known`."""
    path, _ = keys.recorded_files(stages.get(stage), name)
    return pd.read_parquet(path) if path.exists() else None


# --- one job ----------------------------------------------------------------------------------------------------------


class _Strayed(Exception):
    """The agent asks for another action than the journal holds."""


def _verdict(job: Job, run: session.Session, made: tasks.Task) -> Verdict | str | None:
    """What the agent says in the end, or how it crashed; either way the run is over. None when it strayed from the
    journal that it was answered from."""
    asked, strayed = run.step, list[str]()

    def step(given: str | bytes | AnyAction) -> Outcome:
        outcome = asked(given)
        if outcome.action == "none" and run.replaying:
            strayed.append(str(given)[:80])
            raise _Strayed
        return outcome

    run.step = step
    verdict, crash = None, ""
    try:
        place = roster.Place(job.seed, run, made, job.options)
        verdict = roster.maker(job.agent)(place).play(run)
    except BusyError:
        raise
    except Exception as error:
        if is_disk_full(error):  # this machine's doing, not the agent's: another try may go well
            raise LimitError("the disk is full", "free some space and run the same again") from error
        crash = f"{type(error).__name__}: {error}"[:500]
    if crash and not strayed and not run.done:
        with suppress(_Strayed):
            step(Stop(reason=f"the agent crashed: {crash}"))
    return None if strayed or run.replaying else verdict or crash


def _row(job: Job, ended: Ended, verdict: Verdict | str, own: Path, entries: Sequence[Any], wall: float) -> Row:
    """The row of a run, from its journal: what an agent says of itself is only its reason."""
    outcomes = [Outcome.model_validate(entry["outcome"]) for entry in entries[1:]]
    spent = total([outcome.charged for outcome in outcomes])
    last = outcomes[-1] if outcomes else None
    handed: dict[str, Any] = dict(last.result or {}) if last and last.action == "submit" and last.ok else {}
    about = verdict if isinstance(verdict, Verdict) else None
    return Row(
        task=job.task,
        domain=next(recipe.domain for recipe in tasks.recipes() if recipe.id == job.task),
        agent=job.agent,
        proposer=about.proposer if about else "",
        seed=job.seed,
        reserved=job.reserved,
        options=json.dumps(job.options, sort_keys=True),
        val=_val(outcomes, handed.get("model")),
        test=handed.get("test"),
        normalised=handed.get("normalised"),
        seconds=spent.nominal_cpu,
        wasted=total([_wasted(outcome) for outcome in outcomes]).nominal_cpu,
        trainings=sum(
            _trainings(outcome, entry["action"]) for outcome, entry in zip(outcomes, entries[1:], strict=True)
        ),
        evaluations=spent.evaluations,
        actions=spent.actions,
        tokens=spent.llm_tokens,
        money=spent.money if spent.money or not spent.llm_tokens or "prompt_price" in job.options else None,
        tried=about.tried if about else 0,
        ended=ended,
        reason=about.reason if about else str(verdict),
        flags=", ".join(dict.fromkeys(flag for outcome in outcomes for flag in outcome.flags)),
        cpu=round(math.fsum(part.cpu for part in _measured(own / "run")), 3),
        wall=round(wall, 2),
        base=_base(job.base).sha256[:12],
        course=json.dumps(_course(outcomes), separators=(",", ":")),
        trajectory=str(entries[-1]["hash"])[:16] if entries else "",
        run=job.run,
        key=job.key,
    )


def _measured(run: Path) -> list[Measured]:
    """What a clock said of each action; of one that was done again after a kill, both."""
    path = run / journal.MEASURED
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return [Measured.model_validate(line["measured"]) for line in lines if "step" in line]


def _val(outcomes: Sequence[Outcome], model: str | None) -> float | None:
    scores = [
        float(str(outcome.result["score"]))
        for outcome in outcomes
        if outcome.action == "evaluate" and outcome.result and outcome.result["model"] == model
    ]
    return scores[-1] if scores else None


def _course(outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
    spent, found = 0.0, list[tuple[float, float]]()
    for outcome in outcomes:
        spent += outcome.charged.nominal_cpu
        if outcome.action == "evaluate" and outcome.result and outcome.result["model"] != session.BASE:
            found.append((round(spent, 3), float(str(outcome.result["normalised"]))))
    return found


def _wasted(outcome: Outcome) -> Charge:
    """The charge of an action that came to nothing."""
    result: dict[str, Any] = dict(outcome.result or {})
    diverged = result.get("micro") and result["losses"][-1] > DIVERGED * result["losses"][0]
    return outcome.charged if outcome.error or diverged else Charge()


def _trainings(outcome: Outcome, action: Any) -> int:
    """Full trainings that an action did."""
    if not outcome.ok or outcome.result is None:
        return 0
    if outcome.action == "ab_test":
        return len(action["arms"]) * len(action["seeds"])
    return int(outcome.action == "train" and not action["micro"])


def _lost(job: Job, folder: Path, why: str) -> Row:
    """The row of a job whose workers kept dying: what they spent, as far as their journal can be read here."""
    own = folder / job.run
    entries = journal.read(own / "run") if (own / "run" / journal.JOURNAL).exists() else []
    return _row(job, "lost", why, own, entries, 0.0)


# --- what is kept -----------------------------------------------------------------------------------------------------


def _kept(job: Job, folder: Path) -> Row | None:
    """The row of exactly this job."""
    row = _row_in(folder / job.run)
    return row if row is not None and row.key == job.key else None


def _row_in(own: Path) -> Row | None:
    """The row of a run, whatever code its agent had; None where there is none, or one of another form."""
    try:
        return Row.model_validate_json((own / ROW).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _rows_of(frame: pd.DataFrame | None) -> dict[str, Row]:
    if frame is None:
        return {}
    lines = frame[list(COLUMNS)].to_json(orient="records", lines=True, double_precision=15) or ""
    rows = [Row.model_validate_json(line) for line in lines.splitlines()]
    return {row.key: row for row in rows if row.ended != "lost"}


def _left(rest: Sequence[Job], spent: Sequence[Row], width: int) -> float | None:
    """Seconds that the rest will take, by what the same agents took so far, others' mean for those not seen yet."""
    if not spent:
        return None
    mean = math.fsum(row.wall for row in spent) / len(spent)
    by_agent = {row.agent: [other.wall for other in spent if other.agent == row.agent] for row in spent}
    times = [
        math.fsum(by_agent[job.agent]) / len(by_agent[job.agent]) if job.agent in by_agent else mean for job in rest
    ]
    return math.fsum(times) / max(width, 1)


# --- who plays --------------------------------------------------------------------------------------------------------


def _base(spec: TinySpec) -> tiny.Base:
    return _base_of(spec.model_dump_json())


@cache
def _base_of(spec: str) -> tiny.Base:
    return tiny.base(TinySpec.model_validate_json(spec))


class _Asleep(TrainingWorker):
    """Starts its process, which imports torch, with the first job: a run answered from its journal needs none."""

    def __init__(self, base: Path) -> None:
        self._awake = False
        super().__init__(base)

    def start(self) -> None:
        if self._awake:
            super().start()

    def ready(self) -> int:
        self._awake = True
        return super().ready()


@cache
def _worker(folder: Path) -> tuple[TrainingWorker, threading.Lock]:
    """This process's training worker for a base: importing torch for every run would cost more than many runs do."""
    worker = _Asleep(folder)
    atexit.register(worker.close)
    return worker, threading.Lock()


def code_files(maker: roster.Maker) -> list[Path]:
    """The study's modules that a run of this agent depends on: its own, and the environment's."""
    file, study = Path(inspect.getsourcefile(maker) or ""), Path(tiny.__file__).parent
    listed = file == Path(roster.__file__)  # there, a function imports what it needs in its own body
    source = inspect.getsource(maker) if listed else file.read_text("utf-8")
    found = {path for path in keys.modules([source, inspect.getsource(workplace)]) if study in path.parents}
    found -= {Path(roster.__file__), Path(__file__)}
    return sorted(found if listed else {*found, file})


@cache
def _code(maker: roster.Maker) -> str:
    """Digest of an agent's function and of the modules that its run depends on."""
    return _digest(inspect.getsource(maker), *(path.read_text("utf-8") for path in code_files(maker)))


@cache
def _ground() -> str:
    """Digest of what a run rests on whoever plays it: tasks, environment, trainer, packages."""
    study = Path(tiny.__file__).parent
    files = [path for path in keys.modules([inspect.getsource(workplace)]) if study in path.parents]
    return _digest(*(path.read_text("utf-8") for path in files), *(f"{name} {version(name)}" for name in PACKAGES))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


class _Here:
    """Plays in this process, one job after another."""

    width = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def play(self, waiting: Sequence[Job], go_on: Callable[[], bool]) -> Generator[tuple[Job, Row]]:
        for job in waiting:
            if not go_on():
                return
            yield job, play(job, self.folder)


class _Pool:
    """Plays in local processes. When one dies, the jobs that were running are played one at a time: the one that kills
    its process is found out and given up after LOST deaths, the others lose nothing."""

    def __init__(self, processes: int, folder: Path) -> None:
        self.width, self.folder = processes, folder

    def play(self, waiting: Sequence[Job], go_on: Callable[[], bool]) -> Generator[tuple[Job, Row]]:
        queue, suspects, deaths = list(waiting)[::-1], list[Job](), Counter[str]()
        while (queue or suspects) and go_on():
            alone = bool(suspects)
            running: dict[Future[str], Job] = {}
            with ProcessPoolExecutor(1 if alone else self.width, mp_context=get_context("spawn")) as pool:
                try:
                    while running or ((suspects if alone else queue) and go_on()):
                        while (
                            len(running) < (1 if alone else self.width) and (suspects if alone else queue) and go_on()
                        ):
                            job = (suspects if alone else queue).pop()
                            running[pool.submit(_played, job.model_dump_json(), str(self.folder))] = job
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            text = future.result()
                            yield running.pop(future), Row.model_validate_json(text)
                    continue
                except BrokenProcessPool:
                    pass
            deaths.update(job.key for job in running.values())
            for job in running.values():
                if deaths[job.key] >= LOST:
                    yield job, _lost(job, self.folder, f"its process was lost {LOST} times")
                else:
                    suspects.append(job)


class _Dask:
    """Plays on the workers of a dask cluster; a job whose worker is lost goes to another."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client, self.folder = client, folder

    @property
    def width(self) -> int:
        """Workers that are there now."""
        return max(len(self.client.scheduler_info(n_workers=-1)["workers"]), 1)

    def play(self, waiting: Sequence[Job], go_on: Callable[[], bool]) -> Generator[tuple[Job, Row]]:
        from distributed import as_completed

        queue = list(waiting)[::-1]
        running: dict[Any, Job] = {}
        arrivals = as_completed()

        def send() -> None:
            while queue and go_on() and len(running) < self.width:  # no further ahead than there are hands
                job = queue.pop()
                future = self.client.submit(_played, job.model_dump_json(), str(self.folder), pure=False)
                running[future] = job
                arrivals.add(future)

        send()
        while running:
            future = next(arrivals)
            job = running.pop(future)
            yield job, self._row(job, future)
            send()

    def _row(self, job: Job, future: Any) -> Row:
        from distributed.scheduler import KilledWorker

        try:
            row = Row.model_validate_json(future.result())
        except KilledWorker as error:
            row = _lost(job, self.folder, f"its workers were lost: {error}"[:500])
        if row.key != job.key:
            raise ParameterError(f"a worker runs other code than this process: {job}", "restart the workers")
        own = self.folder / job.run
        own.mkdir(parents=True, exist_ok=True)
        if row.ended != "lost":  # a worker's folder may be another machine's
            (own / ROW).write_text(row.model_dump_json(), "utf-8")
        return row


def _played(job: str, folder: str) -> str:
    """One job on a dask worker."""
    return play(Job.model_validate_json(job), Path(folder)).model_dump_json()


@contextmanager
def _players(processes: int, scheduler: str | None, folder: Path, count: int) -> Generator[_Here | _Pool | _Dask]:
    if processes < 1:
        raise ParameterError(f"{processes} processes", "at least 1")
    if not count or (scheduler is None and processes == 1):
        yield _Here(folder)
        return
    if scheduler is None:
        yield _Pool(processes, folder)
        return
    from distributed import Client

    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"no dask scheduler answers at {scheduler}: {error}", "start one with `dask scheduler`, or leave it out"
        ) from error
    with client:
        yield _Dask(client, folder)


def main() -> int:
    """Gather rows of the benchmark, seed by seed."""
    parser = argparse.ArgumentParser(description="gather rows of the benchmark, seed by seed")
    parser.add_argument("--tasks", nargs="*", default=[recipe.id for recipe in tasks.recipes()])
    parser.add_argument("--agents", nargs="*", default=list(roster.AGENTS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--reserved", action="store_true", help="with the kinds of damage that are kept back")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--scheduler", help="address of a dask scheduler")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing new after so many minutes")
    chosen = parser.parse_args()
    try:
        wanted = jobs(chosen.tasks, chosen.agents, chosen.seeds, reserved=chosen.reserved)
        rows = sweep(
            wanted, processes=chosen.processes, scheduler=chosen.scheduler, minutes=chosen.minutes,
            known=committed("ft_dojo/04_benchmark", "rows.parquet"),
            on_row=lambda progress: print(progress, flush=True),
        )  # fmt: skip
    except TriptychError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{len(rows)} of {len(wanted)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
