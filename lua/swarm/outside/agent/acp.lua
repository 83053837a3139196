-- A conversation with an agent over ACP, the Agent Client Protocol: its program is held open, a
-- prompt goes in and an answer comes out for each turn of its session. What comes is checked by the
-- host (ports/process/acp), which passes on whole messages of known forms; what they mean is said
-- here, by the calls that mappers of streams have too.
local attempt = require "swarm.outside.process.attempt"
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local child = require "swarm.outside.process.child"
local json = require "swarm.values.json"
local requests = require "swarm.outside.agent.requests"
local S = require "swarm.scheduler.scheduler"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local worktree = require "swarm.outside.worktree"
local concat, format, max, sub = table.concat, string.format, math.max, string.sub
local setmetatable = setmetatable

local VERSION = 1
local LAST = 2000 -- bytes of what it said last that are kept for errors
local INPUT = { input = true }

local acp = {}

local Talk = {}
Talk.__index = Talk

-- What it says ------------------------------------------------------------------------------------

local updates = {}

---Its answer is what it says last: what it says before it uses a tool is on the way to that.
function updates.agent_message_chunk(self, turn, update)
  local content = update.content
  if content.type ~= "text" then
    return turn:unknown("content " .. content.type)
  elseif self.used_tool and (update.messageId == nil or update.messageId ~= self.message) then
    self.pieces = {}
  end
  self.used_tool, self.message = false, update.messageId
  self.pieces[#self.pieces + 1] = content.text
  local last = sub((turn.last or "") .. content.text, -LAST)
  turn:text(content.text)
  turn.last = last -- of all its pieces
end

local ENDED = { completed = true, failed = true }

function updates.tool_call(self, turn, update)
  local id, status = update.toolCallId, update.status
  if self.ended[id] then
    return -- what it came to is told in pieces
  elseif not turn.tools[id] then
    self.used_tool = true
    turn:tool(update.title, id)
  end
  if ENDED[status] then
    self.ended[id] = true
    return turn:tool_ended(id, status == "failed")
  end
end
updates.tool_call_update = updates.tool_call

function updates.plan(_, turn, update)
  local entries, done, current = update.entries, 0, nil
  for i = 1, #entries do
    if entries[i].status == "completed" then
      done = done + 1
    elseif entries[i].status == "in_progress" then
      current = current or entries[i].content
    end
  end
  local note = format("%d of %d done", done, #entries)
  return turn:progress("plan", current and note .. ": " .. current or note)
end

---What the session has cost in all; what it tells of tokens is how full its context is.
function updates.usage_update(self, turn, update)
  local cost = update.cost
  if cost and cost.currency == "USD" then
    return turn:cost_in_session(cost.amount, self.replays)
  elseif cost then
    return turn:unknown("a cost in " .. cost.currency)
  end
end

---What says nothing here.
local SILENT = {
  user_message_chunk = true,
  agent_thought_chunk = true,
  available_commands_update = true,
  current_mode_update = true,
  config_option_update = true,
  session_info_update = true,
}

local function update_of(self, turn, params)
  local update = params.update
  local kind = update.sessionUpdate
  local take = updates[kind]
  if params.sessionId ~= self.session then
    return self.session and turn:unknown "session/update of another session"
  elseif self.replays and kind ~= "usage_update" then
    return -- a session that is loaded is told again
  elseif take then
    return take(self, turn, update)
  elseif not SILENT[kind] then
    return turn:unknown("session/update " .. kind)
  end
end

---A message of its. Called by the stream, in the worker's coroutine.
function Talk:item(message)
  local turn = self.turn
  if message.skipped then
    return turn:unknown(message.skipped)
  elseif not message.method and not message.failed then
    self.answer = message
  elseif message.method == "session/update" then
    return update_of(self, turn, message.params)
  else
    return requests.take(self, message)
  end
end

-- What is said to it ------------------------------------------------------------------------------

---Sends it a message.
function Talk:send(message)
  return bridge.tell(self.request, INPUT, (json.encode(message, "message", true)))
end

---Asks it something, and takes what it says until it answers.
---@param method string
---@param params table
---@return table? result, table? err, table? ended how its program ended before, string? stderr
function Talk:ask(method, params)
  local me, request = S.current, self.request
  self.asked, self.answer = self.asked + 1, nil
  self:send { id = self.asked, method = method, params = params }
  local waited = bridge.wait(me, request, function()
    return self.answer ~= nil
  end)
  if not waited then
    return waiting.barred "an agent's turn"
  end
  cancelling.may_request(me)
  local answer = self.answer
  if answer then
    return answer.result, answer.error
  end
  local ended, _, stderr = bridge.answer(me, request, "run_process")
  return nil, nil, ended, stderr
end

---Starts its program. What is offered is what the worker may do itself.
---@return boolean ready, table? ended, string? stderr
local function start(self, turn, order)
  local folder, rights = worktree.folder(S.current.task, order.folder), S.current.rights
  order.folder, order.feeds = folder, true
  order.acp = { start = self.plan.agent.start_timeout, idle = self.plan.process.idle }
  order.on_out = function(blob)
    return self.turn and self.turn.stream:take(blob)
  end
  order.on_err = function(lines)
    return self.turn and attempt.tell_err(self.turn.ctx, lines)
  end
  self.cwd = folder and concat(folder) or "."
  self.request, self.session = child.open(order), nil
  local found, err, ended, stderr = self:ask("initialize", {
    protocolVersion = VERSION,
    clientCapabilities = {
      fs = { readTextFile = rights.read_files ~= nil, writeTextFile = rights.write_files ~= nil },
      terminal = rights.run_process ~= nil,
    },
  })
  if err then
    turn:failed(err.message)
  elseif found and found.protocolVersion ~= VERSION then
    local text = "it speaks version %s of ACP, and the host version %d"
    turn:failed(format(text, found.protocolVersion, VERSION))
  elseif found then
    self.can = found.agentCapabilities or {}
    return true
  end
  return false, ended, stderr
end

local NOT_FOUND = -32002

---Begins its session, or goes on in one.
---@return boolean ready, table? ended, string? stderr
local function begin(self, turn)
  local id, can = turn.session, self.can
  local params = { cwd = self.cwd, mcpServers = values.array {}, sessionId = id }
  local method = "session/new"
  if id then
    local resumes = can.sessionCapabilities and can.sessionCapabilities.resume
    method = resumes and "session/resume" or can.loadSession and "session/load"
    if not method then
      turn:failed("session not found: it cannot take up a session, such as " .. id)
      return false
    end
    self.session, self.replays = id, true
  end
  local found, err, ended, stderr = self:ask(method, params)
  self.replays = false
  if found then
    self.session = id or found.sessionId
    return true
  end
  self.session = nil
  if err then
    turn:failed((id and err.code == NOT_FOUND and "session not found: " or "") .. err.message)
  end
  return false, ended, stderr
end

-- Turns -------------------------------------------------------------------------------------------

---Tokens of a turn. Some count what came out of a cache among what went in, and some beside it; the
---total tells, and has what was used for reasoning.
local function used(turn, usage)
  local cached, total = usage.cachedReadTokens or 0, usage.totalTokens
  local input = usage.inputTokens + cached + (usage.cachedWriteTokens or 0)
  if input + usage.outputTokens > total then
    input = usage.inputTokens
  end
  return turn:used_in_all {
    input = input,
    output = max(usage.outputTokens, total - input),
    cached = cached,
    cost = turn.used_up.cost, -- that is told elsewhere
  }
end

-- Why a turn has come to no answer.
local STOPS = {
  max_tokens = "it reached its limit of tokens",
  max_turn_requests = "it reached its turn limit",
  refusal = "it refused",
  cancelled = "it says that it was cancelled",
}

---One turn: a prompt, to its answer.
---@param turn table
---@param text string
---@param order function what makes the order for its program, where that must be started
---@return table ended, string stdout, string stderr as of a child that was run
function Talk:prompt(turn, text, order)
  self.turn, self.pieces, self.used_tool, self.ended = turn, {}, false, {}
  local ready, ended, stderr = true, nil, nil
  if not self.request or self.request.done then
    turn.session = turn.session or self.session
    ready, ended, stderr = start(self, turn, order())
  end
  if ready and not self.session then
    ready, ended, stderr = begin(self, turn)
  end
  if ready then
    turn:in_session(self.session)
    local params = { sessionId = self.session, prompt = { { type = "text", text = text } } }
    local found, err
    found, err, ended, stderr = self:ask("session/prompt", params)
    if err then
      turn:failed(err.message)
    elseif found then
      if found.usage then
        used(turn, found.usage)
      end
      if found.stopReason == "end_turn" then
        turn:answer(self.pieces[1] and concat(self.pieces))
      else
        turn:failed(STOPS[found.stopReason])
      end
    end
  end
  return ended or { exit_code = 0 }, "", stderr or ""
end

---Lets its program see the end of its input, and waits for its end.
function Talk:close()
  local request = self.request
  self.turn = nil
  if request and not request.done then
    bridge.tell(request, { close = true })
    bridge.tell(request, { final = true })
    bridge.wait(S.current, request)
  end
end

---@param plan table
---@return table
function acp.new(plan)
  return setmetatable({
    plan = plan,
    request = nil, -- for its program
    cwd = nil, -- where that runs
    can = nil, -- its capabilities
    session = nil,
    replays = false, -- a session is being loaded
    turn = nil, -- the one that is being taken
    asked = 0, -- requests, whose ids these are
    answer = nil, -- to the last one
    pieces = nil, -- what it says in this turn, since it used a tool
    message = nil, -- the id of the last message
    used_tool = false,
    ended = nil, -- id → true, of tools
  }, Talk)
end

return acp
