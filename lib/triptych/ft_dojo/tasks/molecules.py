"""Small molecules for the chemistry tasks: cores cut from RDKit's own 5,000 NCI molecules, and what is built on them.

SMILES are written with spaces between their tokens, one word each for the tiny base: `O = C ( O ) c 1 c c c c c 1`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdkit.Chem import Mol

ALPHABET = ("C", "c", "N", "n", "O", "o", "S", "s", "F", "Cl", "Br", "I", "(", ")", "=", "#", "1", "2", "[nH]")
# Groups of one heavy atom that tasks attach and exchange: name, symbol and the pattern that finds them.
GROUPS = {
    "fluoro": ("F", "[FX1]"),
    "chloro": ("Cl", "[ClX1]"),
    "bromo": ("Br", "[BrX1]"),
    "iodo": ("I", "[IX1]"),
    "hydroxyl": ("O", "[OX2H]"),
    "amino": ("N", "[NX3;H2]"),
}
SHORTEST, LONGEST = 3, 12  # tokens of a core
_TOKEN = re.compile(r"Cl|Br|\[[^\]]*\]|.")


def spaced(smiles: str) -> str:
    """SMILES with a space between tokens."""
    return " ".join(_TOKEN.findall(smiles))


@lru_cache(maxsize=100_000)
def parsed(text: str) -> Mol | None:
    """The molecule of a SMILES with or without spaces, None if it is no molecule or more than one."""
    from rdkit import Chem, rdBase

    smiles = text.replace(" ", "")
    with rdBase.BlockLogs():  # a wrong answer is no reason to write to the terminal
        molecule: Mol | None = Chem.MolFromSmiles(smiles) if smiles and "." not in smiles else None
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


@lru_cache(maxsize=100_000)
def canonical(text: str) -> str | None:
    """Canonical SMILES without spaces, None if `text` is no molecule."""
    from rdkit import Chem

    molecule = parsed(text)
    return None if molecule is None else Chem.MolToSmiles(molecule)


@lru_cache(maxsize=100_000)
def count(text: str, group: str) -> int:
    """How often a molecule has a group of GROUPS."""
    molecule = parsed(text)
    return 0 if molecule is None else len(molecule.GetSubstructMatches(_pattern(GROUPS[group][1])))


def matches(text: str, smarts: str) -> bool:
    """Whether a molecule has a part that a SMARTS pattern describes."""
    molecule = parsed(text)
    return molecule is not None and bool(molecule.HasSubstructMatch(_pattern(smarts)))


@cache
def cores() -> tuple[str, ...]:
    """Canonical SMILES of the NCI molecules' cores: every group of GROUPS cut off, until none is left.

    A core and all that is built on it by attaching groups belong together: `core_of` gives it back. Sorted, so that
    their order does not depend on the file's.
    """
    found: set[str] = set()
    for part in _nci():
        # Stripping shortens: what is far too long need not be parsed.
        if len(part) <= 2 * LONGEST and (core := core_of("".join(part))):
            tokens = _TOKEN.findall(core)
            if SHORTEST <= len(tokens) <= LONGEST and set(tokens) <= set(ALPHABET) and places(core):
                found.add(core)
    return tuple(sorted(found))


def too_long() -> tuple[tuple[str, ...], ...]:
    """Tokens of the NCI molecules that no core comes from, those with tokens outside ALPHABET left out."""
    return tuple(part for part in _nci() if len(part) > 2 * LONGEST and set(part) <= set(ALPHABET))


@cache
def _nci() -> tuple[tuple[str, ...], ...]:
    from rdkit import RDConfig

    lines = (Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi").read_text("utf-8").splitlines()
    return tuple(tuple(_TOKEN.findall(part)) for line in lines for part in line.split()[0].split("."))


@lru_cache(maxsize=100_000)
def core_of(text: str) -> str | None:
    """The core of a molecule (see `cores`), None if nothing but groups is left or `text` is no molecule."""
    from rdkit import Chem

    molecule = parsed(text)
    if molecule is None:
        return None
    while True:
        edited = Chem.RWMol(molecule)
        loose = [atom.GetIdx() for atom in edited.GetAtoms() if _is_group(atom)]
        if not loose:
            return Chem.MolToSmiles(molecule, isomericSmiles=False)
        for index in sorted(loose, reverse=True):
            edited.RemoveAtom(index)
        molecule = edited.GetMol()
        if not molecule.GetNumAtoms():
            return None
        Chem.SanitizeMol(molecule)


def _is_group(atom: Any) -> bool:
    from rdkit.Chem import BondType

    return (
        atom.GetDegree() == 1
        and atom.GetSymbol() in {symbol for symbol, _ in GROUPS.values()}
        and atom.GetFormalCharge() == 0
        and atom.GetBonds()[0].GetBondType() == BondType.SINGLE
        and atom.GetBonds()[0].GetOtherAtom(atom).GetSymbol() == "C"
    )


@cache
def places(core: str) -> tuple[int, ...]:
    """Atom indices of the carbons of a canonical core that can carry a group, one of each set of equivalent ones."""
    from rdkit import Chem

    molecule = parsed(core)
    if molecule is None:
        return ()
    ranks = list(Chem.CanonicalRankAtoms(molecule, breakTies=False))
    free = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetSymbol() == "C" and atom.GetTotalNumHs()]
    return tuple({ranks[index]: index for index in reversed(free)}.values())[::-1]


@lru_cache(maxsize=100_000)
def attached(core: str, groups: tuple[tuple[int, str], ...], start: int = -1) -> str | None:
    """Spaced SMILES of a core with groups (place, symbol) attached, None where there is no room.

    Canonical, unless it is to start at the atom `start`: then what is written before it is bound to that atom.
    """
    from rdkit import Chem, rdBase

    edited = Chem.RWMol(parsed(core))
    for place, symbol in groups:
        edited.AddBond(place, edited.AddAtom(Chem.Atom(symbol)), Chem.BondType.SINGLE)
    try:
        with rdBase.BlockLogs():
            Chem.SanitizeMol(edited)
    except (Chem.AtomValenceException, Chem.KekulizeException):
        return None
    return spaced(Chem.MolToSmiles(edited, rootedAtAtom=start))


@cache
def _pattern(smarts: str) -> Any:
    from rdkit import Chem

    return Chem.MolFromSmarts(smarts)
