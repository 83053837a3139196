-- One spawn and join after another.
swarm.worker "leaf" {
  run = function(_, x)
    return x
  end,
}

swarm.main(function(args)
  local n = tonumber(args[1] or 300000)
  local started, sum = swarm.monotonic(), 0
  for i = 1, n do
    sum = sum + swarm.result(swarm.spawn("leaf", i))
  end
  assert(sum == n * (n + 1) / 2)
  return { us = (swarm.monotonic() - started) / n * 1e6 }
end)
