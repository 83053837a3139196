-- A child that is held open: an item goes in and an item comes out for each invocation. The request
-- for it outlives them all; in between nobody reads what it says, and so it waits.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local child = require "swarm.outside.process.child"
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local output = require "swarm.outside.process.output"
local S = require "swarm.scheduler.scheduler"
local stream = require "swarm.outside.process.stream"
local waiting = require "swarm.scope.waiting"
local char, find, floor, format = string.char, string.find, math.floor, string.format
local concat, pcall = table.concat, pcall

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

---Lets the child see the end of its input, and waits for its end. No invocation uses it any more.
local function close(self)
  local request = self.request
  if not request.done then
    bridge.tell(request, { close = true })
    bridge.tell(request, { final = true })
    bridge.wait(S.current, request)
  end
end

---Starts the child of a held-open worker.
---@param held table the held-open worker
---@param plan table
---@param order table as child.open has it
local function start(held, plan, order)
  local self = {
    request = nil,
    plan = plan,
    taker = nil, -- the stream of the invocation that uses it
    rest = nil, -- what it wrote behind its last answer
    told = 0, -- items that went in
    close = close,
  }
  order.feeds, order.on_out =
    true, function(blob)
      if self.taker then
        self.rest = self.taker:take(blob)
      end
    end
  local on_err = order.on_err
  order.on_err = on_err
    and function(lines)
      if self.taker then
        return on_err(self.taker.ctx, lines)
      end
    end
  self.request = child.open(order)
  held.kept = self
  return self
end

---How a child ended, as an error.
---@param when string as in "it ended before it answered"
local function raise_end(plan, when, ended, stderr)
  local how = output.how_it_ended(ended, stderr)
  return errors.throw("process_failed", format("%s: it ended %s: %s", plan.who, when, how), {
    exit_code = ended.exit_code,
    signal = ended.signal,
    stderr = output.end_of(stderr),
    reason = "it ended " .. when,
  })
end

local ANSWERED, INVOKED = "before it answered", "before this invocation (restart = false)"

---Takes what the child wrote behind its last answer. What that raises ends the child, as it does
---where it comes as an event.
---@return boolean taken
local function take_rest(self, taker)
  local rest = self.rest
  self.rest = nil
  local ok, left = pcall(taker.take, taker, rest)
  if not ok then
    bridge.fail(self.request, left)
    return false
  end
  self.rest = left
  return true
end

---The plan of the child that a held-open worker has: after a reload that one goes on with its own.
---@param held table the held-open worker
---@param plan table the newest
---@return table
function session.plan_of(held, plan)
  local self = held.kept
  return self and not self.request.done and self.plan or plan
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
  local me, self, is_new = S.current, held.kept, false
  local item = items[plan.format](texts, input, plan.who)
  if self and self.request.done and not plan.restart then
    local ended, _, stderr = bridge.answer(me, self.request, "run_process")
    return raise_end(plan, INVOKED, ended, stderr)
  elseif not self or self.request.done then
    self, is_new = start(held, plan, order()), true
  end
  local request, taker = self.request, stream.new(plan, ctx, true)
  self.taker = taker
  if not self.rest or take_rest(self, taker) then
    self.told = self.told + 1
    bridge.tell(request, { input = true }, item)
  end
  local waited = bridge.wait(me, request, function()
    return taker.answered
  end)
  self.taker = nil
  if not waited then
    return waiting.barred("an invocation of a process")
  end
  cancelling.may_request(me)
  if not taker.answered then
    local ended, _, stderr = bridge.answer(me, request, "run_process")
    if is_new or ended.fed == self.told then
      return raise_end(plan, ANSWERED, ended, stderr)
    elseif not plan.restart then
      return raise_end(plan, INVOKED, ended, stderr)
    end
    -- It had ended before, and what it said last was not read until now.
    return session.invoke(held, plan, ctx, input, texts, order)
  end
  local value, _, final = taker:result()
  return output.of_item(plan, value, final)
end

return session
