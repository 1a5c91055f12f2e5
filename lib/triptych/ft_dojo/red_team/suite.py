"""All attackers against their twins, all honest agents, all weakened builds; and the result as tables."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from triptych.ft_dojo.environment import sandbox
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.environment.weakness import Weakness
from triptych.ft_dojo.red_team import arena, files, requests, rows, scripts
from triptych.ft_dojo.red_team.arena import Verdict
from triptych.ft_dojo.red_team.attack import Attack, twin
from triptych.ft_dojo.red_team.honest import Honest

ATTACKS: tuple[Attack, ...] = (*scripts.ATTACKS, *rows.ATTACKS, *requests.ATTACKS, *files.ATTACKS)
Told = Callable[[str], None]


@dataclass(frozen=True)
class Duel:
    """An attacker and its twin, with the same seed, limits and build."""

    attack: Attack
    seed: int
    weak: Weakness | None
    attacker: Verdict
    twin: Verdict

    @property
    def gain(self) -> float:
        """Points of test score that the attack added; where nothing was scored, all that the twin had is lost."""
        return 100 * ((self.attacker.score or 0.0) - (self.twin.score or 0.0))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the gain in points: exact, given how many test items only one of the two answered.

        Clopper–Pearson on those items, as in McNemar's exact test; (0, 0) where both answered the same ones.
        """
        from statsmodels.stats.proportion import proportion_confint

        right = self.attacker.right or (False,) * len(self.twin.right)
        pairs = [(one, other) for one, other in zip(right, self.twin.right, strict=True) if one != other]
        if not pairs:
            return 0.0, 0.0
        won = sum(one for one, _ in pairs)
        limits: Any = proportion_confint(won, len(pairs), alpha=0.05, method="beta")
        scale = 100 * len(pairs) / len(right)
        return scale * (2 * float(limits[0]) - 1), scale * (2 * float(limits[1]) - 1)

    @property
    def advantage(self) -> tuple[str, ...]:
        """Everything the attack had that its twin had not, in words; empty for none."""
        found = [f"{self.gain:+.1f} points"] if self.gain > 0 else []
        found += [f"read what is hidden ({name})" for name in self.attacker.canaries if name not in self.twin.canaries]
        found += [what for what in self.attacker.excess if what not in self.twin.excess]
        return tuple(found)

    @property
    def flagged(self) -> bool:
        """Whether the attack raised its own flag, and its twin none."""
        return self.attack.flag in self.attacker.flags and not self.twin.flags

    @property
    def caught(self) -> bool:
        """Whether a judge of the suite would notice that this build does not hold."""
        return bool(self.advantage) or not self.flagged or self.attacker.stopped


class Suite:
    """Plays runs in scratch folders with one training worker.

    A twin is played once for each seed and limits, in the whole build: without the attack there is nothing that a
    weakened build could do differently.
    """

    def __init__(self, worker: TrainingWorker, told: Told | None = None) -> None:
        self._worker, self._told = worker, told or (lambda _: None)
        self._twins: dict[tuple[int, str], Verdict] = {}

    def duel(self, attack: Attack, seed: int = 0, weak: Weakness | None = None) -> Duel:
        """An attack against its twin, in a build without `weak` if one is named."""
        key = (seed, repr(sorted(attack.limits.items())))
        if key not in self._twins:
            self._twins[key] = self._play(twin, seed, None, attack)
        attacker = self._play(attack.play, seed, weak, attack)
        self._told(f"{attack.name}{f' [{weak}]' if weak else ''}")
        return Duel(attack, seed, weak, attacker, self._twins[key])

    def honest(self, agent: Honest, seed: int = 0) -> Verdict:
        """What the judge finds in an honest agent's run."""
        with tempfile.TemporaryDirectory(prefix="triptych-red-team-") as scratch:
            verdict = arena.play(agent.play, Path(scratch), self._worker, seed)
        self._told(agent.name)
        return verdict

    def _play(self, agent: arena.Play, seed: int, weak: Weakness | None, attack: Attack) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="triptych-red-team-") as scratch:
            chosen = frozenset({weak} if weak else ())
            return arena.play(agent, Path(scratch), self._worker, seed, weak=chosen, limits=attack.limits)


def playable() -> tuple[Attack, ...]:
    """All attackers, or where nothing isolates only those whose scripts could be run by anybody without harm."""
    return ATTACKS if not sandbox.problem() else tuple(attack for attack in ATTACKS if attack not in scripts.ATTACKS)


def weakened() -> list[tuple[Weakness, Attack]]:
    """Every weakness with every attack that it lets through. Each weakness has one at least (tests hold this)."""
    return [(attack.weakness, attack) for attack in playable() if attack.weakness is not None]


def attack_table(duels: Iterable[Duel]) -> pd.DataFrame:
    """One row a duel: what was tried, what it met, the flag it raised, what it gained."""
    return pd.DataFrame(
        [
            {
                "attack": duel.attack.name,
                "reach": duel.attack.reach,
                "tries": duel.attack.tries,
                "meets": duel.attack.meets,
                "build": str(duel.weak) if duel.weak else "whole",
                "seed": duel.seed,
                "twin": None if duel.twin.score is None else 100 * duel.twin.score,
                "attacker": None if duel.attacker.score is None else 100 * duel.attacker.score,
                "gain": duel.gain,
                "low": duel.interval[0],
                "high": duel.interval[1],
                "advantage": "; ".join(duel.advantage),
                "expected flag": duel.attack.flag,
                "flags": ", ".join(duel.attacker.flags),
                "flagged": duel.flagged,
                "caught": duel.caught,
            }
            for duel in duels
        ]
    )


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows for JSON, which knows no NaN: what was not scored is None."""
    plain: Any = table.astype(object)
    return plain.where(table.notna(), None).to_dict("records")


def honest_table(verdicts: Sequence[tuple[Honest, Verdict]]) -> pd.DataFrame:
    """One row an honest agent."""
    return pd.DataFrame(
        [
            {
                "agent": agent.name,
                "does": agent.does,
                "score": None if verdict.score is None else 100 * verdict.score,
                "errors": ", ".join(verdict.errors),
                "flags": ", ".join(verdict.flags),
            }
            for agent, verdict in verdicts
        ]
    )
