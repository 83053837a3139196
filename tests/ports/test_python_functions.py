"""Functions of Python's as workers: what they are given, what comes back, what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm_host import LoadError, WorkerBlocked
from tests.support.python import beside, error_of

TOOLS = """
    from __future__ import annotations

    import dataclasses
    import datetime
    import decimal
    import enum
    import pathlib
    import typing
    import uuid

    import pydantic
    import swarm_host

    class Colour(enum.Enum):
        RED = "red"

    @dataclasses.dataclass
    class Item:
        name: str
        parts: list[Item] = dataclasses.field(default_factory=list)

    class Options(typing.TypedDict):
        deep: bool
        most: typing.NotRequired[int]

    class Model(pydantic.BaseModel):
        n: int
        at: datetime.datetime | None = None

    def nothing():
        return None

    def same(value):
        return value

    def kind(value):
        return type(value).__name__

    def two(a, b=2, *, c=3):
        return [a, b, c]

    def rest(a, **more):
        return [a, more]

    def places(*all):
        return list(all)

    def whole(value, /):
        return value

    def item(item: Item):
        return item, type(item).__name__

    def options(options: Options, item: Item | None = None):
        return [options, item]

    def model(model: Model):
        return model, type(model).__name__

    def plain(a: int, b: float = 0.0, c: str | None = None, d: typing.Literal["x", 1] = "x",
              e: dict[str, list[int]] | None = None, f: tuple[int, str] = (1, ""),
              g: set[int] = frozenset(), h: bytes = b"", i: Colour = Colour.RED):
        return [type(one).__name__ for one in (a, b, c, d, e, f, g, h, i)]

    def odd(path: pathlib.Path, at: datetime.datetime, day: datetime.date,
            took: datetime.timedelta, cost: decimal.Decimal, id: uuid.UUID):
        assert isinstance(path, pathlib.Path) and day.year == 2024 and took.seconds == 90
        return [path, at, day, took, cost, id]

    def file(file):
        return isinstance(file, pathlib.Path) and str(file)

    def callback(value: int, on_done: typing.Callable[[], None] | None = None):
        return value

    async def later(a):
        return {"tuple": (1, (2,)), "set": {2, 1}, "colour": Colour.RED, "none": None, "empty": []}

    def block():
        return swarm_host.blocked({"half": 1}, "no more paper")

    def bare():
        return swarm_host.blocked()

    def blob():
        return b"\\xff\\x00blob"

    def inside():
        return {"b": b"\\xff", "text": b"text", "$x": 1, "empty": [], "list": [b"\\xfe"]}

    def escaped():
        return "\\udcff"
"""


def script(*names: str) -> str:
    return "\n".join(f'swarm.worker "{name}" {{ python = "tools:{name}" }}' for name in names)


CALLS: list[tuple[str, Any, Any]] = [
    ("nothing", None, None),
    ("same", 1, 1),
    ("same", "text", "text"),
    ("same", [1, {"a": [None, True]}], [1, {"a": [None, True]}]),
    ("same", False, False),
    ("kind", 2.5, "float"),
    ("kind", 3, "int"),
    ("two", {"a": 1}, [1, 2, 3]),
    ("two", {"a": 1, "b": 5, "c": {"x": 1}}, [1, 5, {"x": 1}]),
    ("two", [4], [[4], 2, 3]),
    ("rest", {"a": 1, "x": 2}, [1, {"x": 2}]),
    ("places", "x", ["x"]),
    ("places", None, []),
    ("whole", {"a": 1}, {"a": 1}),
    ("item", {"name": "x"}, [{"name": "x", "parts": []}, "Item"]),
    (
        "item",
        {"name": "x", "parts": [{"name": "y", "parts": []}]},
        [{"name": "x", "parts": [{"name": "y", "parts": []}]}, "Item"],
    ),
    ("item", {"item": {"name": "x"}}, [{"name": "x", "parts": []}, "Item"]),
    ("options", {"options": {"deep": True}}, [{"deep": True}, None]),
    (
        "options",
        {"options": {"deep": True, "most": 3}, "item": {"name": "i"}},
        [{"deep": True, "most": 3}, {"name": "i", "parts": []}],
    ),
    (
        "model",
        {"n": 1, "at": "2024-05-06T07:08:09"},
        [{"n": 1, "at": "2024-05-06T07:08:09"}, "Model"],
    ),
    (
        "plain",
        {"a": 1.0, "b": 2, "c": "t", "d": 1, "e": {"x": [1]}, "f": [1, "x"], "g": [1, 1], "h": "b"},
        ["int", "float", "str", "int", "dict", "tuple", "set", "bytes", "Colour"],
    ),
    ("plain", {"a": 1, "e": {}, "g": {}, "i": "red"}, [
        "int", "float", "NoneType", "str", "dict", "tuple", "set", "bytes", "Colour"]),
    (
        "odd",
        {
            "path": "/tmp/x",
            "at": "2024-05-06T07:08:09",
            "day": "2024-05-06",
            "took": 90,
            "cost": "0.10",
            "id": "12345678-1234-5678-1234-567812345678",
        },
        [
            "/tmp/x",
            "2024-05-06T07:08:09",
            "2024-05-06",
            90,
            "0.10",
            "12345678-1234-5678-1234-567812345678",
        ],
    ),
    ("callback", {"value": 3}, 3),
    (
        "later",
        1,
        {"tuple": [1, [2]], "set": [1, 2], "colour": "red", "none": None, "empty": []},
    ),
    ("escaped", None, "\udcff"),
]  # fmt: skip


def test_inputs_become_arguments_and_results_values(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    async def main() -> None:
        text = script(*{name for name, _, _ in CALLS})
        async with beside(tmp_path, text, tools=TOOLS) as host:
            for name, value, wanted in CALLS:
                assert await host.call(name, value) == wanted, (name, value)

    within(60, main)


def test_strings_of_any_bytes_and_files_cross(within: Callable[..., Any], tmp_path: Path) -> None:
    lua = (
        script("kind", "same", "blob", "inside", "file")
        + """
    swarm.worker "look" { run = function()
      local bytes = "\\255\\0x"
      assert(swarm.call("kind", bytes) == "bytes")
      assert(swarm.call("kind", "text") == "str")
      assert(swarm.call("same", { value = { x = bytes, y = { } } }).x == bytes)
      assert(swarm.call "blob" == "\\255\\0blob")
      local inside = swarm.call "inside"
      assert(inside.b == "\\255" and inside.text == "text" and inside["$x"] == 1)
      assert(inside.list[1] == "\\254")
      assert(swarm.json.encode(inside.empty) == "[]")
      return swarm.call("file", { file = swarm.file "a/b.txt" })
    end }
    """
    )

    async def main() -> None:
        async with beside(tmp_path, lua, tools=TOOLS) as host:
            assert await host.call("look") == "a/b.txt"

    within(30, main)


def test_what_is_blocked_says_so(within: Callable[..., Any], tmp_path: Path) -> None:
    async def main() -> None:
        async with beside(tmp_path, script("block", "bare"), tools=TOOLS) as host:
            with pytest.raises(WorkerBlocked, match="no more paper") as raised:
                await host.call("block")
            assert raised.value.value == {"half": 1}
            with pytest.raises(WorkerBlocked):
                await host.call("bare")

    within(30, main)


MISFITS = [
    ("two", {}, "input.a", "is missing: two needs it"),
    ("two", {"a": 1, "d": 1}, "input.d", "is no argument of two, which takes a, b, c"),
    ("kind", {"x": 1}, "input.x", "annotate it: value: dict"),
    ("nothing", 1, "input", "is 1, and nothing takes no argument"),
    ("plain", {"a": "x"}, "input.a", 'must be int, and is "x"'),
    ("plain", {"a": True}, "input.a", "must be int, and is true"),
    ("plain", {"a": 1.5}, "input.a", "must be int, and is 1.5"),
    ("plain", {"a": 1, "e": {"k": [1, "x"]}}, "input.e.k[2]", "must be int"),
    ("plain", {"a": 1, "f": [1]}, "input.f", "must be tuple[int, str], and is [1]"),
    ("plain", {"a": 1, "d": "y"}, "input.d", "must be one of 'x', 1, and is \"y\""),
    ("plain", {"a": 1, "i": "blue"}, "input.i", 'must be one of "red"'),
    ("plain", {"a": 1, "c": 5}, "input.c", "and is 5"),
    (
        "item",
        {"name": "x", "parts": [{"name": "y"}, {}]},
        "input.parts[2].name",
        "is missing: Item",
    ),
    ("item", {"name": "x", "size": 1}, "input.size", "is no field of Item: name, parts"),
    ("item", "x", "input", 'must be Item, and is "x"'),
    ("options", {"options": {"most": 1}}, "input.options.deep", "is missing: Options needs it"),
    ("model", {"n": "x"}, "input.n", "does not fit Model: Input should be a valid integer"),
    ("odd", {"path": 1}, "input.path", "must be Path, and is 1"),
    ("odd", {"path": "", "at": "soon"}, "input.at", 'must be datetime, and is "soon"'),
    ("callback", {"value": 1, "on_done": "f"}, "input.on_done", "must be"),
]


def test_a_misfit_names_its_place_and_what_must_stand_there(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    async def main() -> None:
        text = script(*{name for name, *_ in MISFITS})
        text += '\nswarm.worker "again" { python = "tools:nothing", retries = 3 }'
        async with beside(tmp_path, text, tools=TOOLS) as host:
            for name, value, path, message in MISFITS:
                error = await error_of(host, name, value)
                assert (error["code"], error["path"]) == ("invalid_value", path), error
                assert message in error["message"]
                assert error["message"].startswith(f'worker "{name}" refused {path}')
            error = await error_of(host, "again", 1)
            assert "attempts" not in error  # a refusal is not tried again

    within(60, main)


RETURNED = {
    "object()": ("result", "is a object, which cannot cross"),
    "{'a': [1, object()]}": ("result['a'][1]", "is a object, which cannot cross"),
    "{1: 2}": ("result", "has the key 1, a int: write str(1)"),
    "float('nan')": ("result", "is nan, which cannot cross"),
    "{'x': [float('inf')]}": ("result['x'][0]", "is inf"),
    "2 ** 53 + 1": ("result", "is an integer beyond 2^53"),
    "(n for n in range(3))": ("result", "is a generator, which cannot cross: return a list"),
    "later()": ("result", "is a coroutine, which nobody awaits: write async def"),
    "loop()": ("result[0][0][0]", "is nested more than 100 levels deep"),
    "Data(object())": ("result.x", "is a object"),
    "'\\ud800'": ("result", "is not Unicode text"),
    "int": ("result", "is a type, which cannot cross"),
}


def test_what_cannot_cross_back_is_named_in_the_words_of_python(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    module = """
        import dataclasses

        @dataclasses.dataclass
        class Data:
            x: object

        async def later():
            return 1

        def loop():
            all = []
            all.append(all)
            return all
    """
    lua = ""
    for number, returned in enumerate(RETURNED):
        module += f"\n        def f{number}():\n            return {returned}\n"
        module += f"\n        async def a{number}():\n            return {returned}\n"
        lua += f'swarm.worker "f{number}" {{ python = "tools:f{number}" }}\n'
        lua += f'swarm.worker "a{number}" {{ python = "tools:a{number}" }}\n'

    async def main() -> None:
        async with beside(tmp_path, lua, tools=module) as host:
            for number, (path, message) in enumerate(RETURNED.values()):
                for name in (f"f{number}", f"a{number}"):
                    error = await error_of(host, name)
                    assert (error["code"], error["path"]) == ("invalid_value", path), error
                    assert message in error["message"]
                    assert "tools.py:" in error["where"]

    within(60, main)


RAISES = """
    import asyncio
    import sys

    import swarm_host

    def deep():
        import json
        json.loads("{")

    def chain():
        try:
            deep()
        except ValueError as problem:
            problem.add_note("while reading the list")
            raise RuntimeError("no list") from problem

    async def group():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one("first"))
            tasks.create_task(one("second"))

    async def one(text):
        raise ValueError(text)

    def interrupted():
        raise KeyboardInterrupt

    async def leaves():
        sys.exit(3)

    async def interrupted_later():
        raise KeyboardInterrupt

    async def cancels():
        raise asyncio.CancelledError

    def stops():
        raise StopIteration(1)

    class Odd(Exception):
        def __str__(self):
            raise ValueError

    def odd():
        raise Odd

    def limited():
        raise swarm_host.SwarmError(
            {"code": "limited", "message": "wait", "retry_at": 5, "n": 1})

    def tried():
        if swarm_host.worker_context().attempt < 3:
            raise ValueError("not yet")
        return "at last"
"""


def test_an_exception_fails_its_worker_with_the_frames_of_its_author(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    names = ("deep", "chain", "group", "interrupted", "leaves", "interrupted_later", "cancels")
    lua = script(*names, "stops", "odd", "limited")
    lua += '\nswarm.worker "tried" { python = "tools:tried", retries = { max = 2, backoff = 0 } }'

    async def main() -> None:
        async with beside(tmp_path, lua, tools=RAISES) as host:
            module = f"{tmp_path}/tools.py"
            error = await error_of(host, "deep")
            assert error["code"] == "failed"
            assert error["type"] == "JSONDecodeError"
            assert error["message"].startswith("JSONDecodeError: Expecting property name")
            assert error["where"] == f"{module}:9"
            assert error["traceback"] == f"  {module}:9: in function 'deep'"

            error = await error_of(host, "chain")
            assert error["message"] == "RuntimeError: no list"
            assert error["where"] == f"{module}:16"
            assert error["cause"]["where"] == f"{module}:9"
            assert error["cause"]["message"].endswith("\nwhile reading the list")
            assert len(error["cause"]["traceback"].splitlines()) == 2

            error = await error_of(host, "group")
            messages = [one["message"] for one in error["errors"]]
            assert messages == ["ValueError: first", "ValueError: second"]

            for name, message in {
                "interrupted": "KeyboardInterrupt",
                "interrupted_later": "KeyboardInterrupt",
                "leaves": "SystemExit: 3",
                "cancels": "CancelledError",
                "stops": "StopIteration: 1",
                "odd": "Odd: its message cannot be read: ValueError",
            }.items():
                error = await error_of(host, name)
                assert (error["code"], error["message"]) == ("failed", message)

            error = await error_of(host, "limited")  # it arrives whole
            assert (error["code"], error["retry_at"], error["n"]) == ("limited", 5, 1)
            assert await host.call("tried") == "at last"

    within(60, main)


UNFIT = {
    "tools:nowhere": "module tools has no nowhere",
    "tools:notings": "module tools has no notings; did you mean nothing?",
    "tools:Colour.GREEN": "module tools has no Colour.GREEN",
    "tools:NUMBER": "NUMBER is no function: it is 7",
    "tools:items": "items is a generator: return a list, or say its items with",
    "tools:stream": "stream is a generator",
    "tools:needs": "done is annotated typing.Callable[[], None], into which no value of Lua's",
    "tools:unknown": "unknown: the annotation of x, Nowhere, cannot be read: name 'Nowhere'",
    "tools.py": 'a module is named without .py, as in "tools:function"',
    "lib/tools.py:f": 'a module is named without .py, as in "lib.tools:function"',
    "tools": 'no function is registered as tools; of a module say which: "tools:function"',
    "nobody": "no function is registered as nobody",
    "a:b:c": 'write "module:function"',
    "nowhere.at.all:f": "there is no module nowhere.at.all, beside the script or installed",
    "json.nowhere:f": "there is no module json.nowhere, beside the script or installed",
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_no_function_is_a_mistake_of_the_definition(
    within: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    more = """
    NUMBER = 7

    def items():
        yield 1

    async def stream():
        yield 1

    def needs(done: typing.Callable[[], None]):
        pass

    def unknown(x: Nowhere):
        pass
    """

    async def main() -> None:
        with pytest.raises(LoadError) as raised:
            async with beside(
                tmp_path, f'\nswarm.worker "x" {{ python = "{name}" }}', tools=TOOLS + more
            ):
                pass
        error = raised.value.error
        assert error["where"] == f"{tmp_path}/script.lua:2"
        assert error["message"].startswith('worker "x": python: ')
        assert UNFIT[name] in error["message"]

    within(30, main)
