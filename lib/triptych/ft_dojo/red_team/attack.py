"""What an attack is: what it does, the flag it must raise, what it meets, and the protection it would get past."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from triptych.ft_dojo.environment.weakness import Weakness
from triptych.ft_dojo.red_team import arena
from triptych.ft_dojo.red_team.arena import Desk, Ground

# What the attacker is taken to be able to do: write data scripts; send actions; write the files of its run, which no
# action lets it do, as somebody could who has got out of the agent's process.
Reach = Literal["script", "action", "files"]
Act = Callable[[Desk, str, str], "str | None"]


@dataclass(frozen=True)
class Attack:
    """One attacker. Its twin is `arena.frame` without `code` and `act`, with the same limits and seed."""

    name: str
    tries: str
    reach: Reach
    flag: str
    meets: str
    code: Callable[[Ground], str] | None = None
    act: Act | None = None
    weakness: Weakness | None = None  # taken out, the attack succeeds, or goes unflagged
    limits: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def play(self, desk: Desk) -> None:
        """Attack."""
        arena.frame(desk, self.code(desk.ground) if self.code else "", self.act)


def twin(desk: Desk) -> None:
    """What every attacker does when the attack is taken out."""
    arena.frame(desk, "", None)


def text(code: str) -> Callable[[Ground], str]:
    """Code in which @HIDDEN@, @SECRET@ and @PORT@ stand for what the attacker knows of the host."""

    def filled(ground: Ground) -> str:
        known = {
            "@HIDDEN@": str(ground.hidden),
            "@SECRET@": str(ground.folder / "secret.txt"),
            "@PORT@": str(ground.port),
        }
        made = code
        for name, value in known.items():
            made = made.replace(name, value)
        return made

    return filled


def writing(rows: Sequence[Mapping[str, str]], mode: str = "w") -> str:
    """A data script that writes (or, with mode "a", adds) these rows."""
    lines = "".join(json.dumps(dict(row)) + "\n" for row in rows)
    return f"with open('out/train.jsonl', {mode!r}) as out:\n    out.write({lines!r})\n"
