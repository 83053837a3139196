-- What a child writes item by item: lines, or JSON in lines, server-sent events or frames. The
-- worker's own coroutine takes them as they come. An item that is an event is put into the tail as
-- one, any other is kept there as a partial, and the last final, or the last item, is the result.
local child = require "swarm.outside.process.child"
local child_events = require "swarm.outside.process.child_events"
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local pace = require "swarm.worker.output.pace"
local S = require "swarm.scheduler.scheduler"
local say = require "swarm.worker.output.say"
local tails = require "swarm.worker.output.tail"
local values = require "swarm.values.values"
local byte, find, format, sub = string.byte, string.find, string.format, string.sub
local match = string.match
local concat, pcall, setmetatable, type = table.concat, pcall, setmetatable, type

local stream = {}

-- Cutting ----------------------------------------------------------------------------------------
-- A blob holds whole items only (host/swarm_host/ports/process/framing.py).

-- Each cuts it from a place on, and returns where it stopped: behind the end, or behind the item
-- that answered an invocation.

local cut = {}

function cut.lines(self, blob, from)
  local size = #blob
  while from <= size and not self.answered do
    local at = find(blob, "\n", from, true)
    self:line(sub(blob, from, at - 1))
    from = at + 1
  end
  return from
end

function cut.ndjson(self, blob, from)
  local size = #blob
  while from <= size and not self.answered do
    local at = find(blob, "\n", from, true)
    if at > from then
      self:text(sub(blob, from, at - 1))
    end
    from = at + 1
  end
  return from
end

function cut.frames(self, blob, from)
  local size = #blob
  while from <= size and not self.answered do
    local a, b, c, d = byte(blob, from, from + 3)
    local last = from + 3 + ((a * 256 + b) * 256 + c) * 256 + d
    self:text(sub(blob, from + 4, last))
    from = last + 1
  end
  return from
end

local REMARK = 64 -- bytes that a line which was cut has over its limit, to say so
local MOST_NOTED = 1048576 -- of a line that is no JSON: a tail may not hold a longer one

---One more line of a server-sent event's data. All of them are as long as a line may be, the rest
---is dropped and counted.
local function add_data(self, text)
  local size = #text + 1
  self.data_size = self.data_size + size
  local over = self.data_size - (self.plan.line_limit or child.LINE) - REMARK
  if over > 0 then
    local dropped = over < size and over or size
    text = sub(text, 1, size - dropped - 1)
    self.data_dropped = self.data_dropped + dropped
    if dropped == size then
      return
    end
  end
  self.data[#self.data + 1] = text
end

---Lines of server-sent events (WHATWG HTML, 9.2.6): `data` in as many lines as it takes, then an
---empty one. Comments, ids and retry times are not for us.
function cut.sse(self, blob, from)
  local size = #blob
  while from <= size do
    local at = find(blob, "\n", from, true)
    if at == from then
      self:dispatch()
    else
      local name, value = match(sub(blob, from, at - 1), "^([^:]*):? ?(.*)$")
      if name == "event" then
        self.event_name = value
      elseif name == "data" then
        add_data(self, value)
      end
    end
    from = at + 1
  end
  return from
end

-- Taking -----------------------------------------------------------------------------------------

local Stream = {}
Stream.__index = Stream

local function too_much(self)
  return errors.throw(
    "process_failed",
    self.plan.who
      .. ": it wrote more lines than a tail holds ("
      .. tails.MAX_EVENTS
      .. ", or 16 MiB): keep the last ones alone with output = { keep = n }",
    { reason = "too many lines" }
  )
end

---An item as an event, with room for what the tail says of it: to make that later is half of what
---an event costs.
local function partial(item)
  return { type = "partial", chunk = { kind = "inline", value = item }, seq = nil, at = nil }
end

---Appends an event to the tail; readers that must not miss it are waited for.
function Stream:say(event)
  if self.says then
    say.relay(self.ctx, event)
    return pace.wait(self.me)
  end
end

---A line of format `lines`.
function Stream:line(text)
  pace.item(self.me)
  if self.plan.event then
    return self:item(text)
  elseif self.one then
    self.answered, self.last = true, text
    return
  end
  local keep = self.plan.keep
  local count = self.count + 1
  self.count = count
  if keep then
    if keep > 0 then
      self.list[(count - 1) % keep + 1] = text
    end
  else
    self.bytes = self.bytes + #text
    if count > tails.MAX_EVENTS or self.bytes > tails.MAX_BYTES then
      return too_much(self)
    end
    self.list[count] = text
  end
  return self:say(partial(text))
end

---An item that must be JSON.
function Stream:text(text)
  pace.item(self.me)
  local ok, item = pcall(json.decode, text, values.MAX_DEPTH)
  if ok then
    return self:item(item)
  end
  self.malformed = self.malformed + 1
  self.problem = self.problem or item.message
  if #text > MOST_NOTED then
    text = format("%s [%d bytes dropped]", sub(text, 1, MOST_NOTED), #text - MOST_NOTED)
  end
  return self:say { type = "progress", stage = "stdout", note = text }
end

---The end of a server-sent event.
function Stream:dispatch()
  if #self.data > 0 then
    pace.item(self.me)
    local text, name = concat(self.data, "\n"), self.event_name
    if self.data_dropped > 0 then
      text = format("%s [%d bytes dropped]", text, self.data_dropped)
    end
    self.data, self.data_size, self.data_dropped, self.event_name = {}, 0, 0, nil
    local ok, item = pcall(json.decode, text, values.MAX_DEPTH)
    self:item(ok and item or text, name)
  else
    self.event_name = nil
  end
end

---@param item any
---@param name string? of a server-sent event
function Stream:item(item, name)
  self.count = self.count + 1
  self.last = item
  if self.mapper then
    return self.mapper:item(item)
  end
  local map = self.plan.event
  if map then
    local event = map(item, name)
    if event == nil then
      self.skipped = self.skipped + 1
      return
    elseif type(event) == "table" and event[1] ~= nil then
      for i = 1, #event do
        self:emit(child_events.mapped(event[i], self.plan.who))
      end
      return
    end
    return self:emit(child_events.mapped(event, self.plan.who))
  end
  local event = child_events.of(item)
  if event then
    return self:emit(event)
  end
  if self.one then
    self.answered = true
    return
  end
  self.others = self.others + 1
  self.near = self.near or child_events.near(item)
  return self:emit(partial(item))
end

---Puts an event into the tail; a final waits for the end, for it is the result.
function Stream:emit(event)
  if event.type == "final" then
    local before = self.final
    self.final, self.answered = event, self.one
    if not before then
      return
    end
    event = { type = "partial", chunk = before.content } -- another one took its place
  end
  return self:say(event)
end

---Takes what has come. May wait: `event` functions may, and readers of the tail are waited for.
---@param blob string whole items
---@return string? rest what follows the item that answered an invocation
function Stream:take(blob)
  if self.plan.format ~= "frames" and byte(blob, -1) ~= 10 then
    blob = blob .. "\n" -- a mock may leave it out
  end
  local stopped = self.cut(self, blob, 1)
  return stopped <= #blob and sub(blob, stopped) or nil
end

---The last lines, in order.
local function kept_lines(self)
  local keep, count, list = self.plan.keep, self.count, self.list
  if not keep or count <= keep then
    return list
  end
  local ordered = {}
  for i = 1, keep do
    ordered[i] = list[(count + i - 1) % keep + 1]
  end
  return ordered
end

---What was no event, where there is something to say of it.
function Stream:remarks()
  local parts = {}
  if self.malformed > 0 then
    parts[1] = format("%d were no JSON (the first: %s)", self.malformed, self.problem)
  end
  if self.others > 0 then
    local near = self.near and " (the first: " .. self.near .. ")" or ""
    parts[#parts + 1] = format("%d were no event%s", self.others, near)
  end
  if self.skipped > 0 then
    parts[#parts + 1] = format("%d were skipped", self.skipped)
  end
  return parts[1] and concat(parts, ", ") or nil
end

---What it all came to.
---@return any value
---@return string? problem why there is no result
---@return table? final the event that it comes from: its `ok` and `reason` count
function Stream:result()
  if #self.data > 0 then
    self:dispatch() -- no empty line at the end
  end
  if self.one then
    if self.final then
      return tails.value_of(self.final.content), nil, self.final
    end
    return self.last
  elseif self.plan.format == "lines" and not self.plan.event then
    return values.array(kept_lines(self))
  elseif self.plan.final == "last" then
    if self.count == 0 then
      return nil, "it wrote no item"
    end
    return self.last
  elseif self.final then
    return tails.value_of(self.final.content), nil, self.final
  end
  local remarks = self:remarks()
  local problem = "there is no final among the items that it wrote (" .. self.count .. ")"
  if remarks then
    problem = problem .. ": " .. remarks
  end
  return nil, problem .. '; final = "last" takes the last of them, output.event can make one'
end

---@param plan table
---@param ctx table
---@param one? boolean it is taken item by item, each the answer to one invocation
---@param mapper? table whose item(item) takes each in place of what the plan says
---@return table stream
function stream.new(plan, ctx, one, mapper)
  local me = S.current
  return setmetatable({
    plan = plan,
    ctx = ctx,
    me = me,
    mapper = mapper,
    cut = cut[plan.format],
    says = me.rights.emit_output == true, -- else it runs without a tail
    one = one or false,
    answered = false, -- where it is `one`: there is an answer, and what follows is the next one's
    list = {}, -- lines
    count = 0, -- of lines or items
    bytes = 0, -- of lines
    last = nil, -- the last item
    final = nil, -- the last event that was one
    others = 0, -- items that were no event
    near = nil, -- what the first of these lacked that has the type of one
    skipped = 0, -- for which the event function returned nil
    malformed = 0, -- that were no JSON
    problem = nil, -- the first of these
    data = {}, -- lines of a server-sent event
    data_size = 0, -- bytes of them, with their ends
    data_dropped = 0, -- bytes that were more than a line may have
    event_name = nil,
  }, Stream)
end

return stream
