-- Workers that compute, each with an input and a result of its own; the first time main fails at
-- its end, so that there is a run to be resumed.
local count, fails = tonumber(swarm.args[1]), swarm.args[2]
swarm.worker "w" {
  run = function(_, i)
    return i
  end,
}
swarm.main(function()
  local began, sum = swarm.monotonic(), 0
  for i = 1, count do
    sum = sum + swarm.call("w", i)
  end
  local seconds = swarm.monotonic() - began
  if fails and not swarm.fs.exists(fails) then
    swarm.fs.write(fails, tostring(seconds))
    error("once")
  end
  return { sum = sum, seconds = seconds }
end)
