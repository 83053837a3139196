-- A child that is held open: an item goes in and an item comes out for each invocation. The request
-- for it outlives them all; in between nobody reads what it says, and so it waits.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local child = require "swarm.outside.process.child"
local errors = require "swarm.ground.errors"
local holds = require "swarm.scope.holds"
local json = require "swarm.values.json"
local output = require "swarm.outside.process.output"
local S = require "swarm.scheduler.scheduler"
local stream = require "swarm.outside.process.stream"
local waiting = require "swarm.scope.waiting"
local char, find, floor, format = string.char, string.find, math.floor, string.format
local concat = table.concat

local session = {}

-- Format → what goes in for an input.
local items = {}

function items.lines(texts, _, who)
  local line = concat(texts)
  if find(line, "\n", 1, true) then
    local message = who .. ": what goes in is one line for each invocation, and this has several"
    return errors.throw("invalid_value", message, { path = "input" })
  end
  return line .. "\n"
end

local function json_of(texts, input)
  return texts and concat(texts) or (json.encode(input, "input"))
end

function items.ndjson(texts, input, who)
  return items.lines({ json_of(texts, input) }, input, who)
end

function items.frames(texts, input)
  local text = json_of(texts, input)
  local size, head = #text, {}
  for i = 4, 1, -1 do
    head[i] = char(size % 256)
    size = floor(size / 256)
  end
  return concat(head) .. text
end

session.FORMATS = items

local IN_USE = { what = "an invocation of its process" }

---Lets the child see the end of its input, and waits for its end.
local function close(self)
  local me, request = S.current, self.request
  while not request.done do
    if self.taker then
      waiting.park_in(me, self.waiters, IN_USE)
    else
      bridge.tell(request, { close = true })
      bridge.tell(request, { final = true })
      bridge.wait(me, request)
    end
  end
end

---Starts the child of a held-open worker.
---@param held table the held-open worker
---@param order table as child.open has it
local function start(held, order)
  local self = {
    request = nil,
    taker = nil, -- the stream of the invocation that uses it
    waiters = { head = nil, tail = nil }, -- for the end of that
    rest = nil, -- what it wrote behind its last answer
    close = close,
  }
  order.feeds, order.on_out = true, function(blob)
    if self.taker then
      self.rest = self.taker:take(blob)
    end
  end
  local on_err = order.on_err
  order.on_err = on_err and function(lines)
    if self.taker then
      return on_err(self.taker.ctx, lines)
    end
  end
  self.request = child.open(order)
  held.kept = self
  return self
end

---How a child ended before it answered, as an error.
local function raise_end(self, plan, me)
  local ended, _, stderr = bridge.answer(me, self.request, "run_process")
  local how = output.how_it_ended(ended, stderr)
  local message = format("%s: it ended before it answered: %s", plan.who, how)
  return errors.throw("process_failed", message, {
    exit_code = ended.exit_code,
    signal = ended.signal,
    stderr = output.end_of(stderr),
    reason = "it ended before it answered",
  })
end

---An invocation makes way for the next one, or for the end.
local function leave(self)
  self.taker = nil
  return S.ready_all(self.waiters)
end

---One invocation.
---@param held table the held-open worker
---@param plan table
---@param ctx table
---@param input any
---@param texts table? what `stdin` makes of it
---@param order function what makes the order for a child, where one must be started
---@return any value, string? reason
function session.invoke(held, plan, ctx, input, texts, order)
  local me, self = S.current, held.kept
  local item = items[plan.format](texts, input, plan.who)
  if self and self.request.done then
    if not plan.restart then
      return raise_end(self, plan, me)
    end
    self = nil
  end
  self = self or start(held, order())
  local request, taker = self.request, stream.new(plan, ctx, true)
  if self.rest then
    self.rest = taker:take(self.rest)
  end
  bridge.tell(request, { input = true }, item)
  self.taker = taker
  holds.add(me.task, self, leave)
  local waited = bridge.wait(me, request, function()
    return taker.answered
  end)
  holds.drop(me.task)
  leave(self)
  if not waited then
    return waiting.barred("an invocation of a process")
  end
  cancelling.may_request(me)
  if not taker.answered then
    return raise_end(self, plan, me)
  end
  local value, _, final = taker:result()
  return output.of_item(plan, value, final)
end

return session
