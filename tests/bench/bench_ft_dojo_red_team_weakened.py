"""Builds of the environment with one protection taken out in which the suite notices nothing."""

from __future__ import annotations

BAR = "red-team-weakened"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "weakened builds that no attacker is caught in"
TARGET = "== 0"


def measure() -> float:
    """Every weakness with every attacker that it lets through; one of them is enough to catch it."""
    from triptych.ft_dojo.environment.weakness import Weakness
    from triptych.ft_dojo.red_team import arena, suite

    with arena.start_worker() as worker:
        played = suite.Suite(worker)
        caught = {weak for weak, attack in suite.weakened() if played.duel(attack, weak=weak).caught}
    return float(len(set(Weakness) - caught))
