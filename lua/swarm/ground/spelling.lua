-- Names that do not exist: the nearest that does, and what people try first.
local lower, byte = string.lower, string.byte
local min, max, floor, concat, sort = math.min, math.max, math.floor, table.concat, table.sort
local pairs, type = pairs, type

local spelling = {}

---How many slips of the fingers lie between two names: a byte too many, too few or wrong, or two
---that changed places.
---@return integer
local function distance(a, b)
  local before, row = nil, {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local following = { [0] = i }
    for j = 1, #b do
      local x, y = byte(a, i), byte(b, j)
      local best = min(following[j - 1] + 1, row[j] + 1, row[j - 1] + (x == y and 0 or 1))
      if i > 1 and j > 1 and x == byte(b, j - 1) and y == byte(a, i - 1) then
        best = min(best, before[j - 2] + 1)
      end
      following[j] = best
    end
    before, row = row, following
  end
  return row[#b]
end

spelling.distance = distance

local MAX_LENGTH = 40 -- of a name that may be a slip; the distance costs the product of two

---The nearest of the keys of `candidates`, where one is near enough to be meant; case counts for
---nothing.
---@param name string
---@param candidates table keys are the names that exist
---@return string?
function spelling.nearest(name, candidates)
  if #name > MAX_LENGTH then
    return nil
  end
  local best, best_distance = nil, nil
  for candidate in pairs(candidates) do
    if type(candidate) == "string" and #candidate <= MAX_LENGTH then
      local d = distance(lower(name), lower(candidate))
      if not best or d < best_distance or (d == best_distance and candidate < best) then
        best, best_distance = candidate, d
      end
    end
  end
  if best and best_distance <= max(1, floor(#name / 3)) and best_distance < #name then
    return best
  end
end

-- What people try first, by other libraries' words, and what it is called here: by what stands
-- before it. All that is told exists: a test holds each against the faces.
spelling.FIRST_GUESSES = {
  ["swarm."] = {
    dag = "swarm.graph",
    rate_limit = "swarm.pool",
    wait = "swarm.sleep",
    task = "swarm.worker",
    define = "swarm.worker",
    sh = "swarm.exec",
    shell = "swarm.exec",
    run = "swarm.call",
    system = "swarm.exec",
    fetch = "swarm.http.request",
    request = "swarm.http.request",
    get = "swarm.http.request",
    gather = "swarm.all",
    parallel = "swarm.all or swarm.map",
    pipeline = "swarm.channel between workers, or swarm.call one after the other",
    go = "swarm.spawn",
    async = "swarm.spawn",
    start = "swarm.spawn",
    await = "swarm.join",
    value = "swarm.result",
    status = "status of the handle that swarm.spawn returns",
    kill = "swarm.cancel",
    abort = "swarm.cancel",
    stop = "swarm.cancel",
    tail = "swarm.output_tail",
    output = "swarm.output_tail",
    emit = "ctx:partial",
    read = "swarm.fs.read",
    write = "swarm.fs.write",
    getenv = "swarm.env",
    print = "print",
    timeout_after = "swarm.timeout",
    defer = "swarm.shield",
    queue = "swarm.channel",
    chan = "swarm.channel",
    mutex = "swarm.lock",
    nursery = "swarm.scope",
    task_group = "swarm.scope",
    condition = "swarm.event",
  },
  ["swarm.fs."] = {
    walk = 'swarm.fs.glob "**"',
    find = 'swarm.fs.glob "**"',
    dir = "swarm.fs.list",
    rm = "swarm.fs.remove",
    delete = "swarm.fs.remove",
    unlink = "swarm.fs.remove",
    rename = "swarm.fs.move",
    open = "swarm.fs.read or swarm.fs.write",
  },
  ["swarm.http."] = { fetch = "swarm.http.request", put = "swarm.http.request" },
  ["swarm.json."] = {
    parse = "swarm.json.decode",
    load = "swarm.json.decode",
    loads = "swarm.json.decode",
    stringify = "swarm.json.encode",
    dump = "swarm.json.encode",
    dumps = "swarm.json.encode",
  },
  ["swarm.log."] = { warning = "swarm.log.warn", print = "swarm.log.info", log = "swarm.log.info" },
}

-- What comes later, and what does for it until then.
spelling.LATER = {
  ["swarm."] = {
    kind = "swarm.worker with run or command",
    llm = "swarm.http.request, or swarm.worker with a command that asks it",
    model = "swarm.http.request, or swarm.worker with a command that asks it",
  },
}

---A sentence that helps where `name` is not one of `candidates`; "" where nothing comes to mind.
---@param name any
---@param candidates table keys are the names that exist
---@param prefix string how the author writes them, such as "swarm."
---@return string
function spelling.hint(name, candidates, prefix)
  if type(name) ~= "string" then
    return ""
  end
  local guesses, later = spelling.FIRST_GUESSES[prefix], spelling.LATER[prefix]
  local guess = guesses and guesses[name]
  if guess then
    return "; use " .. guess
  elseif later and later[name] then
    return ": it is not built yet; use " .. later[name]
  end
  local near = spelling.nearest(name, candidates)
  return near and "; did you mean " .. (prefix or "") .. near .. "?" or ""
end

---A list of names for a message, sorted, at most `most` of them.
---@return string
function spelling.list(candidates, most)
  local list = {}
  for name in pairs(candidates) do
    if type(name) == "string" then
      list[#list + 1] = name
    end
  end
  sort(list)
  local left = #list - (most or 12)
  if left > 0 then
    for i = #list, #list - left + 1, -1 do
      list[i] = nil
    end
    return concat(list, ", ") .. " and " .. left .. " more"
  end
  return concat(list, ", ")
end

return spelling
