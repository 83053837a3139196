-- Programs that misbehave, in every form of output, with and without a terminal. What each is and
-- what may come of it is in processes.py, which says by `--input` what there is.
local given = swarm.input

local function stdin(_, input)
  return input.from
end

-- What a program writes that does as it should.
local ITEMS = {
  text = [[hello\n]],
  json = [[{"a":1}\n]],
  file = [[hello\n]],
  lines = [[one\ntwo\n]],
  ndjson = [[1\n{"type":"final","ok":true,"content":{"kind":"inline","value":1}}\n]],
  sse = [[data: 1\n\ndata: {"type":"final","ok":true,"content":{"kind":"inline","value":1}}\n\n]],
  frames = [[\000\000\000\0011\000\000\000\100]]
    .. [[{"type":"final","ok":true,"content":{"kind":"inline","value":1}}]],
}

local LINGERS = { ndjson = true, sse = true, frames = true }

local function define(name, ill, format, more)
  local fields = {
    shell = ill.shell,
    stdin = stdin,
    env = { ITEM = ITEMS[format], MARK = "{input.mark}" },
    output = { format = format, keep = format == "lines" and 10 or nil },
    kill_after = 0.1,
    idle = more.idle,
    linger = more.linger,
    pty = more.pty,
    limits = ill.limits,
  }
  if ill.command then
    fields.shell, fields.command = nil, ill.command
  end
  swarm.worker(name)(fields)
end

for name, ill in pairs(given.ills) do
  for format in pairs(ITEMS) do
    define(name .. "/" .. format, ill, format, {})
    define(name .. "/" .. format .. "/idle", ill, format, { idle = 0.15 })
    define(name .. "/" .. format .. "/pty", ill, format, { pty = { plain = true } })
    if LINGERS[format] then
      define(name .. "/" .. format .. "/linger", ill, format, { linger = 0.05 })
    end
  end
end

for name, ill in pairs(given.sessions) do
  for _, format in ipairs { "lines", "ndjson" } do
    swarm.worker("held/" .. name .. "/" .. format)({
      shell = ill.shell,
      stdin = "{input.text}",
      env = { MARK = "{input.mark}" },
      output = { format = format },
      kill_after = 0.1,
    })
  end
end

-- What programs read.
swarm.worker "few" { command = { "seq", "1", "1000" }, output = { format = "lines" } }
swarm.worker "endless" { shell = "yes", output = { format = "lines", keep = 0 } }
swarm.worker "failing" { shell = "yes | head -n 3000; exit 7", output = { format = "lines" } }
swarm.worker "says" {
  run = function(ctx)
    for i = 1, 20 do
      ctx:partial { i = i }
      swarm.sleep(0.002)
    end
  end,
}

local SOURCES = {
  none = function() end,
  text = function()
    return ("x"):rep(300000) .. "\n"
  end,
  file = function()
    return swarm.file(given.file)
  end,
}
for _, name in ipairs { "few", "endless", "failing", "says" } do
  SOURCES[name] = function()
    return swarm.spawn(name)
  end
end

local function told(h)
  local _, err = swarm.join(h)
  local code = err and err.code
  if code == "failed" and err.cause then
    code = err.cause.code -- another worker's error
  end
  return {
    status = h.status,
    code = code,
    exit_code = err and err.exit_code,
    signal = err and err.signal,
    message = err and err.message,
  }
end

---One fault: what came of it.
swarm.worker "try" {
  run = function(_, one)
    local source = SOURCES[one.source]()
    local h = swarm.spawn(
      one.worker,
      { from = source, mark = one.mark },
      { timeout = one.timeout }
    )
    if one.cancel then
      swarm.sleep(one.cancel)
      swarm.cancel(h, "by chance")
    end
    local result = told(h)
    if source and not (one.source == "text" or one.source == "file") then
      swarm.cancel(source)
      swarm.join(source)
    end
    return result
  end,
}

---One held-open worker: the statuses and codes of its invocations.
swarm.worker "hold" {
  run = function(_, one)
    local held = swarm.open(one.worker, { timeout = one.timeout })
    local list = swarm.array {}
    for i = 1, one.count do
      local inner = swarm.spawn(function()
        return held:invoke { text = tostring(i), mark = one.mark }
      end)
      if one.close == i then
        swarm.sleep(0)
        held:close()
      elseif one.cancel == i then
        swarm.sleep(0.02)
        swarm.cancel(inner, "by chance")
      end
      local came = told(inner)
      came.value = came.status == "pass" and swarm.result(inner) or nil
      list[i] = came
      if one.pause then
        swarm.sleep(one.pause)
      end
    end
    held:close()
    swarm.join(held)
    return list
  end,
}
