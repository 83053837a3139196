-- Spawn and join of workers that differ in what stands around them.
local function run(_, x)
  return x
end

swarm.role "cut" { extends = "worker", deny = { "write_files" } }

swarm.worker "bare" { run = run }
swarm.worker "cut" { run = run, role = "cut" }
for _, count in ipairs { 1, 3, 10 } do
  local name = count .. " hooks"
  swarm.worker(name, { run = run })
  for _ = 1, count do
    swarm.after(name, function() end)
  end
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
    for _, name in ipairs { "bare", "cut", "1 hooks", "3 hooks", "10 hooks" } do
      best[name] = math.min(best[name] or math.huge, microseconds(name, n))
    end
  end
  return best
end)
