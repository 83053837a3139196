-- Eight workers pass the two permits of a semaphore on: who releases waits again at once.
local WORKERS, PERMITS = 8, 2

swarm.main(function(args)
  local n = tonumber(args[1] or 100000)
  local semaphore, queued = swarm.semaphore(PERMITS), swarm.event()
  local workers = {}
  for i = 1, WORKERS do
    workers[i] = swarm.spawn(function()
      semaphore:acquire()
      queued:wait() -- until the others wait for the permits
      for _ = 1, n do
        semaphore:release()
        semaphore:acquire()
      end
      semaphore:release()
    end)
  end
  swarm.yield()
  local started = swarm.monotonic()
  queued:set()
  for i = 1, WORKERS do
    assert(swarm.join(workers[i]))
  end
  return { us = (swarm.monotonic() - started) / (n * WORKERS) * 1e6 }
end)
