-- What an agent asks for over ACP, put before people: a question of kind `approval`, among all
-- others of the run. Its choices are the agent's own options, by their names.
local approvals = require "swarm.people.approvals"
local ask = require "swarm.outside.ask"
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local options = require "swarm.outside.agent.options"
local questions = require "swarm.people.questions"
local S = require "swarm.scheduler.scheduler"
local words = require "swarm.outside.agent.words"
local error, format, pcall, sub = error, string.format, pcall, string.sub

local asked = {}

local MOST_ARGUMENTS = 16384 -- bytes that are put beside a question
local DENY = "Deny" -- where the agent offers nothing that says so

---The texts of an agent's options, each once.
---@return string[] texts
---@return table by_text text → option, or false: none
local function choices_of(list)
  local texts, by_text, denies = {}, {}, false
  for i = 1, #list do
    local option = list[i]
    local text = option.name ~= "" and option.name or option.kind
    while by_text[text] ~= nil do
      text = format("%s (%s)", text, option.optionId)
    end
    texts[i], by_text[text] = text, option
    denies = denies or options.denies(option)
  end
  if not denies then
    local text = DENY
    while by_text[text] ~= nil do
      text = text .. "!"
    end
    texts[#texts + 1], by_text[text] = text, false
  end
  return texts, by_text
end

---The text of an option.
local function text_of(texts, by_text, option)
  for i = 1, #texts do
    if by_text[texts[i]] == (option or false) then
      return texts[i]
    end
  end
end

---What sees that an answer is one: one of the choices, an option's id or kind, "allow" or "deny".
local function checking(list, texts, by_text)
  local one_of = questions.one_of(texts)
  return function(value)
    if by_text[value] ~= nil then
      return value
    end
    local option = options.named(list, value)
    if value == "allow" then
      option = options.of_kinds(list, options.ALLOWS)
    elseif value == "deny" then
      option = options.of_kinds(list, options.DENIES) or false
    end
    return option ~= nil and text_of(texts, by_text, option) or one_of(value)
  end
end

---What a tool is called with, as far as it can be looked at.
local function arguments_of(call)
  local text = call.rawInput
  if not text then
    return nil
  elseif #text > MOST_ARGUMENTS then
    return format("%s ... (%d bytes)", sub(text, 1, MOST_ARGUMENTS), #text)
  end
  local ok, arguments = pcall(json.decode, text)
  return ok and arguments or text
end

---Puts it before people, and waits.
---@return table? answer nil: the agent is not there any more
local function put(talk, about)
  local task, request = S.current.task, talk.request
  local gone = errors.new("agent_failed", "the agent has ended")
  request.on_done = function()
    approvals.forsake(task, gone)
  end
  local ok, answer = pcall(ask.put, about)
  request.on_done = nil
  if ok then
    return answer
  elseif answer ~= gone then
    return error(answer, 0)
  end
end

---What was decided before: for the task, or for always.
local function decided(task, params, tool, by_text)
  local digest = params.toolCall.digest
  local answer = digest and approvals.answer(task, digest, by_text)
  if answer then
    return by_text[answer.value], answer
  end
  local always = approvals.always(task.def.name, tool)
  if always then
    local kinds = always.allowed and { "allow_always", "allow_once" }
      or { "reject_always", "reject_once" }
    local option = options.of_kinds(params.options, kinds)
    return option or (always.allowed and nil), always
  end
end

---The option that people choose, or have chosen before.
---@param talk table
---@param params table of the request
---@param tool string
---@return table|false|nil option false: none of them; nil: the agent is not there any more
function asked.of_people(talk, params, tool)
  local task, call, turn = S.current.task, params.toolCall, talk.turn
  local texts, by_text = choices_of(params.options)
  local option, answer = decided(task, params, tool, by_text)
  if option == nil then
    answer = put(talk, {
      question = format("agent %s asks to use %s", talk.plan.agent.name, words.reason(tool)),
      to = "main",
      kind = "approval",
      choices = texts,
      show = call.changes,
      details = {
        tool = tool,
        kind = call.kind,
        arguments = arguments_of(call),
        digest = call.digest,
      },
      n = call.digest and approvals.place(call.digest),
      check = checking(params.options, texts, by_text),
    })
    if not answer then
      return nil
    end
    option = by_text[answer.value]
    if call.digest then
      approvals.keep(task, call.digest, answer)
    end
  end
  if option and (option.kind == "allow_always" or option.kind == "reject_always") then
    approvals.decide(task, tool, not options.denies(option), answer)
  end
  local note = format("%s by %s", tool, answer.by or answer.via)
  note = answer.reason and note .. ": " .. answer.reason or note
  turn:progress(options.denies(option) and "denied" or "allowed", note)
  return option
end

return asked
