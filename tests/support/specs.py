"""What tests of ``swarm-host test`` share: spec files, runs of them, and what is reported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.command_line import run, script

SUMS = """\
local function add(a, b)
  return a + b
end

describe("add", function()
  it("adds", function()
    print("hidden")
    assert.equal(3, add(1, 2))
  end)
  it("adds #slow numbers", function()
    assert.equal(5, add(2, 2))
  end)
  describe("of strings", function()
    it("is not there yet")
    it("adds numerals", function()
      assert.equal(3, add("1", "2"))
    end)
  end)
end)

it("stands alone", function() end)
"""

APP = """\
swarm.worker "double" {
  timeout = 5,
  input_schema = { type = "number" },
  run = function(_, n) return n * 2 end,
}
swarm.worker "page" {
  run = function(_, url) return swarm.http.request({ url = url }).body end,
}
swarm.after("double", function(_, result)
  result.value = result.value + 1
  return result
end)
swarm.main(function(args, ctx)
  if args[1] == "block" then
    return "so far", "no more"
  elseif args[1] == "fail" then
    error("it broke")
  end
  return { args = args, face = swarm.args, input = ctx.input, sum = swarm.call("double", 4) }
end)
"""


def one_spec(body: str) -> str:
    return f'it("does it", function()\n{body}\nend)\n'


def summary(out: bytes) -> str:
    """The last line, without the time and the seed."""
    last = out.decode().splitlines()[-1]
    return re.sub(r" in [\d.]+ s \(seed \d+\)$", "", last)


def in_folder(folder: Path, *words: str) -> tuple[int, str, str]:
    done = run("test", *words, cwd=folder)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def json_lines(folder: Path, *words: str) -> list[dict[str, Any]]:
    out = in_folder(folder, "--json", *words)[1]
    return [json.loads(line) for line in out.splitlines()]


def outcomes(folder: Path, *words: str) -> dict[str, str]:
    lines = json_lines(folder, *words)
    return {line["name"]: line["status"] for line in lines if line["type"] == "spec"}


def said(folder: Path, body: str, *words: str) -> str:
    """What a spec with this body says where it fails."""
    script(folder, one_spec(body), "x_spec.lua")
    lines = json_lines(folder, *words, "x_spec.lua")
    specs = [line for line in lines if line["type"] == "spec"]
    assert len(specs) == 1, lines
    assert specs[0]["status"] == "failed", specs
    message: str = specs[0]["message"]
    return message
