-- Workers that sleep, all of them the same time or each another: the processor time of each, from
-- its spawn to its join.
local SECONDS, SPREAD = 2, 100 -- the different times differ by milliseconds, up to so many

swarm.worker "sleeper" {
  run = function(_, seconds)
    swarm.sleep(seconds)
  end,
}

swarm.main(function(args)
  local n, different = tonumber(args[1] or 100000), args[2] == "different"
  local started, handles = os.clock(), {}
  for i = 1, n do
    local extra = different and (i * 7919 % SPREAD) / 1000 or 0
    handles[i] = swarm.spawn("sleeper", SECONDS + extra)
  end
  for i = 1, n do
    assert(swarm.join(handles[i]))
  end
  return { us = (os.clock() - started) / n * 1e6 }
end)
