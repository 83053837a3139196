-- Ten million short workers, of every sort of life and end, and what memory is at each fortieth.
local N = tonumber(swarm.args[1] or 10000000)
local SAMPLES = 40

swarm.worker "add" {
  run = function(_, input)
    return { sum = input.a + input.b }
  end,
}
swarm.worker "fail" {
  run = function()
    error "on purpose"
  end,
}
swarm.worker "wait" {
  run = function()
    swarm.sleep(60)
  end,
}
swarm.worker "speak" {
  run = function(ctx, input)
    ctx:progress("half", ctx.task_id)
    return input
  end,
}
local tries = 0
swarm.worker "flaky" {
  retries = { max = 1, backoff = 0 },
  run = function()
    tries = tries + 1
    if tries % 2 == 1 then
      error "not yet"
    end
    return "ok"
  end,
}
swarm.worker "held" {
  run = function(ctx, input)
    ctx.state.n = (ctx.state.n or 0) + input
    return ctx.state.n
  end,
}
swarm.after("speak", function(_, result)
  result.value = result.value .. "!"
  return result
end)

-- Each runs some workers to their end, checks it, and says how many there were.
local rounds = {
  function() -- one after another
    for i = 1, 400 do
      assert(swarm.call("add", { a = i, b = 1 }).sum == i + 1)
    end
    return 400
  end,
  function() -- a fan
    local handles = {}
    for i = 1, 300 do
      handles[i] = swarm.spawn("add", { a = i, b = i })
    end
    for i = 1, 300 do
      assert(swarm.join(handles[i]))
    end
    return 300
  end,
  function() -- a list, a few at once
    local items = {}
    for i = 1, 100 do
      items[i] = { a = i, b = 2 }
    end
    assert(swarm.map("add", items, { concurrency = 10 })[100].sum == 102)
    return 100
  end,
  function() -- failures, joined
    for _ = 1, 50 do
      local ok, err = swarm.join(swarm.spawn "fail")
      assert(ok == nil and err.code == "failed")
    end
    return 50
  end,
  function() -- cancelled before they begin, and while they wait
    for _ = 1, 25 do
      assert(swarm.spawn("wait"):cancel())
      local h = swarm.spawn "wait"
      swarm.yield()
      h:cancel("enough", { wait = true })
      assert(h.status == "cancelled")
    end
    return 50
  end,
  function() -- deadlines
    for _ = 1, 10 do
      local ok = pcall(swarm.timeout, 0, function()
        swarm.call "wait"
      end)
      assert(not ok)
    end
    return 10
  end,
  function() -- tails, ids, hooks
    for i = 1, 40 do
      local h = swarm.spawn("speak", "x" .. i)
      assert(h:result() == "x" .. i .. "!" and #h:output_tail() == 3)
    end
    return 40
  end,
  function() -- further attempts
    for _ = 1, 20 do
      assert(swarm.call "flaky" == "ok")
    end
    return 40
  end,
  function() -- held open
    local held = swarm.open "held"
    for i = 1, 10 do
      assert(held:invoke(1) == i)
    end
    held:close()
    return 11
  end,
  function() -- a channel between two
    local channel = swarm.channel()
    local sender = swarm.spawn(function()
      for i = 1, 20 do
        channel:send { i }
      end
      channel:close()
    end)
    local sum = 0
    for item in channel:iter() do
      sum = sum + item[1]
    end
    assert(sum == 210 and swarm.join(sender))
    return 1
  end,
}

local function memory()
  collectgarbage()
  local pages = tonumber(swarm.fs.read("/proc/self/statm"):match "^%d+ (%d+)")
  return collectgarbage "count" / 1024, pages * 4096 / 2 ^ 20
end

swarm.main(function()
  local started = swarm.monotonic()
  local done, samples = 0, {}
  for sample = 1, SAMPLES do
    while done < N * sample / SAMPLES do
      -- A worker of its own for each round: main's own list of children stays short.
      for i = 1, #rounds do
        done = done + swarm.call(rounds[i]) + 1
      end
    end
    local lua_mb, rss_mb = memory()
    samples[sample] = { lua_mb = lua_mb, rss_mb = rss_mb }
  end
  return { workers = done, seconds = swarm.monotonic() - started, samples = samples }
end)
