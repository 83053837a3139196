-- A turn of an agent's: one run of its program, with one prompt. Its mapper has a function for each
-- type of item, which says what the item means by the calls of this file; what nobody knows is
-- skipped and counted. What the mapper has said comes to an answer or to an error in the end.
local errors = require "swarm.ground.errors"
local limits = require "swarm.outside.agent.limits"
local clock = require "swarm.ground.clock"
local output = require "swarm.outside.process.output"
local prices = require "swarm.outside.agent.prices"
local say = require "swarm.worker.output.say"
local values = require "swarm.values.values"
local words = require "swarm.outside.agent.words"
local concat, floor, sort = table.concat, math.floor, table.sort
local format, sub = string.format, string.sub
local error, pairs, pcall, setmetatable, tostring, type =
  error, pairs, pcall, setmetatable, tostring, type

local MESSAGES = 64 -- whose amounts are kept, as one may be told again
local USAGES, GATHERED = 1000, 100 -- events of use one by one; after these so many in one, and
-- twice as many after as many events again
local TEXT = 8 * 1024 * 1024 -- bytes of a text that an event has: a tail holds twice that
local NAMES = 100 -- of skipped types
local null = values.null

local Turn = {}
Turn.__index = Turn

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local function say_event(self, event)
  if self.stream.says then
    return self.stream:say(event)
  end
end

---Its conversation has this id: later turns go on in it.
function Turn:in_session(id)
  if is_text(id) and id ~= self.session then
    self.session = id
    self.on_session(id)
  end
end

---It says this: a `partial`.
function Turn:text(text)
  if is_text(text) then
    self.last = text
    if #text > TEXT then
      text = format("%s [%d bytes dropped]", sub(text, 1, TEXT), #text - TEXT)
    end
    return say_event(self, { type = "partial", chunk = { kind = "inline", value = text } })
  end
end

---Something that it does or waits for.
function Turn:progress(stage, note)
  note = is_text(note) and note or nil
  return say_event(self, { type = "progress", stage = stage, note = note })
end

---A tool begins. Told again under the same id it is the same.
function Turn:tool(name, id)
  name = is_text(name) and name or "?"
  if id ~= nil then
    if self.tools[id] then
      return
    end
    self.tools[id] = name
  end
  return self:progress("tool", name)
end

---A tool has ended.
function Turn:tool_ended(id, has_failed)
  local name = id ~= nil and self.tools[id]
  if name then
    self.tools[id] = nil
    return self:progress("tool", name .. (has_failed and " failed" or " done"))
  end
end

---It was not allowed what it asked for, and nobody was asked.
---@param why string? where it is not for its stream
function Turn:denied(name, id, why)
  name = is_text(name) and name or "?"
  if id == nil or not self.refusals[id] then
    self.refusals[id or name] = true
    self.on_denied(name, why)
    return self:progress("denied", name)
  end
end

local AMOUNTS = { "input", "output", "cached", "cost" }

local MAX_AMOUNT = 2 ^ 53 -- beyond that sums lose what is small

local function amount_of(value)
  return type(value) == "number" and value >= 0 and value < MAX_AMOUNT and value or 0
end

---Writes what was gathered of its use into the tail.
function Turn:flush_usage()
  local event = self.gathered
  if event then
    self.gathered, self.gathered_n = nil, 0
    event.type, event.tokens = "usage", (event.input or 0) + (event.output or 0)
    prices.put(self.prices, event)
    self.usages = self.usages + 1
    if self.stream.says then
      say.relay(self.ctx, event)
    end
  end
end

---Says what is more in one record of amounts than in another, and takes it over.
local function add_usage(self, amounts, told, model)
  local event = self.gathered
  for i = 1, #AMOUNTS do
    local name = AMOUNTS[i]
    local more = amount_of(amounts[name]) - (told[name] or 0)
    -- Only what the whole turn has used can turn out to be less than was told on the way.
    if more > 0 or (more < 0 and told == self.used_up) then
      event = event or {}
      event[name] = (event[name] or 0) + more
      told[name] = amount_of(amounts[name])
      if told ~= self.used_up then
        self.used_up[name] = (self.used_up[name] or 0) + more
      end
    end
  end
  if event then
    event.model = is_text(model) and model or self.model_told or event.model
    self.gathered, self.gathered_n = event, self.gathered_n + 1
    -- No usage of a tail's may go, and it holds so many events.
    local rounds = floor(self.usages / USAGES)
    if rounds == 0 or self.gathered_n >= GATHERED * 2 ^ (rounds - 1) then
      self:flush_usage()
    end
  end
end

---It has used this. Told again under the same id only what is more counts.
function Turn:used(amounts, id)
  local told = id ~= nil and self.messages[id]
  if not told then
    told = {}
    if id ~= nil then
      local place = self.messages_at % MESSAGES + 1
      self.messages[self.recent[place] or 0] = nil
      self.messages[id], self.recent[place], self.messages_at = told, id, place
    end
  end
  return add_usage(self, amounts, told, amounts.model)
end

---The turn has used this in all: what was not told yet counts.
function Turn:used_in_all(amounts)
  return add_usage(self, amounts, self.used_up, amounts.model)
end

-- What sessions have told that they have used, by their ids; of so many, the last ones.
local SESSIONS = 10000
local sums_of, told_sessions, told_at = {}, {}, 0

local function sums_of_session(id)
  local sums = sums_of[id]
  if not sums then
    told_at = told_at % SESSIONS + 1
    sums_of[told_sessions[told_at] or false] = nil
    sums = {}
    sums_of[id], told_sessions[told_at] = sums, id
  end
  return sums
end

---The whole session has used this. (Some tell of the turn alone, by the same name: sums of a
---session always grow.)
function Turn:used_in_session(amounts)
  local sums = sums_of_session(self.session or self)
  local grows = amount_of(amounts.input) > (sums.input or 0)
    and amount_of(amounts.output) > (sums.output or 0)
  if not grows then
    for i = 1, #AMOUNTS do
      sums[AMOUNTS[i]] = 0
    end
  end
  return add_usage(self, amounts, sums, amounts.model)
end

---The whole session has cost this. `is_told`: it is nothing of this turn's.
function Turn:cost_in_session(cost, is_told)
  local sums = sums_of_session(self.session or self)
  if is_told or cost < (sums.cost or 0) then
    sums.cost = is_told and cost or 0 -- it counts from the start again
  end
  return not is_told and add_usage(self, { cost = cost }, sums)
end

---The answer, which ends the turn; nil takes it back.
---@param value any
---@param reason string? why it is blocked
function Turn:answer(value, reason)
  if value == null then
    value = nil
  end
  self.answered, self.refusal = value, is_text(reason) and reason or nil
  self.stream.final = value ~= nil and self or nil -- it may linger from here on
end

---The turn has failed. `is_limit`: for a usage limit, also where the text does not say so.
function Turn:failed(reason, is_limit, retry_at)
  self.problem = is_text(reason) and reason or "it said that it failed"
  self.answered = nil
  self.stream.final = self -- and so it is over
  if is_limit or limits.speaks_of(self.problem) then
    self.limit = self.limit or limits.over_at(retry_at, self.problem, clock.wall())
  end
end

---A usage limit was met. The turn may come to an answer all the same.
function Turn:limited(retry_at)
  self.limit = limits.over_at(retry_at, nil, clock.wall())
  return self:progress("limited", "until " .. tostring(floor(self.limit)))
end

---A message that is no end; where the turn comes to none, it is why.
function Turn:remark(text)
  if is_text(text) then
    self.said_why = text
    return self:progress("warning", text)
  end
end

---An item, or a part of it, that the mapper does not know.
function Turn:unknown(name)
  name = sub(tostring(name), 1, 60)
  if not self.skipped[name] then
    self.kinds_skipped = self.kinds_skipped + 1
    name = self.kinds_skipped > NAMES and "others" or name
  end
  self.skipped[name] = (self.skipped[name] or 0) + 1
end

---An item of its stream. Called by the stream, in the worker's coroutine.
function Turn:item(item)
  local agent = self.agent
  if type(item) ~= "table" then
    return self:unknown(type(item))
  end
  if self.session_key and item[self.session_key] ~= self.session then
    self:in_session(item[self.session_key])
  end
  local name = item[agent.type]
  local handle = agent.on[name]
  if handle then
    if agent.is_own then
      return handle(self, item) -- an author's mistake is his to see
    end
    local ok, err = pcall(handle, self, item)
    if not ok then
      if self.is_cancelled() then
        return error(err, 0)
      end
      self:unknown(tostring(name) .. ", of another form")
    end
  elseif handle == nil then
    return self:unknown(name)
  end
end

---What was skipped, as text, or nil.
---@return string? list, table names
function Turn:skips()
  local names = {}
  for name, count in pairs(self.skipped) do
    names[#names + 1] = count > 1 and format("%s (%d)", name, count) or name
  end
  sort(names)
  return names[1] and concat(names, ", ") or nil
end

-- The end -----------------------------------------------------------------------------------------

---The end of what it said last.
---@return string?
function Turn:last_words()
  return self.last and words.last(self.last)
end

---The error of a turn that came to no answer.
function Turn:error(reason)
  local fields = { session = self.session, last = self:last_words() }
  reason = words.reason(reason)
  if self.limit then
    fields.retry_at = self.limit
    local message = "%s: agent %s met a usage limit: %s"
    return errors.new("limited", format(message, self.who, self.agent.name, reason), fields)
  end
  fields.reason = reason
  local text = format("%s: agent %s failed: %s", self.who, self.agent.name, reason)
  if self.agent.login and words.speak_of_login(reason) then
    text = text .. " (to log in: " .. self.agent.login .. ")"
  end
  return errors.new("agent_failed", text, fields)
end

---What the turn came to.
---@param ended table how its program ended
---@param stderr string
---@return any answer nil: there is none
---@return table? err
function Turn:outcome(ended, stderr)
  local exit = { exit_code = ended.exit_code, signal = ended.signal, stderr = stderr }
  if self.agent.ended then
    self.agent.ended(self, exit)
  end
  if self.problem then
    return nil, self:error(self.problem)
  end
  local how = not ended.lingered and ended.exit_code ~= 0 and output.how_it_ended(ended, stderr)
  if self.answered ~= nil and not how then
    return self.answered
  end
  local reason = self.said_why
  if how then
    reason = reason and how .. "; " .. reason or how
  else
    reason = "it ended without an answer" .. (reason and ": " .. reason or "")
  end
  local remarks = self.answered == nil and self.stream:remarks()
  if not self.limit and limits.speaks_of(reason) then
    self.limit = limits.over_at(nil, reason, clock.wall())
  end
  return nil, self:error(reason .. (remarks and "; of what it wrote " .. remarks or ""))
end

local turn = {}

---@param of table { agent, who, ctx, session, model, permissions, max_turns, schema, budget,
---prices, on_session, on_denied, is_cancelled }
---@return table
function turn.new(of)
  of.stream = nil -- where its items come from, and events go
  of.session_key = of.agent.session_key
  of.tools = {} -- id → name, of those that run
  of.messages = {} -- id → amounts told
  of.recent = {} -- the ids of these, in a ring
  of.messages_at = 0 -- the place in it that was filled last
  of.refusals = {} -- id → true
  of.used_up = {} -- amounts of the turn
  of.usages = 0 -- events of use
  of.gathered = nil -- the next one, with what was told since the last
  of.gathered_n = 0 -- how often
  of.skipped = {} -- type → how often
  of.kinds_skipped = 0
  of.answered = nil
  of.refusal = nil -- why its answer is blocked
  of.problem = nil -- why it failed
  of.limit = nil -- when a usage limit is over
  of.said_why = nil -- the last remark
  of.last = nil -- what it said last
  return setmetatable(of, Turn)
end

return turn
