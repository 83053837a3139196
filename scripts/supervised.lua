-- A small house of services that heals itself: what breaks is started again, and what breaks too
-- often takes the house down with a reason.
--
--   swarm-host scripts/supervised.lua [JOBS]

-- Jobs wait in a channel that outlives the workers: a restart loses the job in hand and no other.
-- In swarm.state it outlives a reload too: a service that is restarted after one finds the same.
local house = swarm.state("house", function()
  return { jobs = swarm.channel(100), answers = swarm.channel(100) }
end)
local jobs, answers = house.jobs, house.answers

-- A service: it serves until it breaks or is stopped.
swarm.worker "server" {
  run = function(_, name)
    swarm.log.info(name .. " is up")
    local _, err = pcall(function()
      for job in jobs:iter() do
        if job == 3 then
          answers:send { job = job, lost = true }
          error("job 3 is poison")
        end
        answers:send { job = job, by = name }
      end
    end)
    -- Clean-up that waits needs a shield; once `shutdown` seconds are over it is pierced.
    swarm.shield(function()
      swarm.sleep(0.01)
      swarm.log.info(name .. " is down")
    end)
    error(err, 0)
  end,
}

swarm.main(function(args)
  local services = swarm.supervise {
    name = "house",
    strategy = "rest_for_one", -- what breaks is started again, and those that were started after it
    intensity = 3, -- up to 3 restarts
    period = 10, -- in 10 seconds
    children = {
      { "server", "first", id = "first" },
      { "server", "second", id = "second", shutdown = 1 },
    },
  }
  services:start { "server", "third", id = "third" }

  local count = tonumber(args[1]) or 6
  for job = 1, count do
    jobs:send(job)
  end
  local done = 0
  for _ = 1, count do
    done = done + (answers:recv().lost and 0 or 1)
  end
  swarm.sleep(0.1) -- time to heal

  local restarts = {}
  for _, child in ipairs(services:children()) do
    restarts[child.id] = child.restarts
  end
  services:stop "second" -- one child alone
  swarm.cancel(services, "the day is over", { wait = true }) -- the rest, in reverse order
  return { done = done, restarts = restarts }
end)
