"""A run's tasks as a tree, for people: whoever failed or runs is in it with all above, and of the
others, of each name below each parent, the first few. The rest are numbers. However many tasks
there are, a bounded number of them is looked at."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from swarm_host.journal.reading.reader import Reader
from swarm_host.journal.reading.rows import Known, Task

_NOTABLE = ("failed", "timeout", "blocked")
_IN_FLIGHT = ("running", "interrupted", "waiting")
_LOOKED_AT = 2000
"""Of the first tasks, of the last, of each way to end or to be in flight."""
_FAILED_ROWS, _IN_FLIGHT_ROWS = 1000, 100
"""Tasks that have a row whatever there is besides."""
_OF_A_NAME = 4
"""Tasks of one name below one parent of which nothing is to be told, and that have a row."""
_ROWS = 200
"""All of those."""
_BATCH = 500


class Row(NamedTuple):
    """A row of the tree.

    :ivar task: None: it stands for those below one parent that have no row of their own.
    :ivar left_out: how many these are by status; ``""``: of some it is not known.
    """

    depth: int
    task: Task | None
    left_out: dict[str, int]


class _Node:
    """A task that was looked at."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.children: list[_Node] = []
        self.must = False
        self.rows: list[_Node] = []


def tree(reader: Reader, counts: dict[str, int], top: Task | None = None) -> list[Row]:
    """The rows of the tree, each task before those below it.

    :param counts: how many tasks of the run there are, by status.
    :param top: only this one, and what is below it.
    """
    nodes = _looked_at(reader, counts, top)
    _mark(nodes)
    roots = _linked(nodes, top)
    _choose(roots)
    shown = list(_walk(roots))
    is_all = len(nodes) == sum(counts.values())
    many = (
        {node.known.id: len(node.children) for node, _ in shown}
        if is_all
        else reader.children(node.known.id for node, _ in shown)
    )
    tasks = {task.id: task for task in reader.tasks(node.known.id for node, _ in shown)}
    told = Counter(node.known.status for node in nodes.values())
    # Where all that did not pass were looked at, all others passed.
    others = all(told[name] == number for name, number in counts.items() if name != "pass")
    rows: list[Row] = []
    marks: list[tuple[int, Row]] = []  # those that wait for what stands above them

    for node, depth in shown:
        while marks and marks[-1][0] >= depth:
            rows.append(marks.pop()[1])
        rows.append(Row(depth, tasks[node.known.id], {}))
        left_out = many.get(node.known.id, 0) - len(node.rows)
        if left_out:
            with_rows = {child.known.id for child in node.rows}
            below = node.children
            rest = [one.known.status for one in below if one.known.id not in with_rows]
            by = dict(Counter(rest))
            if left_out > len(rest):
                by["pass"] = by.get("pass", 0) + left_out - len(rest)
                by = by if others else {"": left_out}
            marks.append((depth, Row(depth + 1, None, by)))
    return [*rows, *(row for _, row in reversed(marks))]


def _looked_at(reader: Reader, counts: dict[str, int], top: Task | None) -> dict[int, _Node]:
    """The tasks that are looked at, with all above them."""
    wanted = reader.around(0 if top is None else top.id, _LOOKED_AT)
    for statuses in (_NOTABLE, ("cancelled",)):
        if any(counts.get(status) for status in statuses):
            wanted |= reader.ended(statuses, _LOOKED_AT)
    if counts.get("waiting"):
        wanted |= reader.ended(("cancelled",), _LOOKED_AT)  # as which the journal has them
    if any(counts.get(status) for status in ("pending", *_IN_FLIGHT)):
        wanted |= reader.unended(_LOOKED_AT)
    if top is not None:
        wanted.add(top.id)
    nodes: dict[int, _Node] = {}
    while wanted:
        found = {known.id: _Node(known) for known in reader.known(wanted)}
        nodes |= found
        parents = {node.known.parent for node in found.values()}
        wanted = parents - nodes.keys() - {0} - wanted
    return nodes


def _mark(nodes: dict[int, _Node]) -> None:
    """Marks those that have a row whatever there is besides."""
    for statuses, most in ((_NOTABLE, _FAILED_ROWS), (_IN_FLIGHT, _IN_FLIGHT_ROWS)):
        of = (nodes[number] for number in sorted(nodes) if nodes[number].known.status in statuses)
        for node in islice(of, most):
            node.must = True


def _linked(nodes: dict[int, _Node], top: Task | None) -> list[_Node]:
    """Gives nodes their children, and returns those at the top."""
    roots = []
    for number in sorted(nodes, reverse=True):
        node = nodes[number]
        node.children.reverse()
        above = nodes.get(node.known.parent)
        if above is None:
            roots.append(node)
        else:
            above.children.append(node)
            above.must = above.must or node.must
    return roots[::-1] if top is None else [nodes[top.id]]


def _choose(roots: list[_Node]) -> None:
    """Decides who has a row: level by level, so that it is those far up where not all have."""
    left, level = _ROWS, roots
    while level:
        below = []
        for node in level:
            fold = Counter(one.known.name for one in node.children if not one.must)
            shown: Counter[str] = Counter()
            for child in node.children:
                name = child.known.name
                if not child.must:
                    most = fold[name] if fold[name] == _OF_A_NAME + 1 else _OF_A_NAME
                    if not left or shown[name] == most:
                        continue
                    left -= 1
                    shown[name] += 1
                node.rows.append(child)
            below += node.rows
        level = below


def _walk(roots: list[_Node]) -> Iterator[tuple[_Node, int]]:
    """The nodes that have a row, with their depths, in the order of the tree."""
    left = [(root, 0) for root in reversed(roots)]
    while left:
        node, depth = left.pop()
        yield node, depth
        left += [(child, depth + 1) for child in reversed(node.rows)]


def whole_tree(reader: Reader, top: Task | None = None) -> Iterator[Row]:
    """All rows of the tree, without any left out."""
    numbers = _numbered(reader, 0 if top is None else top.id)
    while batch := list(islice(numbers, _BATCH)):
        tasks = {task.id: task for task in reader.tasks(number for number, _ in batch)}
        for number, depth in batch:
            if number in tasks:
                yield Row(depth, tasks[number], {})


def _numbered(reader: Reader, top: int) -> Iterator[tuple[int, int]]:
    """Ids and depths in the order of the tree. What is kept of a million tasks is 16 MB."""
    first, following = array("q"), array("q")  # of each parent's children; of the same parent
    for number, parent in reader.parents():
        if not first:
            first.extend([0] * (number + 1))
            following.extend([0] * (number + 1))
        following[number] = first[parent]
        first[parent] = number
    left = [(top, 0)] if top else [(first[0], 0)] if first else []
    while left:
        number, depth = left.pop()
        yield number, depth
        if following[number] and number != top:
            left.append((following[number], depth))
        if first[number]:
            left.append((first[number], depth + 1))
