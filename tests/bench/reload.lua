-- Says when a worker first ran new code: its version and the time on the system's monotonic clock.
local VERSION = 0

swarm.worker "probe" {
  run = function()
    return { version = VERSION, at = swarm.monotonic() }
  end,
}

swarm.main(function()
  local before
  while true do
    local now = swarm.call "probe"
    if now.version ~= before then
      before = now.version
      print(("%d %.6f"):format(now.version, now.at))
    end
    swarm.sleep(0.001)
  end
end)
