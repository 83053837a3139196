"""One file of a script: its text, its tree, what its names stand for, and what it silences."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from swarm_host.checking.finding import Finding, Severity
from swarm_host.checking.names import Names, resolve
from swarm_host.checking.tree import Node, Tree, read

_SILENCED = re.compile(r"---\s*@diagnostic\s+([\w-]+)\s*(?::\s*(.*))?")
"""As lua-language-server has it."""

_SERVED = re.compile(r"---\s*@serve\b")
"""What a worker is marked with that others spawn, from outside the script."""

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class _Silence:
    """Lines, from 1, where some rules say nothing; no ids: none of them does."""

    first: int
    last: float
    ids: frozenset[str]


@dataclass(slots=True)
class Source:
    """A file that was read.

    :ivar path: as the author calls it.
    :ivar is_own: it belongs to the script, and is no library that it uses.
    """

    path: str
    text: bytes
    tree: Tree
    names: Names
    is_own: bool
    _silences: list[_Silence] = field(default_factory=list)

    def text_of(self, node: Node) -> str:
        """The text of a node."""
        return self.text[node.start : node.end].decode(errors="replace")

    def string(self, node: Node | None) -> str | None:
        """What a string says that is written out; None: it is none."""
        if node is None or node.kind != "string":
            return None
        content = node.get("content")
        if content is None:
            return ""
        said, at = b"", content.start
        for escape in content.all("escape_sequence"):
            said += self.text[at : escape.start]
            said += _unescaped(self.text_of(escape)).encode(errors="surrogatepass")
            at = escape.end
        return (said + self.text[at : content.end]).decode(errors="replace")

    def finding(
        self, node: Node, severity: Severity, rule: str, message: str, *, skip: int = 0
    ) -> Finding:
        """A finding at a node.

        :param skip: bytes at its beginning that are not meant.
        """
        start = node.start + skip
        line_start = start - node.column - skip
        column = len(self.text[line_start:start].decode(errors="replace")) + 1
        end = min(node.end, (self.text.find(b"\n", start) + 1 or len(self.text) + 1) - 1)
        length = max(1, len(self.text[start:end].decode(errors="replace")))
        return Finding(self.path, node.row + 1, column, severity, rule, message, length)

    def is_silenced(self, finding: Finding) -> bool:
        """Whether a comment says that this is meant."""
        return any(
            one.first <= finding.line <= one.last and (not one.ids or finding.id in one.ids)
            for one in self._silences
        )

    def is_served(self, line: int) -> bool:
        """Whether a comment in a line, or in the lines of comments above it, is ``---@serve``."""
        comments = {one.row + 1: one for one in self.tree.comments}
        own, above = comments.get(line), line - 1
        block = [own] if own is not None else []
        while above in comments and self._is_alone(comments[above]):
            block.append(comments[above])
            above -= 1
        return any(_SERVED.match(self.text_of(one)) for one in block)

    def _is_alone(self, node: Node) -> bool:
        """Whether nothing stands before a node in its line."""
        return not self.text[node.start - node.column : node.start].strip()

    def note_silences(self) -> None:
        """Reads the comments that silence rules."""
        for comment in self.tree.comments:
            found = _SILENCED.match(self.text_of(comment))
            if found is None:
                continue
            what, line = found[1], comment.row + 1
            ids = frozenset(re.findall(r"[\w-]+", found[2] or ""))
            if what == "disable-next-line":
                self._silences.append(_Silence(line + 1, line + 1, ids))
            elif what == "disable-line":
                self._silences.append(_Silence(line, line, ids))
            elif what == "disable":
                self._silences.append(_Silence(line, float("inf"), ids))
            elif what == "enable":
                self._silences = [_until(one, line, ids) for one in self._silences]


def _until(one: _Silence, line: int, ids: frozenset[str]) -> _Silence:
    if one.last != float("inf") or (ids and one.ids != ids):
        return one
    return _Silence(one.first, line, one.ids)


def _unescaped(text: str) -> str:
    """What an escape stands for; of a byte above 127, the character of that number."""
    rest = text[1:]
    if rest[0] in _ESCAPES:
        return _ESCAPES[rest[0]]
    if rest[0] == "z":
        return ""
    try:
        if rest[0] == "x":
            return chr(int(rest[1:], 16))
        if rest[0] == "u":
            return chr(int(rest[2:-1], 16))
        return chr(int(rest)) if rest.isdecimal() else rest
    except (OverflowError, ValueError):
        return rest


def source_of(path: str, text: bytes, *, is_own: bool) -> Source:
    """Reads a file.

    :raises swarm_host.checking.tree.NotRead: it is too long, or too far from Lua.
    """
    tree = read(text)
    source = Source(path, text, tree, resolve(tree, text), is_own)
    source.note_silences()
    return source
