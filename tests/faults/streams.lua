-- Workers of every form of stream, whose programs are played by test_malformed_streams.py: what one
-- is given as its input names what it writes. What a worker came to is told as text.
local function worker(name, format, line, more)
  local fields = {
    command = { "true", "{prompt}" },
    env = { SECRET = more and more.secret and swarm.secret "MALFORMED_SECRET" or "" },
    output = { format = format, final = more and more.final, event = more and more.event },
    limits = { line = line },
  }
  swarm.worker(name)(fields)
end

for _, format in ipairs { "lines", "ndjson", "sse", "frames" } do
  for _, line in ipairs { 16, 100, 1048576 } do
    local final = format ~= "lines" and "last" or nil
    worker(("%s %d"):format(format, line), format, line)
    worker(("%s %d secret"):format(format, line), format, line, { secret = true, final = final })
    if final then
      worker(("%s %d last"):format(format, line), format, line, { final = final })
      worker(("%s %d mapped"):format(format, line), format, line, {
        event = function(item, name)
          return { type = "final", value = { item, name } }
        end,
      })
    end
  end
end

---Any bytes as text.
local function shown(bytes)
  return (bytes:gsub("[^ -~]", function(char)
    return ("<%02x>"):format(char:byte())
  end))
end

-- Whatever was said, in order, without what differs from one attempt to the next.
local function tail_of(h)
  local list = {}
  for i, event in ipairs(swarm.output_tail(h)) do
    event.at = nil
    list[i] = shown(swarm.inspect(event))
  end
  return list
end

swarm.worker "told" {
  run = function(_, input)
    local h = swarm.spawn(input.name, input.key)
    local _, err = swarm.join(h)
    return {
      status = h.status,
      code = err and err.code,
      message = err and shown(err.message),
      tail = swarm.array(tail_of(h)),
      value = h.status == "pass" and shown(swarm.inspect((swarm.result(h)))) or nil,
    }
  end,
}
