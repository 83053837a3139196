-- Two shapes that public tables of engine overhead use: a chain of three steps, and a fan-out of
-- five with a join. Microseconds per run of each.
swarm.worker "step" {
  run = function(_, values)
    values[#values + 1] = 1
    return values
  end,
}

local function chain3()
  local values = {}
  for _ = 1, 3 do
    values = swarm.call("step", swarm.array(values))
  end
  assert(#values == 3)
end

local function fan5()
  local handles, joined = {}, {}
  for i = 1, 5 do
    handles[i] = swarm.spawn("step", swarm.array {})
  end
  for i = 1, 5 do
    joined[i] = swarm.result(handles[i])[1]
  end
  assert(#swarm.call("step", joined) == 6)
end

local function microseconds(shape, runs)
  for _ = 1, 200 do
    shape()
  end
  local started = swarm.monotonic()
  for _ = 1, runs do
    shape()
  end
  return (swarm.monotonic() - started) / runs * 1e6
end

swarm.main(function(args)
  local runs = tonumber(args[1] or 20000)
  local best = { chain3_us = math.huge, fan5_us = math.huge }
  for _ = 1, 5 do
    best.chain3_us = math.min(best.chain3_us, microseconds(chain3, runs))
    best.fan5_us = math.min(best.fan5_us, microseconds(fan5, runs))
  end
  return best
end)
