"""Attackers that gain anything over the same script without the attack, or whose own flag is not raised."""

from __future__ import annotations

BAR = "red-team-attackers"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "attackers with any advantage, or unflagged"
TARGET = "== 0"


def measure() -> float:
    """Every attacker once; at least 20 must have been played."""
    from triptych.ft_dojo.red_team import arena, suite

    with arena.start_worker() as worker:
        played = suite.Suite(worker)
        duels = [played.duel(attack) for attack in suite.playable()]
    if len(duels) < 20:
        raise RuntimeError(f"only {len(duels)} attackers could be played")
    return float(sum(duel.caught for duel in duels))
