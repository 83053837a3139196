"""A file as a tree: tree-sitter reads it, and nobody else here knows tree-sitter.

It is read in bounded time, whatever the bytes: not where it is longer than ``MOST_BYTES``, nor
where the parser falls behind ``LEAST_BYTES_A_SECOND``, as it does where it looks for a way through
errors (its memory grows by some 200 MB a second meanwhile). In a good file it is 20 times as fast.
"""

from __future__ import annotations

import codecs
import dataclasses
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Parser

MOST_BYTES = 1024 * 1024
LEAST_BYTES_A_SECOND = 128 * 1024
GRACE_SECONDS = 1.0
_PART = 64 * 1024
_NO_CHILDREN: list[Node] = []


class NotRead(Exception):
    """Why a file was not read."""


@dataclass(slots=True, eq=False)
class Node:
    """A piece of a file, with what it is made of: names, expressions, statements.

    :ivar kind: as tree-sitter-lua calls it; ``ERROR`` where it made nothing of the text.
    :ivar start: of bytes, as is ``end``.
    :ivar row: from 0.
    :ivar column: of bytes, from 0.
    :ivar field: what it is to its parent, such as ``name``.
    :ivar local: what an identifier stands for; None: a global, or no variable.
    """

    kind: str
    start: int
    end: int
    row: int
    column: int
    field: str | None
    parent: Node | None
    children: list[Node] = dataclasses.field(default_factory=lambda: _NO_CHILDREN)
    local: Local | None = None

    def get(self, name: str) -> Node | None:
        """The child that is ``name`` to it."""
        return next((child for child in self.children if child.field == name), None)

    def all(self, kind: str) -> list[Node]:
        """Its children of a kind."""
        return [child for child in self.children if child.kind == kind]

    def above(self) -> list[Node]:
        """Those that it is in, from the inside out."""
        found, node = [], self.parent
        while node is not None:
            found.append(node)
            node = node.parent
        return found

    def below(self, *, into_functions: bool = True) -> list[Node]:
        """All that is in it, in order."""
        found: list[Node] = []
        left = self.children[::-1]
        while left:
            node = left.pop()
            found.append(node)
            if into_functions or node.kind not in FUNCTIONS:
                left += node.children[::-1]
        return found


@dataclass(slots=True, eq=False)
class Local:
    """A local variable, or a parameter.

    :ivar node: where it is declared.
    :ivar value: what it is declared with, where that is one expression.
    """

    name: str
    node: Node
    value: Node | None = None
    reads: list[Node] = dataclasses.field(default_factory=list)
    writes: list[Node] = dataclasses.field(default_factory=list)


FUNCTIONS = ("function_definition", "function_declaration")


@dataclass(slots=True)
class Tree:
    """What was read.

    :ivar nodes: all that is in it, in order.
    :ivar comments: apart, since they may stand anywhere.
    :ivar is_broken: there are places that it made nothing of.
    """

    root: Node
    nodes: list[Node]
    comments: list[Node]
    is_broken: bool


def is_there() -> bool:
    """Whether the extra ``check`` is installed."""
    try:
        _parser()
    except ImportError:
        return False
    return True


@cache
def _parser() -> Parser:
    import tree_sitter_lua
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_lua.language()))


def _decodable(text: bytes) -> bytes:
    """The text, of the same length, with letters for bytes that are no UTF-8: LuaJIT takes them for
    letters outside strings, and tree-sitter may look at them for ever."""
    try:
        text.decode()
        return text
    except UnicodeDecodeError:
        return text.decode(errors="swarm_host_letters").encode()


def _letters(problem: UnicodeError) -> tuple[str, int]:
    assert isinstance(problem, UnicodeDecodeError)
    return "_" * (problem.end - problem.start), problem.end


codecs.register_error("swarm_host_letters", _letters)


def read(text: bytes) -> Tree:
    """Reads a file.

    :raises NotRead: it is too long, or too far from Lua.
    """
    if len(text) > MOST_BYTES:
        raise NotRead(f"it has more than {MOST_BYTES // 1024} KiB")
    parser, given, began = _parser(), _decodable(text), time.monotonic()

    def is_behind(reached: int, _: bool) -> bool:
        due = (time.monotonic() - began - GRACE_SECONDS) * LEAST_BYTES_A_SECOND
        return reached < due

    try:
        parsed = parser.parse(
            lambda start, _: given[start : start + _PART], progress_callback=is_behind
        )
    except ValueError:
        parser.reset()  # else it would go on with this text
        raise NotRead("nothing could be made of it in time") from None
    cursor = parsed.walk()
    nodes: list[Node] = []
    comments: list[Node] = []
    parent: Node | None = None
    root: Node | None = None
    while True:
        # Down, and where there is nothing below, to the side or up.
        made = None
        one = cursor.node
        assert one is not None
        if one.is_named:
            row, column = one.start_point
            made = Node(
                one.type, one.start_byte, one.end_byte, row, column, cursor.field_name, parent
            )
            if made.kind == "comment":
                comments.append(made)
            else:
                nodes.append(made)
                root = root or made
                if parent is not None:
                    if parent.children is _NO_CHILDREN:
                        parent.children = []
                    parent.children.append(made)
                if cursor.goto_first_child():
                    parent = made
                    continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                assert root is not None
                return Tree(root, nodes, comments, parsed.root_node.has_error)
            parent = parent.parent if parent is not None else None
