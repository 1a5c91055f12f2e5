"""Where the nominal rates come from: measured CPU-seconds of the tiny base, fitted once.

`calibrate` is how the defaults of `budget.Rates` were found. Nobody calls it in a run: rates are part of a task, so
that a faster machine does not give an agent more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from triptych.ft_dojo.tiny import Base, TinySpec
from triptych.ft_dojo.trainer import Example, TrainSpec


def calibrate(bases: Sequence[Base], repeats: int = 3) -> dict[str, float]:
    """CPU-seconds for each step and batch, and for each token and parameter of training and of scoring.

    Least squares of the fastest of `repeats` over batches of 8 to 64 rows of 16 to 64 tokens, relative errors weighed
    equally; run it on a quiet machine, with OMP_NUM_THREADS=1.
    """
    import torch

    from triptych.ft_dojo import trainer

    costs: dict[str, list[tuple[float, float, float]]] = {"train": [], "forward": []}
    for base in bases:
        model = base.load()
        parameters = sum(weight.numel() for weight in model.parameters())
        for batch in (8, 32, 64):
            for length in (16, 32, 64):
                rows = [Example(tuple(range(3, 3 + length)), (length - 1,))] * batch
                spec = TrainSpec(steps=4, batch=batch, learning_rate=1e-6)
                ids, mask, _ = trainer.collate(rows)

                def forward(
                    model: Callable[..., object] = model, ids: object = ids, mask: object = mask, keep: int = 3
                ) -> None:
                    with trainer.deterministic(0), torch.inference_mode():
                        for _ in range(4):
                            model(input_ids=ids, attention_mask=mask, logits_to_keep=keep)

                work = batch * length * parameters
                trained = _fastest(lambda m=model, r=rows, s=spec: trainer.train(m, r, s), repeats)
                costs["train"].append((1.0, work, trained / 4))
                costs["forward"].append((1.0, work, _fastest(forward, repeats) / 4))
    fitted = {name: _fit(rows) for name, rows in costs.items()}
    return {
        "step": fitted["train"][0],
        "train": fitted["train"][1],
        "batch": fitted["forward"][0],
        "forward": fitted["forward"][1],
    }


def specs() -> list[TinySpec]:
    """Bases of four sizes to calibrate with, barely trained: speed does not depend on what they know."""
    brief = TrainSpec(steps=2, batch=4)
    return [TinySpec(hidden=hidden, heads=4, feed_forward=2 * hidden, train=brief) for hidden in (32, 64, 96, 128)]


def _fit(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    data = np.array(rows)
    scaled = data / data[:, 2:]
    found, *_ = np.linalg.lstsq(scaled[:, :2], scaled[:, 2], rcond=None)
    return float(found[0]), float(found[1])


def _fastest(work: Callable[[], object], repeats: int) -> float:
    times: list[float] = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)
