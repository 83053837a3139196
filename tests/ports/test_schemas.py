"""input_schema and output_schema as spec/outside/schemas.md has them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from swarm_host import Host, LoadError, Options, WorkerFailed
from swarm_host.host import Outcome
from swarm_host.ports import Answer, Call
from swarm_host.ports.schema import Schemas
from tests.support.waiting import within

ITEMS = """{
  type = "object",
  required = { "items" },
  properties = {
    items = {
      type = "array",
      items = {
        required = { "name" },
        properties = { name = { type = "string" }, ["odd key"] = { type = "number" } },
      },
    },
  },
}"""


def load(folder: Path, text: str) -> Path:
    """A script with this text."""
    path = folder / "script.lua"
    path.write_text(text)
    return path


def run(folder: Path, text: str, **options: Any) -> Outcome:
    """Runs a script's main."""

    async def main() -> Outcome:
        async with Host.load(load(folder, text), Options(**options)) as host:
            return await host.run()

    outcome: Outcome = within(20, main)
    return outcome


def refusal(folder: Path, schema: str, value: str, field: str = "input_schema") -> dict[str, Any]:
    """The error of a worker with this schema that gets, or returns, a value."""
    text = f"""
    swarm.worker "w" {{
      {field} = {schema},
      run = function(_, input) RAN = true return input end,
    }}
    swarm.main(function()
      local h = swarm.spawn("w", {value})
      local ok, err = swarm.join(h)
      assert(not ok, "it was accepted")
      return {{
        code = err.code, message = err.message, path = err.path, where = err.where,
        spawned_at = err.spawned_at, refused = err.refused or false, status = h.status,
        name = err.name, ran = rawget(_G, "RAN") or false, finals = #h:output_tail(),
      }}
    end)
    """
    outcome = run(folder, text)
    assert outcome.status == "pass", outcome.error
    error: dict[str, Any] = outcome.value
    assert (error["code"], error["status"], error["name"]) == ("invalid_value", "failed", "w")
    assert error["finals"] == 0
    return error


def test_an_input_that_does_not_fit_is_refused_before_run(tmp_path: Path) -> None:
    error = refusal(tmp_path, ITEMS, '{ items = { { name = "a" }, { name = 1 } } }')
    assert error["path"] == "input.items[2].name"
    assert error["message"] == ('worker "w" refused input.items[2].name: 1 is not of type "string"')
    assert error["refused"]
    assert not error["ran"]
    here = f"{tmp_path / 'script.lua'}:"
    assert error["where"] == error["spawned_at"]  # who spawned it is wrong
    assert error["spawned_at"].startswith(here)


@pytest.mark.parametrize(
    ("value", "path", "says"),
    [
        ("nil", "input", 'null is not of type "object"'),
        ('"text"', "input", '"text" is not of type "object"'),
        ("{}", "input.items", "it is required, and missing"),
        ("{ items = {} }", "input.items", "swarm.array{}"),
        ("{ items = { {} } }", "input.items[1].name", "it is required, and missing"),
        ('{ items = { { name = "x", ["odd key"] = "y" } } }', 'input.items[1]["odd key"]', '"y"'),
        (r'{ items = { { name = "\255" } } }', "input.items[1].name", "is not UTF-8"),
    ],
)
def test_the_path_says_where(tmp_path: Path, value: str, path: str, says: str) -> None:
    error = refusal(tmp_path, ITEMS, value)
    assert error["path"] == path
    assert says in error["message"]


def test_an_output_that_does_not_fit_fails_the_attempt(tmp_path: Path) -> None:
    error = refusal(tmp_path, ITEMS, "{ items = { {} } }", field="output_schema")
    assert error["path"] == "result.items[1].name"
    assert error["message"].startswith('worker "w" does not keep to its output_schema: result.')
    assert error["ran"]
    assert not error["refused"]  # another attempt may do better


def test_a_long_value_is_shown_in_part(tmp_path: Path) -> None:
    error = refusal(tmp_path, '{ type = "number" }', '("x"):rep(100000)')
    assert len(error["message"]) < 400
    assert error["message"].endswith('xxx" is not of type "number"')


def test_what_fits_passes_as_it_is(tmp_path: Path) -> None:
    text = f"""
    swarm.worker "w" {{
      input_schema = {ITEMS}, output_schema = {ITEMS},
      run = function(_, input)
        input.more = swarm.array {{}}
        return input
      end,
    }}
    swarm.main(function()
      local items = {{}}
      for i = 1, 20000 do items[i] = {{ name = "item " .. i }} end
      local many = swarm.call("w", {{ items = items }}) -- long enough for a thread
      return {{ #many.items, swarm.call("w", {{ items = swarm.array {{}} }}) }}
    end)
    """
    assert run(tmp_path, text).value == [20000, {"items": [], "more": []}]


def test_a_blocked_result_is_not_checked(tmp_path: Path) -> None:
    text = """
    swarm.worker "w" {
      output_schema = { type = "number" },
      run = function(_, how)
        if how == "reason" then return "text", "why" end
        return swarm.blocked({ 1 }, "why")
      end,
    }
    swarm.main(function()
      local _, one = swarm.call("w", "reason")
      local _, two = swarm.call("w", "blocked")
      return { one.code, two.code }
    end)
    """
    assert run(tmp_path, text).value == ["blocked", "blocked"]


def test_an_error_of_run_is_its_own(tmp_path: Path) -> None:
    text = """
    swarm.worker "w" { output_schema = { type = "number" }, run = function() error("mine") end }
    swarm.main(function() return swarm.call "w" end)
    """
    outcome = run(tmp_path, text)
    assert outcome.error is not None
    assert outcome.error["message"].endswith("mine")


def test_an_output_is_the_one_that_was_checked(tmp_path: Path) -> None:
    text = """
    local shared = { n = 1 }
    swarm.worker "w" {
      output_schema = { properties = { n = { type = "number" } } },
      run = function()
        swarm.spawn(function() shared.n = "changed meanwhile" end)
        return shared
      end,
    }
    swarm.main(function() return swarm.call "w" end)
    """
    assert run(tmp_path, text).value == {"n": 1}


def test_a_handle_does_not_fit_a_schema(tmp_path: Path) -> None:
    text = """
    swarm.worker "w" { input_schema = { type = "object" }, run = function() end }
    swarm.main(function()
      local _, err = pcall(swarm.call, "w", { h = swarm.spawn(function() end) })
      return { err.code, err.path }
    end)
    """
    assert run(tmp_path, text).value == ["invalid_value", "input.h"]


def test_a_worker_that_python_spawns_is_checked_too(tmp_path: Path) -> None:
    path = load(tmp_path, f'swarm.worker "w" {{ input_schema = {ITEMS}, run = function() end }}')

    async def main() -> None:
        async with Host.load(path) as host:
            with pytest.raises(WorkerFailed, match=r"refused input\.items: it is required") as bad:
                await host.call("w", {})
            assert bad.value.error["path"] == "input.items"

    within(10, main)


def test_a_cancel_reaches_the_check(tmp_path: Path) -> None:
    class Stuck(Schemas):
        """Never ends a check."""

        async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
            import anyio

            if payload["op"] == "check":
                await anyio.sleep_forever()
            return await super().__call__(payload, call)

    text = """
    swarm.worker "w" { timeout = 0.05, input_schema = { type = "object" }, run = function() end }
    swarm.main(function()
      local h = swarm.spawn("w", {})
      swarm.join(h)
      return h.status
    end)
    """
    assert run(tmp_path, text, ports={"schema": Stuck()}).value == "timeout"


class Counting(Schemas):
    """Counts what is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Passes on."""
        self.asked.append(payload["op"])
        return await super().__call__(payload, call)


def test_a_worker_without_a_schema_never_asks_the_host(tmp_path: Path) -> None:
    text = """
    swarm.worker "plain" { run = function() return 1 end }
    swarm.worker "input" { input_schema = { type = "number" }, run = function() return 1 end }
    swarm.main(function()
      swarm.call("input", 1)
      for _ = 1, 10 do swarm.call "plain" end
    end)
    """
    port = Counting()
    assert run(tmp_path, text, ports={"schema": port}).status == "pass"
    assert port.asked == ["compile", "check"]


# The schemas themselves ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (
            '{ type = "strng" }',
            'input_schema.type: "strng" is not valid: a type is array, boolean, integer, null,',
        ),
        ("{ type = 5 }", "input_schema.type: 5 is not valid: a type is "),
        (
            '{ properties = { a = { anyOf = { { minimum = "1" } } } } }',
            'input_schema.properties.a.anyOf[1].minimum: "1" is not of type "number"',
        ),
        ("{ required = {} }", "input_schema.required: {} is not of type"),
        ("{ required = {} }", "swarm.array{}"),
        ('{ pattern = "(" }', "input_schema.pattern"),
        ('{ ["$ref"] = "#/nowhere" }', "input_schema: "),
        ('{ ["$ref"] = "http://127.0.0.1:1/x" }', "nothing is fetched"),
        ('{ ["$ref"] = "file:///etc/hosts" }', "nothing is fetched"),
        ('{ ["$schema"] = "http://127.0.0.1:1/x" }', "input_schema: "),
        ("{ properties = { a = print } }", "input_schema.properties.a is a function"),
        ('"text"', 'input_schema must be a JSON Schema as a table, and is "text"'),
        ("{ { } }", "input_schema: "),
    ],
)
def test_a_wrong_schema_is_a_load_error(tmp_path: Path, schema: str, says: str) -> None:
    text = f'\nswarm.worker "w" {{ input_schema = {schema}, run = function() end }}'
    with pytest.raises(LoadError) as refused:
        run(tmp_path, text)
    error = refused.value.error
    assert error["code"] == "load_error"
    assert error["message"].startswith('worker "w": input_schema')
    assert says in error["message"]
    assert error["where"] == f"{tmp_path / 'script.lua'}:2"
    assert error["field"] == "input_schema"


def test_a_missing_extra_is_a_load_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(LoadError) as refused:
        run(tmp_path, 'swarm.worker "w" { output_schema = {}, run = function() end }')
    assert refused.value.error["code"] == "load_error"
    assert refused.value.error["message"].endswith("pip install 'swarm-host[schema]'")
    plain = 'swarm.worker "w" { run = function() end } swarm.main(function() end)'
    assert run(tmp_path, plain).status == "pass"


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ('{ type = "integer" }', "3", True),
        ('{ type = "integer" }', "3.5", False),
        ('{ type = "null" }', "nil", True),
        ('{ type = "null" }', "swarm.null", True),
        ('{ format = "date" }', '"2026-02-30"', False),
        ('{ format = "date" }', '"2026-02-28"', True),
        ('{ enum = { "a", "b" } }', '"c"', False),
        ("{ const = swarm.null }", "nil", True),
        ("{ additionalProperties = false }", "{ a = 1 }", False),
        ('{ pattern = "^(a+)+$" }', '("a"):rep(40) .. "!"', False),
        ("{ prefixItems = { { minimum = 1 } } }", "{ 0 }", False),
        (
            '{ ["$defs"] = { tree = { properties = { left = { ["$ref"] = "#/$defs/tree" }, '
            'n = { type = "number" } } } }, ["$ref"] = "#/$defs/tree" }',
            '{ left = { left = { n = "x" } } }',
            False,
        ),
        (
            '{ ["$schema"] = "http://json-schema.org/draft-07/schema#", '
            "items = { { minimum = 1 } } }",
            "{ 0 }",
            False,
        ),
    ],
)
def test_schemas_mean_what_the_standard_says(
    tmp_path: Path, schema: str, value: str, fits: bool
) -> None:
    text = f"""
    swarm.worker "w" {{ input_schema = {schema}, run = function() return "ran" end }}
    swarm.main(function()
      local ok, result = pcall(swarm.call, "w", {value})
      return ok and result or result.code
    end)
    """
    assert run(tmp_path, text).value == ("ran" if fits else "invalid_value")
