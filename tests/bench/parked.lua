-- 100,000 parked workers: what one of them holds in memory, and how long cancelling all takes.
swarm.worker "parked" {
  run = function()
    swarm.sleep(3600)
  end,
}

swarm.main(function(args)
  local n = tonumber(args[1] or 100000)
  collectgarbage()
  collectgarbage()
  local before = collectgarbage "count"
  local crowd = swarm.spawn(function()
    for _ = 1, n do
      swarm.spawn "parked"
    end
    swarm.sleep(3600)
  end)
  swarm.sleep(0.01)
  local last = swarm.spawn "parked" -- begins after all of them
  while last.status == "pending" do
    swarm.yield()
  end
  swarm.cancel(last)
  collectgarbage()
  collectgarbage()
  local bytes = (collectgarbage "count" - before) * 1024 / n
  local started = swarm.monotonic()
  swarm.cancel(crowd, "enough", { wait = true })
  local seconds = swarm.monotonic() - started
  assert(crowd.status == "cancelled")
  return { bytes = bytes, cancel_ms = seconds * 1000 }
end)
