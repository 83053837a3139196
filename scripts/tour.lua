-- A tour: what is in this source tree? Workers read every source file below a folder, count its
-- lines and find its longest functions; main puts the answers together by language.
--
--   swarm-host scripts/tour.lua [FOLDER]        a table on stderr, a JSON report on stdout

local LANGUAGES = {
  lua = { name = "Lua", opens = "function%s+([%w_.:]+)%s*%(" },
  py = { name = "Python", opens = "^%s*a?s?y?n?c?%s*def%s+([%w_]+)" },
  js = { name = "JavaScript", opens = "function%s+([%w_]+)%s*%(" },
  go = { name = "Go", opens = "^func%s+.-([%w_]+)%(" },
  rs = { name = "Rust", opens = "fn%s+([%w_]+)" },
  c = { name = "C", opens = "^[%w_][%w_%s%*]-([%w_]+)%s*%([^;]*$" },
  h = { name = "C", opens = "^static%s+[%w_%s%*]-([%w_]+)%s*%(" },
}

local function language_of(path)
  return LANGUAGES[path:match "%.(%w+)$" or ""]
end

-- A worker of kind `lua`: a function that is given its input. At most 32 of them run at once.
swarm.worker "measure" {
  concurrency = 32,
  timeout = 10,
  run = function(ctx, path)
    local text = swarm.fs.read(path)
    ctx:progress("measuring", path)
    local language, lines, longest, open = language_of(path), 0, {}, nil
    for line in (text .. "\n"):gmatch "(.-)\n" do
      lines = lines + 1
      local name = line:match(language.opens)
      if name then
        if open then
          longest[#longest + 1] = open
        end
        open = { name = name, path = path, line = lines, length = 0 }
      end
      if open and line:find "%S" then
        open.length = lines - open.line + 1
      end
    end
    longest[#longest + 1] = open
    table.sort(longest, function(a, b)
      return a.length > b.length
    end)
    return { path = path, language = language.name, lines = lines, longest = longest[1] }
  end,
}

-- It would take an hour. The tour does not wait for it.
swarm.worker "slow" {
  run = function()
    swarm.sleep(3600)
  end,
}

-- It reads a file that is not there. The tour deals with it.
swarm.worker "missing" {
  run = function(_, folder)
    return swarm.fs.read(folder .. "/no-such-file")
  end,
}

local function totals(handles)
  local report = {}
  for _, handle in ipairs(handles) do
    local ok, err = swarm.join(handle) -- the signal
    if ok then
      local file = swarm.result(handle) -- the value, out of the output tail
      local entry = report[file.language] or { files = 0, lines = 0, longest = { length = 0 } }
      entry.files, entry.lines = entry.files + 1, entry.lines + file.lines
      if file.longest and file.longest.length > entry.longest.length then
        entry.longest = file.longest
      end
      report[file.language] = entry
    else
      swarm.log.warn("left out", { file = handle.input, reason = err.message })
    end
  end
  return report
end

local function print_table(report)
  local row = "%-12s %6s %8s  %s\n"
  io.stderr:write(row:format("language", "files", "lines", "longest function"))
  local names = {}
  for name in pairs(report) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local entry, far = report[name], report[name].longest
    local where = far.name
      and ("%s, %d lines, %s:%d"):format(far.name, far.length, far.path, far.line)
    io.stderr:write(row:format(name, entry.files, entry.lines, where or "-"))
  end
end

swarm.main(function(args)
  local folder = (args[1] or "."):gsub("(.)/+$", "%1")
  local slow = swarm.spawn "slow"
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

  swarm.cancel(slow, "the tour is over")
  local _, cancelled = swarm.join(slow)
  print_table(report)
  return { languages = report, slow = cancelled.code, missing = failed.code }
end)
