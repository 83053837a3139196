-- Proves gather.md, of calls in calls.
local swarm = require "swarm"
local stock = require "gather_stock"

local gives, breaks, blocks, cleans = stock.gives, stock.breaks, stock.blocks, stock.cleans
local drained = stock.drained

describe("whatever is nested in whatever", function()
  -- Random trees of calls, whose leaves pass, fail, block, clean up or are cancelled by others.
  local function grow(random, state)
    local function pick(n)
      return math.floor(random() * n) + 1
    end

    local node -- a member: a function, or the handle of one

    local function leaf()
      local kind, seconds = pick(6), pick(4) - 1
      if kind == 1 then
        return gives(kind, seconds)
      elseif kind == 2 then
        return breaks("leaf", seconds)
      elseif kind == 3 then
        return blocks(kind, "leaf")
      elseif kind == 4 then
        return cleans({}, seconds, pick(2) == 1 and "clean-up" or nil)
      elseif kind == 5 then
        return function()
          swarm.sleep(seconds)
          local one = state.handles[pick(#state.handles)]
          if one then
            swarm.cancel(one)
          end
        end
      end
      return function()
        swarm.timeout(seconds, function()
          swarm.sleep(pick(4))
        end)
      end
    end

    local function branch(depth)
      local calls = { "all", "any", "race", "settle", "each", "map" }
      local call, n = assert(calls[pick(6)]), pick(4)
      return function()
        local open, list = 0, {}
        for i = 1, n do
          local member = node(depth - 1)
          list[i] = type(member) ~= "function" and member
            or function(...)
              open = open + 1
              local ok, value, reason = pcall(member, ...)
              open = open - 1
              if not ok then
                error(value, 0)
              end
              return value, reason
            end
        end
        local ok, err = pcall(function()
          if call == "map" then
            local items = {}
            for i = 1, n do
              items[i] = i
            end
            swarm.map(function(ctx, i)
              if type(list[i]) == "function" then
                return list[i](ctx)
              end
              return swarm.result(list[i])
            end, items, { concurrency = pick(n) })
          else
            drained(call)(list)
          end
        end)
        if call ~= "each" then
          state.left_open = state.left_open + open
        end
        if ok then
          local before = swarm.monotonic()
          if pcall(swarm.sleep, 1) and swarm.monotonic() ~= before + 1 then
            state.woken_early = state.woken_early + 1
          end
        else
          error(err, 0)
        end
      end
    end

    function node(depth)
      local member = (depth == 0 or pick(4) == 1) and leaf() or branch(depth)
      if pick(3) == 1 then
        local h = swarm.spawn(member, nil, { detached = pick(2) == 1 })
        state.handles[#state.handles + 1] = h
        return h
      end
      return member
    end

    return branch(4)
  end

  it("ends, with nothing open and nobody woken by mistake", function()
    local seed = 1
    local function random()
      seed = (seed * 16807) % 2147483647
      return seed / 2147483647
    end
    local ends = {}
    for _ = 1, 400 do
      local state = { handles = {}, left_open = 0, woken_early = 0 }
      local tree = swarm.spawn(grow(random, state))
      if random() < 0.3 then
        swarm.sleep(random() * 5)
        swarm.cancel(tree)
      end
      local _, err = swarm.join(tree, { timeout = 1000 })
      assert.not_equal("poll_timeout", err and err.code)
      for _, outcome in ipairs(swarm.settle(state.handles)) do
        ends[outcome.status] = (ends[outcome.status] or 0) + 1
      end
      ends[tree.status] = (ends[tree.status] or 0) + 1
      assert.equal(0, state.left_open)
      assert.equal(0, state.woken_early)
    end
    for _, status in ipairs { "pass", "blocked", "failed", "cancelled" } do
      assert.truthy(ends[status] and ends[status] > 100, status)
    end
  end)
end)
