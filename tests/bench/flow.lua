-- Workers flow while the script is reloaded under them. Each returns the number that stands in its
-- code; it must be the number of the generation that was the newest when it was spawned.
local NUMBER = 1
local state = swarm.state("flow", { spawned = 0, joined = 0, wrong = 0, stop = false })

swarm.worker "probe" {
  run = function(ctx, rest)
    if rest > 0 then
      swarm.sleep(rest) -- into the next generations
    else
      swarm.yield()
    end
    return { number = NUMBER, own = ctx.generation }
  end,
}

swarm.worker "stop" {
  run = function()
    state.stop = true
  end,
}

swarm.worker "collect" {
  run = function()
    collectgarbage()
    collectgarbage()
    return collectgarbage "count"
  end,
}

local DRIVERS, BATCH, PAUSE = 5, 100, 0.05 -- 10,000 a second

local function drive(started)
  local batches = 0
  while not state.stop do
    batches = batches + 1
    local batch = {}
    for i = 1, BATCH do
      local newest = swarm.generation()
      local rest = i % 10 == 0 and swarm.random() * 0.02 or 0
      batch[i] = { swarm.spawn("probe", rest), newest }
      state.spawned = state.spawned + 1
    end
    for i = 1, BATCH do
      local handle, newest = batch[i][1], batch[i][2]
      local value = swarm.result(handle)
      state.joined = state.joined + 1
      if value.number ~= newest or value.own ~= newest or handle.generation ~= newest then
        state.wrong = state.wrong + 1
      end
    end
    swarm.sleep(math.max(0, started + batches * PAUSE - swarm.monotonic()))
  end
end

swarm.main(function()
  local started = swarm.monotonic()
  local drivers = {}
  for i = 1, DRIVERS do
    drivers[i] = swarm.spawn(function()
      drive(started + i / DRIVERS * PAUSE)
    end)
  end
  swarm.all(drivers)
  return {
    spawned = state.spawned,
    joined = state.joined,
    wrong = state.wrong,
    seconds = swarm.monotonic() - started,
  }
end)
