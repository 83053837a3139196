-- Takes what writer.py writes. Arguments: the format, MB, the interpreter.
local form, megabytes, python = unpack(swarm.args)
local output = { format = form }
if form == "lines" then
  output.keep = 1
elseif form ~= "text" then
  output.final = "last"
end
swarm.worker "writer" {
  command = { python, swarm.script_dir .. "/writer.py", form, megabytes },
  output = output,
  limits = { output = 2 ^ 40 },
}

-- What others are held up by at most: a worker that wakes every millisecond.
local worst, over = 0, false
swarm.worker "beat" {
  run = function()
    while not over do
      local before = swarm.monotonic()
      swarm.sleep(0.001)
      worst = math.max(worst, swarm.monotonic() - before - 0.001)
    end
  end,
}

swarm.main(function()
  local beat = swarm.spawn "beat"
  local started = swarm.monotonic()
  local h = swarm.spawn "writer"
  local value = swarm.result(h)
  local seconds = swarm.monotonic() - started
  over = true
  swarm.join(beat)
  return { seconds = seconds, held_ms = worst * 1000, size = form == "text" and #value or 0 }
end)
