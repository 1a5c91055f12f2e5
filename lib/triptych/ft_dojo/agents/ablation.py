"""What each component of FT-Agent earns: all eight combinations, on the same tasks, seeds and budget.

Failures are rare with careful rules, so a *careless* proposer plants bad configurations among the plans, as people and
language models do; then there is something to fail fast on.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from triptych.errors import ParameterError
from triptych.ft_dojo.agents import baselines, intervals, scripts, trial
from triptych.ft_dojo.agents.ft_agent import Components, FTAgent
from triptych.ft_dojo.agents.intervals import Interval
from triptych.ft_dojo.agents.plan import Hypothesis, Plan, Proposer, Situation
from triptych.ft_dojo.agents.planner import Planner
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import TrainSpec

AS_IT_IS = "as it is"
FACTORS = ("history", "fail_fast", "feedback")
Slip = Literal["not Python", "crashes late", "wrong keys", "rate × 1000"]
SLIPS: tuple[Slip, ...] = ("not Python", "crashes late", "wrong keys", "rate × 1000")


class Careless:
    """A proposer that spoils a share of another's plans; which ones, and how, depends on `run` and the turn alone.

    No slip comes again before each other has come once.

    Asked for a repair of what it spoiled, it reads the error: a script is corrected, a learning rate left to the
    other's own repairs. Raises ParameterError for a share outside [0, 1].
    """

    def __init__(self, proposer: Proposer, share: float, run: str = "") -> None:
        if not 0 <= share <= 1:
            raise ParameterError(f"a share of {share} cannot be spoiled", "from 0 to 1")
        self.proposer, self.share, self.run = proposer, share, run
        self._sound: dict[str, Plan] = {}

    @property
    def name(self) -> str:
        """The other's name, and the share that is spoiled."""
        return f"{self.proposer.name}, {self.share:.0%} spoiled" if self.share else self.proposer.name

    def propose(self, situation: Situation) -> Plan | None:
        """The other's plan, or a spoiled copy."""
        plan = self.proposer.propose(situation)
        slip = self._slip(situation.turn)
        if plan is None or slip is None:
            return plan
        bad = spoiled(plan, slip, situation.turn)
        self._sound[bad.script] = plan
        return bad

    def _slip(self, turn: int) -> Slip | None:
        order = random.Random(f"slips/{self.run}").sample(SLIPS, len(SLIPS))
        careless = [random.Random(f"careless/{self.run}/{n}").random() < self.share for n in range(turn + 1)]
        return order[(sum(careless) - 1) % len(order)] if careless[turn] else None

    def repair(self, situation: Situation, plan: Plan, error: ErrorObservation) -> Plan | None:
        """A corrected script, or the other's repair."""
        sound = self._sound.get(plan.script)
        if sound is not None and sound.script != plan.script:
            return plan.model_copy(update={"script": sound.script})
        return self.proposer.repair(situation, plan, error)


def spoiled(plan: Plan, slip: Slip, turn: int) -> Plan:
    """A plan with a slip in it; slips of different turns differ."""
    mark = f"\n# turn {turn}\n"
    match slip:
        case "not Python":
            return plan.model_copy(update={"script": f"{plan.script}{mark}def (:\n"})
        case "crashes late":
            return plan.model_copy(update={"script": f"{plan.script}{mark}rows[len(rows)]\n"})
        case "wrong keys":
            renamed = 'text = Path("out/train.jsonl").read_text("utf-8").replace(\'"prompt"\', \'"question"\')\n'
            return plan.model_copy(
                update={"script": f'{plan.script}{mark}{renamed}Path("out/train.jsonl").write_text(text, "utf-8")\n'}
            )
        case "rate × 1000":
            return plan.model_copy(update={"spec": plan.spec.but(learning_rate=1000 * plan.spec.learning_rate)})


class Capped(Planner):
    """The strategist with a cap on the rows of its data sets."""

    def __init__(self, session: Session, start: TrainSpec, most: int) -> None:
        super().__init__(session, start)
        self.most = most

    def _plan(self, situation: Situation, steps: tuple[str, ...], spec: TrainSpec, hypothesis: Hypothesis) -> Plan:
        script = scripts.cleaning(steps, situation.look.expected, most=self.most)
        return Plan(script=script, spec=spec, hypothesis=hypothesis, steps=steps)


class Drawn:
    """A proposer without rules: it draws cleaning steps and a training, as random search does, by seed and turn."""

    name = "drawn"

    def __init__(self, start: TrainSpec) -> None:
        self.start = start

    def propose(self, situation: Situation) -> Plan | None:
        """A drawn plan, as long as the start's training could be paid."""
        if situation.left.nominal_cpu < baselines.LEAST_LEFT:
            return None
        rng = random.Random(f"drawn/{situation.seed}/{situation.turn}")
        found = [name for name in scripts.STEPS if situation.look.changed.get(name, 0) > 0]
        steps = tuple(name for name in found if rng.random() < 0.5)
        low, high = map(math.log, baselines.RATES)
        share = (self.start.steps or 60) / 60  # lengths are those of a search whose start has sixty steps
        spec = self.start.but(
            seed=situation.seed,
            steps=round(rng.choice(baselines.LENGTHS) * share),
            learning_rate=round(math.exp(rng.uniform(low, high)), 6),
            batch=rng.choice(baselines.BATCHES),
            schedule=rng.choice(baselines.SCHEDULES),
        )
        about = Hypothesis(factor="drawn", direction="up", mechanism="none, it was drawn", falsifier="val falls")
        script = scripts.cleaning(steps, situation.look.expected, most=2000)
        return Plan(script=script, spec=spec, hypothesis=about, steps=steps)

    def repair(self, situation: Situation, plan: Plan, error: ErrorObservation) -> Plan | None:
        """Nothing: the next draw is as good as a repair."""
        return None


def combinations() -> list[Components]:
    """All eight, none first and all last."""
    return [Components(**dict(zip(FACTORS, on, strict=True))) for on in itertools.product((False, True), repeat=3)]


def cells(tasks: Sequence[str], seeds: Sequence[int], spoiled: float) -> list[dict[str, Any]]:
    """The cells of the 2³, seed by seed: an interrupted study has whole seeds."""
    return [
        {"task": task, "seed": seed, "spoiled": spoiled, **{name: getattr(on, name) for name in FACTORS}}
        for seed in seeds
        for task in tasks
        for on in combinations()
    ]


def variations(
    tasks: Sequence[str], seeds: Sequence[int], caps: Sequence[int], layers: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """FT-Agent as it is, and with one thing varied: how many rows it may train on, who proposes, or the layers of its
    base (whoever plays such a cell gives `play` that base)."""
    return [
        {"task": task, "seed": seed, "varied": varied, **more}
        for seed in seeds
        for task in tasks
        for varied, more in [
            (AS_IT_IS, {}),
            *((f"at most {cap} rows", {"cap": cap}) for cap in caps),
            ("plans drawn", {"drawn": True}),
            *((f"base of {count} layers", {"layers": count}) for count in layers),
        ]
    ]


def varied_gains(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a variation: test score minus that of the agent as it is on the same task and seed, with its interval."""
    return intervals.table(paired(rows), ["varied"], "gain") if len(rows) else pd.DataFrame()


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns task, seed, varied, gain: every run of a variation beside the one of the agent as it is."""
    whole: Any = rows[rows["varied"] == AS_IT_IS][["task", "seed", "test"]]
    other: Any = rows[rows["varied"] != AS_IT_IS].merge(whole, on=["task", "seed"], suffixes=("", " as it is"))
    return other.assign(gain=other["test"] - other["test as it is"])[["task", "seed", "varied", "gain"]]


def play(
    cell: Mapping[str, Any],
    base: Base,
    worker: TrainingWorker,
    start: TrainSpec,
    limits: Limits,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The row of a cell of `cells` or `variations`."""
    seed = int(cell["seed"])

    def agent(session: Session) -> FTAgent:
        on = Components(**{name: bool(cell.get(name, True)) for name in FACTORS})
        if cap := cell.get("cap"):
            return FTAgent(Capped(session, start, int(cap)), on, seed)
        rules: Proposer = Drawn(start) if cell.get("drawn") else Planner(session, start)
        return FTAgent(Careless(rules, float(cell.get("spoiled", 0.0)), f"{cell['task']}/{seed}"), on, seed)

    return trial.play(str(cell["task"]), seed, base, worker, agent, limits, sizes=sizes)


# --- effects ----------------------------------------------------------------------------------------------------------


def effects(rows: pd.DataFrame, value: str = "test") -> pd.DataFrame:
    """Main effects and interactions of the three components on a column, one contrast for each (task, seed).

    A main effect is the mean with the component on minus the mean with it off, over the four settings of the others. An
    interaction of two is the effect of one with the other on minus that with the other off; of three, the interaction
    of two with the third on minus that with it off. Blocks that lack one of the eight cells are left out. Raises
    ParameterError when no block is whole.
    """
    table: Any = rows.pivot_table(index=["task", "seed"], columns=list(FACTORS), values=value, aggfunc="mean")
    whole: Any = table.dropna()
    if whole.shape[1] != 8 or not len(whole):
        raise ParameterError("no task and seed has all eight combinations", "play the missing ones")
    signs = np.array([[1 if on else -1 for on in names] for names in whole.columns])
    found: list[dict[str, Any]] = []
    for size in (1, 2, 3):
        for chosen in itertools.combinations(range(3), size):
            contrast = signs[:, chosen].prod(axis=1) * 2 ** (size - 1) / 4
            values: Any = (whole.to_numpy(float) @ contrast).tolist()
            frame = pd.DataFrame(
                {"task": [t for t, _ in whole.index], "seed": [s for _, s in whole.index], "v": values}
            )
            about = intervals.of(frame, "v")
            name = " × ".join(FACTORS[place] for place in chosen).replace("_", "-")
            found.append({"effect": name, "order": size, **vars(about)})
    return pd.DataFrame(found)


def waste(rows: pd.DataFrame) -> tuple[float, Interval]:
    """Wasted seconds with fail-fast over wasted seconds without it, per cent: the ratio of means, and its interval.

    Its interval is that of a ratio estimator: of the mean of (with − ratio · without) over the mean without, a value a
    block (task and seed) with everything else alike. Raises ParameterError when nothing was wasted without fail-fast.
    """
    sums: Any = rows.pivot_table(index=["task", "seed"], columns="fail_fast", values="wasted", aggfunc="sum").dropna()
    on, off = (sums[which].groupby(level="task").mean().mean() for which in (True, False))
    if not off > 0:
        raise ParameterError("nothing was wasted without fail-fast", "plant bad configurations")
    ratio = float(on / off)
    about = intervals.of((100 * (sums[True] - ratio * sums[False]) / off).rename("v").reset_index(), "v")
    if about.low is None or about.high is None:
        return 100 * ratio, Interval(100 * ratio, None, None, about.tasks, about.blocks)
    shifted = (max(100 * ratio + about.low, 0.0), 100 * ratio + about.high)
    return 100 * ratio, Interval(100 * ratio, *shifted, about.tasks, about.blocks)
