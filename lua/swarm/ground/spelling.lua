-- Names that do not exist: the nearest that does, and what people try first.
local lower, byte = string.lower, string.byte
local min, max, floor, concat, sort = math.min, math.max, math.floor, table.concat, table.sort
local pairs, type = pairs, type

local spelling = {}

---How many slips of the fingers lie between two names, without regard to case: a byte too many, too
---few or wrong, or two that changed places.
local function distance(a, b)
  a, b = lower(a), lower(b)
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

local MAX_LENGTH = 40 -- of a name that may be a slip; the distance costs the product of two

---The nearest of the keys of `candidates`, where one is near enough to be meant.
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
      local d = distance(name, candidate)
      if not best or d < best_distance or (d == best_distance and candidate < best) then
        best, best_distance = candidate, d
      end
    end
  end
  if best and best_distance <= max(1, floor(#name / 3)) and best_distance < #name then
    return best
  end
end

-- What people try first, by other libraries' words, and what it is called here. What is told exists
-- on every face: a test holds each against it.
spelling.FIRST_GUESSES = {
  wait = "swarm.sleep",
  task = "swarm.worker",
  agent = "swarm.worker",
  define = "swarm.worker",
  sh = "swarm.exec",
  shell = "swarm.exec",
  run = "swarm.call",
  system = "swarm.exec",
  fetch = "swarm.http.request",
  request = "swarm.http.request",
  get = "swarm.http.request",
  gather = "swarm.all",
  go = "swarm.spawn",
  async = "swarm.spawn",
  start = "swarm.spawn",
  await = "swarm.join",
  value = "swarm.result",
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
  local guess = spelling.FIRST_GUESSES[name]
  if guess then
    return "; use " .. guess
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
