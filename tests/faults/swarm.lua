-- What signals hit: workers whose processes have children of their own, come and go, and ignore
-- SIGTERM now and then. All bear a mark that this run is given, by which they are found.
local mark = { FAULTS_MARK = swarm.args[1] }

swarm.worker "nap" { shell = "sleep 600 & sleep 600", env = mark }
swarm.worker "stubborn" {
  shell = "trap '' TERM; sleep 600 & sleep 600",
  env = mark,
  kill_after = 0.2,
}
swarm.worker "short" {
  shell = 'sleep "0.0$N"; echo done',
  env = { N = "{input.n}", FAULTS_MARK = swarm.args[1] },
  output = { format = "text" },
}

swarm.main(function()
  swarm.spawn "nap"
  swarm.spawn "stubborn"
  swarm.spawn(function()
    while true do
      swarm.map("short", { { n = 1 }, { n = 5 }, { n = 9 } })
    end
  end)
  swarm.sleep(0)
  print "begun"
  pcall(swarm.sleep, 600)
  swarm.shield(function()
    swarm.exec { "sleep", "0.02" }
  end)
end)
