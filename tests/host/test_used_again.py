"""Workers that have ended are used again: nothing of one is ever seen in the next.

Only a run under the real clock does so. Specs poison a worker that has ended instead.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes import loaded

ROUNDS = 5

SCRIPT = """
swarm.role("bare", { allow = { "post_result" } })
swarm.worker("bare", { role = "bare", run = function(_, n) return n end })
swarm.worker("number", { run = function(_, n)
  for _ = 1, n % 3 do swarm.yield() end
  return n
end })
swarm.worker("brief", { timeout = 0.001, run = function() swarm.sleep(10) end })
swarm.worker("again", { retries = { max = 2, backoff = 0 }, run = function(ctx, n)
  if ctx.attempt < 3 then error("not yet") end
  return n
end })
swarm.worker("held", { run = function(_, n) return n end })
swarm.worker("single", { concurrency = 1, run = function(_, n) swarm.yield() return n end })

local function never() swarm.sleep(10) end

local function down(levels)
  return levels > 0 and swarm.call(function() return down(levels - 1) end) or "down"
end

-- Each brings workers to their ends in another way.
local ways = {
  passed = function(n) assert(swarm.call("number", n) == n) end,
  refused = function(n) assert(swarm.call("bare", n) == n) end,
  deep = function()
    assert(down(63) == "down")
    assert(not pcall(down, 64)) -- one level too many
  end,
  ["timed out"] = function() assert(swarm.spawn("brief"):join() == nil) end,
  ["tried again"] = function(n) assert(swarm.call("again", n) == n) end,
  cancelled = function()
    local parent = swarm.spawn(function()
      swarm.scope(function(scope)
        for _ = 1, 3 do scope:spawn(never) end
      end)
    end)
    local unbegun = swarm.spawn(never)
    swarm.yield()
    swarm.cancel(parent, "enough", { wait = true })
    swarm.cancel(unbegun, "enough", { wait = true })
  end,
  failed = function()
    local parent = swarm.spawn(function()
      swarm.join(swarm.spawn(function() swarm.yield() end))
      swarm.spawn(function() error("a child's, and nobody's") end)
      swarm.yield()
      swarm.yield()
      error("its own")
    end)
    assert(parent:join() == nil)
  end,
  joined = function(n)
    local h = swarm.spawn(function() swarm.sleep(0.001) return n end)
    local joiners = {}
    for i = 1, 4 do
      joiners[i] = swarm.spawn(function()
        return h:join(i > 2 and { timeout = 0.0002 * i } or nil) and h:result()
      end)
    end
    swarm.yield()
    swarm.cancel(joiners[2])
    assert(joiners[1]:result() == n)
    for i = 2, 4 do joiners[i]:join() end
  end,
  invoked = function(n)
    local h = swarm.open("held")
    for i = 1, 3 do assert(h:invoke(n + i) == n + i) end
    h:close()
    assert(h:join())
  end,
  supervised = function()
    local sup = swarm.supervise({ children = { { never, id = "one" }, { never, id = "two" } } })
    swarm.yield()
    sup:stop("one")
    swarm.cancel(sup, "enough", { wait = true })
  end,
  queued = function(n)
    local list = {}
    for i = 1, 4 do list[i] = swarm.spawn("single", n + i) end
    swarm.yield()
    swarm.cancel(list[3])
    for i = 1, 4 do assert(i == 3 or list[i]:result() == n + i) end
  end,
}

-- Workers that are made after that: each knows itself alone.
local function fresh(n)
  local list = {}
  for i = 1, 80 do -- more than any of the ways has alive at once
    list[i] = swarm.spawn(function(ctx)
      swarm.checkpoint()
      assert(ctx.deadline == nil and ctx.role == "worker" and ctx.attempt == 1)
      assert(ctx.cancel_token.cancelled == false)
      assert(swarm.call(function() return swarm.call("number", n + i) end) == n + i)
      swarm.all({ function() swarm.yield() end, function() end })
      swarm.sleep(i % 2 * 0.0001)
      return n + i
    end)
  end
  for i = 80, 1, -1 do
    assert(list[i]:result() == n + i)
    assert(list[i].status == "pass")
  end
end

swarm.worker("rounds", { run = function(_, rounds)
  local names = {}
  for name in pairs(ways) do names[#names + 1] = name end
  table.sort(names)
  local n = 0
  for _ = 1, rounds do
    for _, name in ipairs(names) do
      n = n + 100
      local ok, err = pcall(swarm.call, function()
        ways[name](n)
        fresh(n)
      end)
      if not ok then error("after " .. name .. ": " .. tostring(err)) end
    end
  end
  return n
end })
"""


@pytest.mark.anyio
async def test_nothing_of_a_worker_is_left_in_the_next(tmp_path: Path) -> None:
    async with loaded(tmp_path, SCRIPT) as host:
        assert await host.call("rounds", ROUNDS) == ROUNDS * 11 * 100
        counts = host.counts()
    assert counts["live"] == counts["running"] == 0


ENDS = """
swarm.worker("pass", { run = function() end })
swarm.worker("blocked", { run = function() return nil, "why" end })
swarm.worker("failed", { run = function() error("why") end })
swarm.worker("timeout", { timeout = 0.001, run = function() swarm.sleep(10) end })
swarm.worker("cancelled", { run = function(ctx) ctx.cancel_token:cancel() swarm.checkpoint() end })
swarm.worker("ends", { run = function(_, ends)
  for _, name in ipairs(ends) do swarm.spawn(name):join() end
end })
"""


@pytest.mark.anyio
async def test_counts_how_workers_ended(tmp_path: Path) -> None:
    ends = {"pass": 1, "blocked": 2, "failed": 3, "timeout": 4, "cancelled": 5}
    async with loaded(tmp_path, ENDS) as host:
        before = host.counts()
        await host.call("ends", [name for name, times in ends.items() for _ in range(times)])
        after = host.counts()
    ends["pass"] += 1  # the one that spawned them
    assert {name: after[name] - before[name] for name in ends} == ends
