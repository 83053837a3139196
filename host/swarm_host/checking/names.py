"""What the names of a file stand for: the locals of LuaJIT's scopes, and globals."""

from __future__ import annotations

from dataclasses import dataclass, field

from swarm_host.checking.tree import Local, Node, Tree


@dataclass(slots=True)
class Names:
    """The variables of a file.

    :ivar read: where globals are read.
    :ivar written: where they are assigned.
    :ivar loose: names in places that could not be read: they may be declared there, or used.
    """

    locals: list[Local] = field(default_factory=list)
    read: list[Node] = field(default_factory=list)
    written: list[Node] = field(default_factory=list)
    loose: set[str] = field(default_factory=set)


_OPEN, _CLOSE, _VISIT, _DECLARE, _TARGET, _SELF = range(6)
_Step = tuple[int, Node | None, Node | None]
_SCOPES = ("block", "chunk")


class _Resolver:
    """Walks the tree without recursion: a chain of operators may be as long as a file."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._scopes: list[dict[str, Local]] = []
        self._left: list[_Step] = []
        self.names = Names()

    def run(self, root: Node) -> None:
        self._left.append((_VISIT, root, None))
        while self._left:
            step, node, value = self._left.pop()
            if step == _OPEN:
                self._scopes.append({})
            elif step == _CLOSE:
                self._scopes.pop()
            elif node is not None and step == _SELF:
                self._scopes[-1]["self"] = Local("self", node)
            elif node is not None and step == _DECLARE:
                self._declare(node, value)
            elif node is not None and step == _TARGET and node.kind == "identifier":
                self._assign(node)
            elif node is not None:
                self._next(self._steps(node))

    def _next(self, steps: list[_Step]) -> None:
        self._left += steps[::-1]

    def _steps(self, node: Node) -> list[_Step]:
        kind = node.kind
        if kind == "identifier":
            self._read(node)
            return []
        if kind == "ERROR":
            inside = node.below()
            self.names.loose |= {self._name(one) for one in inside if one.kind == "identifier"}
            return []
        of = _STEPS.get(kind)
        if of is not None:
            return of(node)
        inner = _visited(node.children)
        return _in_scope(inner) if kind in _SCOPES else inner

    def _name(self, node: Node) -> str:
        return self._text[node.start : node.end].decode(errors="replace")

    def _find(self, name: str) -> Local | None:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    def _declare(self, node: Node, value: Node | None) -> None:
        name = self._name(node)
        node.local = self._scopes[-1][name] = Local(name, node, value)
        self.names.locals.append(node.local)

    def _assign(self, node: Node) -> None:
        node.local = self._find(self._name(node))
        if node.local is not None:
            node.local.writes.append(node)
        else:
            self.names.written.append(node)

    def _read(self, node: Node) -> None:
        node.local = self._find(self._name(node))
        if node.local is not None:
            node.local.reads.append(node)
        else:
            self.names.read.append(node)


def _visited(nodes: list[Node]) -> list[_Step]:
    return [(_VISIT, node, None) for node in nodes]


def _in_scope(steps: list[_Step]) -> list[_Step]:
    return [(_OPEN, None, None), *steps, (_CLOSE, None, None)]


def _declared(nodes: list[Node], values: list[Node]) -> list[_Step]:
    return [
        (_DECLARE, node, values[place] if place < len(values) else None)
        for place, node in enumerate(nodes)
    ]


def _identifiers(node: Node | None) -> list[Node]:
    return [] if node is None else node.all("identifier")


def _declaration(node: Node) -> list[_Step]:
    """``local a, b = 1, 2``: the values do not see the names."""
    inner = next(iter(node.all("assignment_statement")), node)
    names = [child for child in inner.children if child.kind == "variable_list"]
    listed = [one for part in names for one in _identifiers(part)]
    values = [one for part in inner.all("expression_list") for one in part.children]
    return [*_visited(values), *_declared(listed, values)]


def _assignment(node: Node) -> list[_Step]:
    targets = [one for part in node.all("variable_list") for one in part.children]
    values = [one for part in node.all("expression_list") for one in part.children]
    return [*_visited(values), *((_TARGET, one, None) for one in targets)]


def _function(node: Node) -> list[_Step]:
    parameters, body = node.get("parameters"), node.get("body")
    given = _identifiers(parameters)
    inner = _declared(given, []) + _visited([body] if body else [])
    before: list[_Step] = []
    name = node.get("name")
    if name is not None and node.field == "local_declaration":
        before = [(_DECLARE, name, node)]
    elif name is not None:
        before = [(_TARGET, name, None)]
        if name.kind == "method_index_expression":
            inner = [(_SELF, name, None), *inner]
    return [*before, *_in_scope(inner)]


def _for(node: Node) -> list[_Step]:
    clause, body = node.get("clause"), node.get("body")
    if clause is None:
        return _visited(node.children)
    names = _identifiers(next(iter(clause.all("variable_list")), None))
    rest = [one for one in clause.children if one.kind != "variable_list"]
    if clause.kind == "for_numeric_clause":
        names = [one for one in rest if one.field == "name"]
        rest = [one for one in rest if one.field != "name"]
    inner = _declared(names, []) + _visited([body] if body else [])
    return [*_visited(rest), *_in_scope(inner)]


def _repeat(node: Node) -> list[_Step]:
    """``until`` sees the locals of the body."""
    body, condition = node.get("body"), node.get("condition")
    inner = (body.children if body else []) + ([condition] if condition else [])
    return _in_scope(_visited(inner))


def _index(node: Node) -> list[_Step]:
    """``a.b`` and ``a:b``: what stands behind is no variable."""
    table = node.get("table")
    return _visited([table] if table else [])


def _field(node: Node) -> list[_Step]:
    """A field of a table: ``name = value``, ``[name] = value``, or a value alone. Only the second's
    name is an expression: it begins behind the bracket."""
    name, value = node.get("name"), node.get("value")
    is_expression = name is not None and name.start > node.start
    return _visited([one for one in (name if is_expression else None, value) if one])


def _nothing(_: Node) -> list[_Step]:
    return []


_STEPS = {
    "variable_declaration": _declaration,
    "assignment_statement": _assignment,
    "function_declaration": _function,
    "function_definition": _function,
    "for_statement": _for,
    "repeat_statement": _repeat,
    "dot_index_expression": _index,
    "method_index_expression": _index,
    "field": _field,
    "goto_statement": _nothing,
    "label_statement": _nothing,
}


def resolve(tree: Tree, text: bytes) -> Names:
    """Finds what each identifier of a tree stands for, and notes it there."""
    resolver = _Resolver(text)
    resolver.run(tree.root)
    return resolver.names
