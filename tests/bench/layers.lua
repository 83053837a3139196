-- Spawn and join of workers that differ in which of the host's layers stand around them.
local function run(_, x)
  return x
end

local LAYERS = {
  { "bare" },
  { "log_off", { "log", level = "off" } },
  { "long_hold", "long_hold" },
  { "main_ai", "main_ai" }, -- of which no spawn hook is there
  { "redact", { "redact", patterns = { "sk%-%w+" } } }, -- it does more than look
}

for _, layer in ipairs(LAYERS) do
  swarm.worker(layer[1], { run = run, layers = { layer[2] } })
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
    for _, layer in ipairs(LAYERS) do
      local name = layer[1]
      best[name] = math.min(best[name] or math.huge, microseconds(name, n))
    end
  end
  return best
end)
