"""Networks trained once and kept: a row for each network, mix and seed, with its scores and, for one seed, integers.

Training is keyed by what it depends on (this data set, recipe, mix and seed), so a series that was interrupted goes on
where it stopped. The frame is a result of bitsys/05_networks; `network` opens what it holds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


def gather(todo: Sequence[Job], keep_seed: int = 0) -> pd.DataFrame:
    """Train what has not been trained before; one row a job.

    Columns: those of Job and Scores, `integer_accuracy` on the test pictures and `network` (the integers, compressed)
    for the seed `keep_seed` of mixes other than float, else missing.
    """
    from tqdm.auto import tqdm

    rows = [_row(job, keep_seed) for job in tqdm(todo, desc="training", leave=False)]
    return pd.DataFrame(rows)


def _row(job: Job, keep_seed: int) -> dict[str, Any]:
    folder = trained(job)
    scores = Scores.model_validate_json((folder / "scores.json").read_bytes())
    row: dict[str, Any] = {**vars(job), **scores.model_dump(), "integer_accuracy": None, "network": None}
    if job.seed == keep_seed and job.mix != FLOAT:
        network = integers(job)
        test = images.load(job.source).test
        row["integer_accuracy"] = float((integer.classify(network, test.pictures) == test.classes).mean())
        row["network"] = packed(network)
    return row


def trained(job: Job) -> Path:
    """The folder with a job's weights and scores, made if it is not there yet."""
    here = Path(__file__).parent

    def make(folder: Path) -> None:
        import time

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

    digest = builds.key([here / "quantised.py", here / "images.py"], vars(job))
    return builds.once("trained", digest, make)


def model(job: Job) -> Any:
    """A trained brevitas model in evaluation mode."""
    import torch

    from triptych.bitsys.networks import quantised

    assert job.kind in quantised.KINDS
    made = quantised.build(job.kind, None if job.mix == FLOAT else quantised.parse(job.mix))
    made.load_state_dict(torch.load(trained(job) / "weights.pt", weights_only=True))
    return made.eval()


def integers(job: Job) -> Network:
    """A trained network as integers, by way of QONNX."""
    from triptych.bitsys.networks import from_qonnx

    return from_qonnx.from_brevitas(model(job), (1, 1, 28, 28), f"{job.kind}-{job.mix}")


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
