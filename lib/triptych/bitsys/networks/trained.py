"""Networks trained once and kept: a row for each network, mix and seed, with its scores and, for one seed, integers.

Training is keyed by what it depends on (this data set, recipe, mix and seed), so a series that was interrupted goes on
where it stopped. `python -m triptych.bitsys.networks.trained --minutes 9` trains what bitsys/05_networks records and
the committed record does not hold yet, the networks that others wait for first, and says how many are left; then a run
of that stage in `full`, and `keep`, write the record. It is a frame; `network` opens what it holds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from triptych.bitsys import builds
from triptych.bitsys.networks import images, integer
from triptych.bitsys.networks.images import Source
from triptych.bitsys.networks.integer import Network
from triptych.errors import DataError, ParameterError

FLOAT = "float"
"""The mix of a network in floating point."""

UNIFORM = ("8888", "4444", "2222", "1111")
"""One precision in every layer."""


@dataclass(frozen=True)
class Job:
    """One training. `kind` is tfc or tcv, `mix` as in 8421, or `float`."""

    kind: str
    mix: str
    seed: int
    source: Source = "digits"
    epochs: int = 0  # 0: as the recipe has it


class Scores(BaseModel):
    """What a trained network is worth: shares of pictures classified rightly, and mean cross-entropy in nats."""

    train_accuracy: float
    validation_accuracy: float
    validation_loss: float
    test_accuracy: float
    cpu_seconds: float


def jobs(
    kind: str, mixes: Iterable[str], seeds: Sequence[int], source: Source = "digits", epochs: int = 0
) -> list[Job]:
    """Every mix with every seed, without repetition."""
    return [Job(kind, mix, seed, source, epochs) for mix in dict.fromkeys(mixes) for seed in seeds]


def gather(todo: Sequence[Job], keep: Collection[Job] = (), known: pd.DataFrame | None = None) -> pd.DataFrame:
    """Take what `known` (another frame of `gather`) holds, train what has not been trained before; one row a job.

    Columns: those of Job and Scores, `digest` of the training, `integer_accuracy` on the test pictures and `network`
    (the integers, compressed) of the jobs in `keep`, else missing.
    """
    from tqdm.auto import tqdm

    columns = [one.name for one in fields(Job)]
    held: dict[tuple[object, ...], dict[str, Any]] = {}
    if known is not None:
        for record in known.to_dict("records"):
            row = {str(name): value for name, value in record.items()}
            held[tuple(row[name] for name in columns)] = row
    missing = [job for job in todo if astuple(job) not in held]
    made = {
        astuple(job): _row(job, job in keep) for job in tqdm(missing, desc="training", leave=False, disable=not missing)
    }
    return pd.DataFrame([held[astuple(job)] if astuple(job) in held else made[astuple(job)] for job in todo])


def series(
    mixes: Mapping[str, Sequence[str]],
    seeds: Sequence[int],
    source: Source = "digits",
    epochs: int = 0,
    probe_seeds: Sequence[int] | None = None,
) -> list[Job]:
    """What bitsys/05_networks trains: each network of `mixes` at its mixes and in floating point, and TFC at those with
    one narrow layer, those with `probe_seeds` if they are others. First all of the first seed, whose integers others
    wait for.
    """
    probe_seeds = seeds if probe_seeds is None else probe_seeds
    from triptych.bitsys.networks.quantised import one_narrow

    found: list[Job] = []
    for seed in seeds:
        for kind, those in mixes.items():
            found += jobs(kind, those, [seed], source, epochs)
    for kind in mixes:
        found += jobs(kind, [FLOAT], seeds, source, epochs)
        if kind == "tfc":
            found += jobs(kind, ["8888", *one_narrow()], probe_seeds, source, epochs)
    return list(dict.fromkeys(found))


def recorded() -> pd.DataFrame:
    """The committed record of trained networks, whatever code made it. Raises DataError when there is none."""
    from triptych import keys, stages

    path, _ = keys.recorded_files(stages.get("bitsys/05_networks"), "networks.parquet")
    if not path.exists():
        raise DataError("no trained networks are recorded", "python -m triptych run bitsys/05_networks --profile full")
    return pd.read_parquet(path)


def of_today(frame: pd.DataFrame) -> pd.DataFrame:
    """Those rows of a frame whose training and data are described by the same texts as they are now."""
    columns = [one.name for one in fields(Job)]
    same = [
        str(row["digest"]) == digest(Job(**{name: row[name] for name in columns})) for row in frame.to_dict("records")
    ]
    return frame.loc[same]


def go_on(plan: Plan, more: Callable[[pd.DataFrame], Iterable[Job]] = lambda _: ()) -> pd.DataFrame:
    """The frame of a plan and then of `more`, which jobs follow from it: from the committed record what today's recipe
    trained, by training what is missing there.
    """
    try:
        known = of_today(recorded())
    except DataError:
        known = None
    else:
        print(f"{len(plan.left(known))} of {len(plan.todo)} trainings are new, the others recorded by the same recipe")
    frame = plan.gather(known)
    added = gather([job for job in more(frame) if job not in plan.todo], known=known)
    return pd.concat([frame, added], ignore_index=True) if len(added) else frame


def _row(job: Job, keep: bool) -> dict[str, Any]:
    folder = trained(job)
    scores = Scores.model_validate_json((folder / "scores.json").read_bytes())
    row: dict[str, Any] = {**vars(job), **scores.model_dump(), "digest": digest(job)}
    row |= {"integer_accuracy": None, "network": None}
    if keep:
        network = integers(job)
        test = images.load(job.source).test
        row["integer_accuracy"] = float((integer.classify(network, test.pictures) == test.classes).mean())
        row["network"] = packed(network)
    return row


def trained(job: Job) -> Path:
    """The folder with a job's weights and scores, made if it is not there yet."""

    def make(folder: Path) -> None:
        import torch

        from triptych.bitsys.networks import quantised

        torch.set_num_threads(1)  # the same sums in the same order on every machine
        data = images.load(job.source)
        mix = None if job.mix == FLOAT else quantised.parse(job.mix)
        if job.kind not in quantised.KINDS:
            raise ParameterError(f"{job.kind!r} is no network", f"choose one of {', '.join(quantised.KINDS)}")
        start = time.process_time()
        model = quantised.train(job.kind, mix, data, job.seed, job.epochs or None)
        spent = time.process_time() - start
        torch.save(model.state_dict(), folder / "weights.pt")
        train, _ = quantised.scores(model, data.train)
        accuracy, loss = quantised.scores(model, data.validation)
        test, _ = quantised.scores(model, data.test)
        scores = Scores(
            train_accuracy=train,
            validation_accuracy=accuracy,
            validation_loss=loss,
            test_accuracy=test,
            cpu_seconds=round(spent, 1),
        )
        (folder / "scores.json").write_text(scores.model_dump_json(indent=1), "utf-8")

    return builds.once("trained", digest(job), make)


def digest(job: Job) -> str:
    """What a training depends on: the job, and the text of the recipe and of the data set's split."""
    here = Path(__file__).parent
    return builds.key([here / "quantised.py", here / "images.py"], vars(job))


def model(job: Job) -> Any:
    """A trained brevitas model in evaluation mode."""
    import torch

    from triptych.bitsys.networks import quantised

    assert job.kind in quantised.KINDS
    made = quantised.build(job.kind, None if job.mix == FLOAT else quantised.parse(job.mix))
    made.load_state_dict(torch.load(trained(job) / "weights.pt", weights_only=True))
    return made.eval()


def integers(job: Job) -> Network:
    """A trained network as integers, by way of QONNX; kept by the training and the text of what reads it."""
    from triptych.bitsys.networks import from_qonnx

    def make(folder: Path) -> None:
        network = from_qonnx.from_brevitas(model(job), (1, 1, 28, 28), f"{job.kind}-{job.mix}")
        integer.save(network, folder / "network.json.xz")

    key = builds.key([Path(from_qonnx.__file__), Path(integer.__file__)], {"training": digest(job)})
    return integer.load(builds.once("integers", key, make) / "network.json.xz")


def packed(network: Network) -> bytes:
    """A network as the bytes of a compressed file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.json.xz"
        integer.save(network, path)
        return path.read_bytes()


def network(frame: pd.DataFrame, kind: str, mix: str) -> Network:
    """The integers of a network in a frame of `gather`. Raises DataError when it has none."""
    rows = frame[(frame["kind"] == kind) & (frame["mix"] == mix) & frame["network"].notna()]
    if rows.empty:
        kept = frame[frame["network"].notna()]
        known = sorted(f"{one}-{other}" for one, other in zip(kept["kind"], kept["mix"], strict=True))
        raise DataError(f"no integers are kept for {kind}-{mix}", f"there are {', '.join(known)}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind}-{mix}.json.xz"
        path.write_bytes(next(iter(rows["network"])))
        return integer.load(path)


def brevitas_version() -> str:
    """Version of the package that trains."""
    from importlib.metadata import version

    return version("brevitas")


@dataclass(frozen=True)
class Plan:
    """What bitsys/05_networks asks for: `todo`, and of it the jobs whose integers are kept."""

    todo: tuple[Job, ...]
    kept: tuple[Job, ...]

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> Plan:
        """Of the notebook's parameters by name."""
        source, epochs = words["source"], words["epochs"]
        todo: list[Job] = []
        kept: list[Job] = []
        for kind, mixes, seeds in (("tfc", "mixes", "seeds"), ("tcv", "tcv_mixes", "tcv_seeds")):
            if words[mixes]:
                todo += series({kind: words[mixes]}, words[seeds], source, epochs, words["probe_seeds"])
                kept += jobs(kind, words[mixes], words[seeds][:1], source, epochs)
        bars = [mix for mix in (FLOAT, "8888", "4444") if mix in (FLOAT, *words["mixes"])]
        todo += jobs("tfc", bars, words["bar_seeds"], source, epochs)
        if words["longer"]:
            todo += jobs("tfc", [FLOAT, *UNIFORM], words["seeds"], source, words["longer"])
        return cls(tuple(dict.fromkeys(todo)), tuple(kept))

    def gather(self, known: pd.DataFrame | None = None) -> pd.DataFrame:
        """The frame of all of it."""
        return gather(self.todo, self.kept, known)

    def left(self, known: pd.DataFrame) -> list[Job]:
        """Jobs that a frame does not hold, those whose integers are kept first."""
        columns = [one.name for one in fields(Job)]
        held = {tuple(row) for row in known[columns].itertuples(index=False)}
        return sorted((job for job in self.todo if astuple(job) not in held), key=lambda job: job not in self.kept)


def main() -> None:
    """Train what the record of bitsys/05_networks lacks until the time is up; print what is left."""
    from triptych import stages

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=9, help="no training begins after so long")
    chosen = parser.parse_args()
    began = time.monotonic()
    plan = Plan.of(stages.resolve(stages.get("bitsys/05_networks"), "full"))
    todo = plan.left(of_today(recorded()))
    left = len(todo)
    for job in todo:
        if time.monotonic() > began + 60 * chosen.minutes:
            break
        scores = Scores.model_validate_json((trained(job) / "scores.json").read_bytes())
        if job in plan.kept:
            integers(job)
        left -= 1
        print(f"{job.kind}-{job.mix} seed {job.seed}: {scores.test_accuracy:.4f}, {scores.cpu_seconds} s", flush=True)
    print(f"{left} of {len(plan.todo)} trainings are left")
    if not left:
        print("python -m triptych run bitsys/05_networks --profile full && python -m triptych keep bitsys/05_networks")


if __name__ == "__main__":
    main()
