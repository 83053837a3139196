"""Writes ``spec/reference.md``: every name of the API on one page, made from ``lua/types``.

Run it after a change to the types: ``python -m tests.reference``. ``test_reference.py`` fails where
the page is not what this makes. A name that is new needs nothing here: it stands in the order of
its file, with the chapter of what is around it, unless ``CHAPTERS`` knows it better.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TYPES = ROOT / "lua" / "types"
PAGE = ROOT / "spec" / "reference.md"

HEAD = """\
# Reference

Every name that a script can use, in a line or a few. The page is made from `lua/types`, which is
also what [editors](host/types.md) show; `tests/types/test_types.py` holds those files against a
running host, and `tests/test_reference.py` holds this page against them. What holds of a name, and
what proves it, says the chapter at its end.
"""

PARTS = {
    "swarm.lua": "swarm",
    "objects.lua": "What calls hand back",
    "outside.lua": "Files, HTTP, JSON, logs, programs",
    "definitions.lua": "Definitions and options",
    "spec.lua": "In specs",
}
"""The files in the order of the page, and what a part is called; any other file comes last."""

CHAPTERS = {
    # a file; a section of it; a name, with what begins as it does and goes on with a dot or a colon
    "swarm.lua": "worker/workers.md",
    "swarm.lua Many workers": "structure/gather/gather.md",
    "swarm.lua Blocks and time": "structure/structure.md",
    "swarm.lua Definitions: while a script loads, else `load_error`": "layers/middleware.md",
    "swarm.lua Generations: hot reload": "host/reload.md",
    "swarm.lua Values": "values/values.md",
    "swarm.lua The outside": "testing/testing.md",
    "swarm.args": "host/cli.md",
    "swarm.input": "host/cli.md",
    "swarm.version": "host/cli.md",
    "swarm.script_dir": "sandbox/scripts.md",
    "swarm.null": "values/values.md",
    "swarm.open": "structure/held_open/held_open.md",
    "swarm.supervise": "structure/supervision/supervision.md",
    "swarm.sleep": "scheduler/scheduling.md",
    "swarm.yield": "scheduler/scheduling.md",
    "swarm.now": "scheduler/scheduling.md",
    "swarm.monotonic": "scheduler/scheduling.md",
    "swarm.channel": "sharing/sync.md",
    "swarm.semaphore": "sharing/sync.md",
    "swarm.event": "sharing/sync.md",
    "swarm.lock": "sharing/sync.md",
    "swarm.worker": "kinds/kinds.md",
    "swarm.role": "rights/roles.md",
    "swarm.command": "kinds/processes.md",
    "swarm.graph": "structure/graph/graph.md",
    "swarm.pool": "structure/pools/pools.md",
    "swarm.unpark": "structure/pools/pools.md",
    "swarm.main": "sandbox/scripts.md",
    "swarm.env": "rights/roles.md",
    "swarm.exec": "kinds/processes.md",
    "swarm.secret": "kinds/processes.md",
    "swarm.port": "host/host.md",
    "swarm.fs": "rights/roles.md",
    "swarm.http": "outside/http.md",
    "swarm.json": "values/values.md",
    "swarm.log": "host/cli.md",
    "objects.lua": "worker/workers.md",
    "objects.lua Errors": "host/errors.md",
    "objects.lua Talking and taking turns": "sharing/sync.md",
    "objects.lua Generations": "host/reload.md",
    "swarm.HeldOpen": "structure/held_open/held_open.md",
    "held_open": "structure/held_open/held_open.md",
    "swarm.Supervisor": "structure/supervision/supervision.md",
    "supervisor": "structure/supervision/supervision.md",
    "swarm.Child": "structure/supervision/supervision.md",
    "swarm.CancelToken": "structure/structure.md",
    "cancel_token": "structure/structure.md",
    "swarm.Scope": "structure/structure.md",
    "scope": "structure/structure.md",
    "swarm.Settled": "structure/gather/gather.md",
    "outside.lua": "kinds/processes.md",
    "swarm.Fs": "rights/roles.md",
    "swarm.Stat": "rights/roles.md",
    "swarm.Http": "outside/http.md",
    "swarm.Header": "outside/http.md",
    "swarm.HttpRequest": "outside/http.md",
    "swarm.HttpResponse": "outside/http.md",
    "http_response": "outside/http.md",
    "swarm.Json": "values/values.md",
    "swarm.File": "values/values.md",
    "swarm.Null": "values/values.md",
    "swarm.Log": "host/cli.md",
    "definitions.lua": "worker/workers.md",
    "definitions.lua Workers": "kinds/kinds.md",
    "definitions.lua Roles": "rights/roles.md",
    "definitions.lua Hooks and layers": "layers/middleware.md",
    "swarm.ProcessWorker": "kinds/processes.md",
    "swarm.Invocation": "kinds/processes.md",
    "swarm.Stdin": "kinds/processes.md",
    "swarm.Input": "kinds/processes.md",
    "swarm.ProcessOutput": "kinds/processes.md",
    "swarm.ProcessLimits": "kinds/processes.md",
    "swarm.Retries": "structure/retries/retries.md",
    "swarm.RetryDecision": "structure/retries/retries.md",
    "swarm.OpenOptions": "structure/held_open/held_open.md",
    "swarm.MapOptions": "structure/gather/gather.md",
    "swarm.ShieldOptions": "structure/structure.md",
    "swarm.SuperviseOptions": "structure/supervision/supervision.md",
    "swarm.ChildSpec": "structure/supervision/supervision.md",
    "spec.lua": "testing/testing.md",
    "explore": "testing/exploration.md",
    "swarm.ExploreOptions": "testing/exploration.md",
    "swarm.Exploration": "testing/exploration.md",
}
"""Where a name is told of; what is here for nobody is a mistake that the test finds."""

# Reading -----------------------------------------------------------------------------------------


@dataclass
class Item:
    """A function, a class with its fields, or an alias with what it may be."""

    name: str
    said: str
    shape: str = ""  # how a function is called, what an alias stands for
    called: bool = False  # whether it is a function
    owner: str = ""  # the class that a function is called on
    also: list[str] = field(default_factory=list)  # other ways to call it
    parents: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)  # fields, cases or arguments


@dataclass
class Section:
    """What stands below a heading of a file."""

    title: str
    items: list[Item] = field(default_factory=list)


def typed(text: str) -> tuple[str, str]:
    """A type, and what is said after it. Blanks in a type are within brackets, or follow `:` or
    `,` after those of a function."""
    depth, quoted, call = 0, False, text.startswith("fun(")
    for at, letter in enumerate(text):
        quoted ^= letter == '"'
        if quoted:
            continue
        depth += (letter in "([{<") - (letter in ")]}>")
        if letter == " " and depth == 0 and not (call and text[at - 1] in ":,"):
            return text[:at], text[at:].strip()
    return text, ""


TAG = re.compile(r"---@(\w+) ?(.*)")
FUNCTION = re.compile(r"function ([\w.:]+)\((.*)\) end")
TABLE = re.compile(r"(?:local )?(\w+) = \{\}")
HEADING = re.compile(r"-- (.+?) -{3,}$")


@dataclass
class Reader:
    """Takes in one file, line by line."""

    owners: dict[str, str] = field(default_factory=dict)  # a table of the file → its class
    sections: list[Section] = field(default_factory=lambda: [Section("")])
    block: list[str] = field(default_factory=list)
    last: Item | None = None

    def add(self, item: Item) -> Item:
        self.sections[-1].items.append(item)
        self.last = item
        return item

    def take(self, line: str) -> None:
        """One line. What it does not know it leaves out."""
        tag = TAG.match(line)
        if case := re.match(r"---\| (\S+)(?: # (.*))?", line):
            if self.last is not None:
                self.last.notes.append((case[1], case[2] or ""))
        elif tag and tag[1] == "class":
            name, _, parents = tag[2].partition(" : ")
            self.add(Item(name, self.prose(), parents=parents))
            self.block = []
        elif tag and tag[1] == "alias":
            name, _, shape = tag[2].partition(" ")
            self.add(Item(name, self.prose(), shape))
            self.block = []
        elif tag and tag[1] == "field":
            if self.last is not None:
                name, _, rest = tag[2].partition(" ")
                kind, said = typed(rest)
                self.last.notes.append((f"{name}: {kind}", said))
        elif line.startswith("---"):
            self.block.append(line)
        elif made := FUNCTION.fullmatch(line):
            self.function(made[1])
        else:
            if heading := HEADING.match(line):
                self.sections.append(Section(heading[1]))
            elif (made := TABLE.fullmatch(line)) and self.last is not None:
                self.owners[made[1]] = self.last.name
                for above in self.tags("overload"):
                    self.last.also.append(made[1] + above.removeprefix("fun"))
            self.block = []

    def tags(self, kind: str) -> Iterator[str]:
        """What the tags of a kind say, of the lines above."""
        found = (TAG.match(above) for above in self.block)
        return (tag[2] for tag in found if tag and tag[1] == kind)

    def prose(self) -> str:
        """The sentences above."""
        return " ".join(above[3:] for above in self.block if not TAG.match(above)).strip()

    def function(self, name: str) -> None:
        """Takes in a function, with the tags above it."""
        table = re.split(r"[.:]", name)[0] if re.search(r"[.:]", name) else ""
        spelled = spelling(table, self.owners) + name[len(table) :]
        given, handed, notes = [], [], []
        for tag in self.tags("param"):
            argument, _, rest = tag.partition(" ")
            kind, said = typed(rest)
            given.append(f"{argument}: {kind}")
            notes += [(argument.rstrip("?"), said)] if said else []
        for tag in self.tags("return"):
            kind, rest = typed(tag)
            value, _, said = rest.partition(" ")
            handed.append("..." if value == "..." else f"{value}: {kind}" if value else kind)
            notes += [(value, said)] if said else []
        shape = f"{spelled}({', '.join(given)})" + (f" → {', '.join(handed)}" if handed else "")
        also = [spelled + tag.removeprefix("fun") for tag in self.tags("overload")]
        item = Item(spelled, self.prose(), shape, True, self.owners.get(table, ""), also)
        item.notes = notes
        self.sections[-1].items.append(item)
        self.block = []


def spelling(table: str, owners: dict[str, str]) -> str:
    """How a script would write what a method is called on."""
    if table in ("fs", "http", "json", "log"):
        return f"swarm.{table}"
    if table in owners and table[:1].isupper():
        return "h" if table == "Handle" else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", table).lower()
    return table


def opened(text: str) -> str:
    """The types by the names of the classes that say what each field is, not of closed shapes."""
    kinds = ("Lua", "Process", "Python", "Agent", "Operator")
    workers = "|".join(f"swarm.{kind}Worker" for kind in kinds)
    return text.replace("swarm.closed.Worker", workers).replace("swarm.closed.", "swarm.")


def whole_lines(text: str) -> list[str]:
    """The lines of a file, each tag with what goes on below it."""
    lines: list[str] = []
    for line in text.splitlines():
        goes_on = re.match(r"---(?![@|]).", line)
        if goes_on and lines and lines[-1].startswith(("---@field", "---@param", "---@return")):
            lines[-1] += " " + line[3:].strip()
        else:
            lines.append(line)
    return lines


def read(path: Path) -> list[Section]:
    """The sections of a file that hold something, in its order."""
    reader = Reader()
    for line in whole_lines(opened(path.read_text())):
        reader.take(line)
    return [section for section in reader.sections if section.items]


def conventions() -> str:
    """What the face's file says of all calls at once, before the first of them."""
    before = (TYPES / "swarm.lua").read_text().partition("\n---The host")[0]
    paragraphs = re.split(r"\n(?:--)?\n", before)
    said = [one for one in paragraphs if one.startswith("-- ") and "servers" not in one]
    return "\n\n".join(re.sub(r"^-- ", "", one, flags=re.MULTILINE).strip() for one in said)


# Writing -----------------------------------------------------------------------------------------


def anchor(title: str) -> str:
    """How a page is entered at a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def to_types(text: str, types: set[str]) -> str:
    """Links to the types that a text names, in their order."""
    named = dict.fromkeys(re.findall(r"\bswarm\.[A-Z]\w*", text))
    return ", ".join(f"[{name[6:]}](#{anchor(name)})" for name in named if name in types)


def chapter(*names: str) -> str:
    """A link to the chapter of the first of these names that has one."""
    for name in names:
        if to := CHAPTERS.get(name):
            return f"[{Path(to).stem.replace('_', ' ')}]({to})"
    return ""


def around(name: str) -> list[str]:
    """A name, and those before each of its dots and colons, the longest first."""
    ends = [found.start() for found in re.finditer(r"[.:]", name)]
    return [name, *(name[:end] for end in reversed(ends))]


def files() -> list[Path]:
    """The files of types, in the order of the page."""
    order = list(PARTS)
    found = sorted(TYPES.glob("*.lua"))
    return sorted(found, key=lambda one: order.index(one.name) if one.name in order else len(order))


def page() -> str:
    """The page, whole."""
    parts = {path.name: read(path) for path in files()}
    items = [item for sections in parts.values() for section in sections for item in section.items]
    types = {item.name for item in items if not item.called}
    lines = [HEAD, conventions(), ""]
    for file, sections in parts.items():
        named = " ".join(item.name for one in sections for item in one.items if not item.called)
        inside, title = to_types(named, types), PARTS.get(file, file)
        lines.append(f"- [{title}](#{anchor(title)})" + (f": {inside}" if inside else ""))
    for file, sections in parts.items():
        lines += ["", f"## {PARTS.get(file, file)}"]
        for section in sections:
            lines += written(section, file, types)
    return "\n".join(lines) + "\n"


def written(section: Section, file: str, types: set[str]) -> list[str]:
    """A section: functions that stand alone, then each type with its fields and its functions."""
    there = {item.name for item in section.items}
    free = [one for one in section.items if one.called and one.owner not in there]
    lines = ["", f"### {section.title}"] if section.title and free else []
    lines += ["", *(function(one, section, file, types) for one in free)] if free else []
    for item in section.items:
        if item.called:
            continue
        link = chapter(*around(item.name), f"{file} {section.title}", file)
        shape = f" It is `{item.shape}`." if item.shape else ""
        parents = to_types(item.parents, types)
        inherits = f" It has all of {parents}." if parents else ""
        also = "".join(f" Called as `{way}`." for way in item.also)
        lines += ["", f"### {item.name}"] if item.name != PARTS.get(file) else []
        lines += [
            "",
            f"{item.said}{shape}{inherits}{also}".strip() + (f" ({link})" if link else ""),
            "",
        ]
        for name, said in item.notes:
            own = chapter(f"{item.name}.{re.split(r'[?:]', name)[0]}")
            seen = to_types(name, types - {item.name})
            lines.append(line(name, said, seen, own))
        below = [one for one in section.items if one.called and one.owner == item.name]
        lines += [function(one, section, file, types, link) for one in below]
        if lines[-1] == "":
            del lines[-1]
    return lines


def function(item: Item, section: Section, file: str, types: set[str], above: str = "") -> str:
    """The line of a function, with its chapter where that is not the one of what is above."""
    said = [item.said, *(f"`{name}`: {note}." for name, note in item.notes)]
    link = chapter(*around(item.name), f"{file} {section.title}", file)
    ways = "` or `".join([item.shape, *item.also])
    return line(ways, " ".join(said), to_types(ways, types), link if link != above else "")


def line(name: str, said: str, *links: str) -> str:
    """A line of a list: a name, what is said of it, and where there is more."""
    there = "; ".join(link for link in links if link)
    return f"- `{name}`" + (f": {said}" if said else "") + (f" ({there})" if there else "")


if __name__ == "__main__":
    PAGE.write_text(page())
