-- 100,000 workers for the view: args[1] is how they come.
--   live   all of them are alive at once, and go on for a while
--   churn  they come and go, a thousand at a time
-- Seconds of processor time that it took, from the first spawn on.
swarm.worker "live" {
  run = function(_, turns)
    for _ = 1, turns do
      swarm.yield()
    end
  end,
}
swarm.worker "churn" {
  run = function()
    swarm.yield()
  end,
}

local function live(count)
  local handles = {}
  for i = 1, count do
    handles[i] = swarm.spawn("live", 40)
  end
  swarm.settle(handles)
end

local function churn(count)
  for _ = 1, count / 1000 do
    local handles = {}
    for i = 1, 1000 do
      handles[i] = swarm.spawn "churn"
    end
    swarm.settle(handles)
  end
end

swarm.main(function(args)
  local started = os.clock()
  local way = args[1] == "live" and live or churn
  way(tonumber(args[2]))
  return { seconds = os.clock() - started }
end)
