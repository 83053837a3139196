-- A tour: what is in this source tree? Lua workers read every source file below a folder, count its
-- lines and find its longest function; processes take checksums and the history; hooks watch.
--
--   swarm-host scripts/tour.lua [FOLDER]        a table on stderr, a JSON report on stdout

local LANGUAGES = { -- by extension: a name, and a pattern for the line that opens a function
  lua = { "Lua", "function%s+([%w_.:]+)%s*%(" },
  py = { "Python", "^%s*a?s?y?n?c?%s*def%s+([%w_]+)" },
  js = { "JavaScript", "function%s+([%w_]+)%s*%(" },
  go = { "Go", "^func%s+.-([%w_]+)%(" },
  rs = { "Rust", "fn%s+([%w_]+)" },
  c = { "C", "^[%w_][%w_%s%*]-([%w_]+)%s*%([^;]*$" },
}

local function language_of(path)
  return LANGUAGES[path:match "%.(%w+)$" or ""]
end

-- What the processes may do: run these programs, read, and nothing else.
swarm.role "auditor" {
  extends = "worker",
  allow = { run_process = { "sh", "sha256sum" } },
  deny = { "write_files" },
}

-- A worker of kind `lua`: a function that is given its input. At most 32 of them run at once.
swarm.worker "measure" {
  concurrency = 32,
  timeout = 10,
  run = function(ctx, path)
    local text = swarm.fs.read(path)
    ctx:progress("measuring", path)
    local language, lines, longest, open = language_of(path), 0, { length = 0 }, nil
    for line in (text .. "\n"):gmatch "(.-)\n" do
      lines = lines + 1
      local name = line:match(language[2])
      open = name and { name = name, path = path, line = lines } or open
      if open and line:find "%S" then
        open.length = lines - open.line + 1
        longest = open.length > longest.length and open or longest
      end
    end
    return { path = path, language = language[1], lines = lines, longest = longest }
  end,
}

-- Workers of kind `process`: a command, or a line for the shell.
swarm.worker "checksum" {
  role = "auditor",
  command = { "sha256sum", "{prompt}" },
  output = { format = "text" },
}
swarm.worker "history" {
  role = "auditor",
  cwd = "{prompt}",
  shell = "git log -1 --format='%h %s' 2>/dev/null || echo $(find . -type f | wc -l) files, no git",
  output = { format = "text" },
}

swarm.worker "slow" {
  run = function()
    swarm.sleep(3600)
  end,
} -- the tour does not wait for it
swarm.worker "missing" {
  run = function(_, folder)
    return swarm.fs.read(folder .. "/none")
  end,
}

-- Hooks: after each measuring, mark what looks odd; after every end, count it.
swarm.after("measure", function(_, result)
  result.value.suspicious = result.value.longest.length > 200 or nil
  return result
end)
local ends = {}
swarm.settled("*", function(_, outcome)
  ends[outcome.status] = (ends[outcome.status] or 0) + 1
end)

local function totals(handles)
  local report = {}
  for _, handle in ipairs(handles) do
    local ok, err = swarm.join(handle) -- the signal
    if ok then
      local file = swarm.result(handle) -- the value, out of the output tail
      local entry = report[file.language]
        or { files = 0, lines = 0, odd = 0, longest = { length = 0 } }
      entry.files, entry.lines = entry.files + 1, entry.lines + file.lines
      entry.odd = entry.odd + (file.suspicious and 1 or 0)
      entry.longest = file.longest.length > entry.longest.length and file.longest or entry.longest
      report[file.language] = entry
    else
      swarm.log.warn("left out", { file = handle.input, reason = err.message })
    end
  end
  return report
end

swarm.main(function(args)
  local folder = (args[1] or "."):gsub("(.)/+$", "%1")
  local slow, history = swarm.spawn "slow", swarm.spawn("history", folder)
  local _, failed = pcall(swarm.call, "missing", folder) -- a call raises what its worker raised

  -- A scope bounds this part: all it spawns has settled when it ends, and it ends in 60 s.
  local report = swarm.timeout(60, function()
    local handles = {}
    for _, path in ipairs(swarm.fs.glob(folder .. "/**/*.*")) do
      if language_of(path) then
        handles[#handles + 1] = swarm.spawn("measure", path)
      end
    end
    return totals(handles)
  end)
  local row, rows = "%-12s %6s %8s %4s  %s\n", {}
  for name, entry in pairs(report) do
    local far = entry.longest
    local where = "%s, %d lines, %s:%d"
    where = far.name and where:format(far.name, far.length, far.path, far.line)
    entry.checksum = far.name and swarm.call("checksum", far.path):sub(1, 12)
    rows[#rows + 1] = row:format(name, entry.files, entry.lines, entry.odd, where or "-")
  end
  table.sort(rows)
  io.stderr:write(row:format("language", "files", "lines", "odd", "longest function"), unpack(rows))

  swarm.cancel(slow, "the tour is over", { wait = true })
  local last = swarm.result(history)
  return { languages = report, history = last, missing = failed.code, ends = ends }
end)
