-- Spawn and join of workers that differ in which of the host's layers stand around them.
local function run(_, x)
  return x
end

local LAYERS = {
  bare = {},
  log_off = { { "log", level = "off" } },
  long_hold = { "long_hold" },
  main_ai = { "main_ai" }, -- of which no spawn hook is there
  log = { "log" },
  redact = { { "redact", patterns = { "sk%-%w+" } } },
}

for name, layers in pairs(LAYERS) do
  swarm.worker(name, { run = run, layers = layers })
end

local function microseconds(name, n)
  collectgarbage()
  local started, sum = swarm.monotonic(), 0
  for i = 1, n do
    sum = sum + swarm.result(swarm.spawn(name, i))
  end
  assert(sum == n * (n + 1) / 2)
  return (swarm.monotonic() - started) / n * 1e6
end

swarm.main(function(args)
  local n = tonumber(args[1] or 100000)
  local best = {}
  for _ = 1, 5 do
    for name in pairs(LAYERS) do
      local count = (name == "log" or name == "redact") and n / 10 or n -- these do more than look
      best[name] = math.min(best[name] or math.huge, microseconds(name, count))
    end
  end
  return best
end)
