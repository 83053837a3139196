-- Claude Code. A plain table as `swarm.agent "mine" { … }` takes it: copy it and change it.

---Tokens as messages of the API tell them: what came out of a cache, or went into one, is apart.
local function tokens_of(usage)
  local function amount(name)
    return type(usage[name]) == "number" and usage[name] or 0
  end
  local cached = amount "cache_read_input_tokens"
  return {
    input = amount "input_tokens" + cached + amount "cache_creation_input_tokens",
    output = amount "output_tokens",
    cached = cached,
  }
end

---What all models have used, subagents' too: `usage` is the main loop's alone.
local function sum_of(models)
  local sum = { input = 0, output = 0, cached = 0, cost = 0 }
  for _, usage in pairs(models) do
    local function amount(name)
      return type(usage[name]) == "number" and usage[name] or 0
    end
    local cached = amount "cacheReadInputTokens"
    sum.input = sum.input + amount "inputTokens" + cached + amount "cacheCreationInputTokens"
    sum.output = sum.output + amount "outputTokens"
    sum.cached = sum.cached + cached
    sum.cost = sum.cost + amount "costUSD"
  end
  return sum
end

local MODES = { ask = "default", read = "plan", edit = "acceptEdits", all = "bypassPermissions" }

-- What a result says that is none.
local FAILURES = {
  error_max_turns = "it reached its turn limit",
  error_max_budget_usd = "it reached its cap of cost",
  error_max_structured_output_retries = "it found no answer that fits the schema",
}

-- What of the system's items says nothing here.
local SILENT = { compact_boundary = true, status = true, hook_started = true, hook_response = true }

local on = {}

function on.system(turn, item)
  if item.subtype == "init" then
    turn:in_session(item.session_id)
    turn.model_told = item.model
  elseif item.subtype == "api_retry" then
    turn:progress("retry", "the API answered " .. tostring(item.error_status))
  elseif item.subtype == "permission_denied" then
    turn:denied(item.tool_name, item.tool_use_id)
  elseif not SILENT[item.subtype] then
    turn:unknown("system " .. tostring(item.subtype))
  end
end

function on.assistant(turn, item)
  local message, blocks = item.message, item.message.content
  local is_main = type(item.parent_tool_use_id) ~= "string" -- else it is a subagent's
  for i = 1, #blocks do
    local block = blocks[i]
    if block.type == "text" and is_main then
      turn:text(block.text)
    elseif block.type == "tool_use" then
      turn:tool(block.name, block.id)
    end
  end
  if type(message.usage) == "table" then
    turn:used(tokens_of(message.usage), message.id) -- it comes in pieces, each with the whole
  end
end

function on.user(turn, item)
  local blocks = item.message.content
  for i = 1, type(blocks) == "table" and #blocks or 0 do
    if blocks[i].type == "tool_result" then
      turn:tool_ended(blocks[i].tool_use_id, blocks[i].is_error == true)
    end
  end
end

function on.rate_limit_event(turn, item)
  if item.rate_limit_info.status == "rejected" then
    turn:limited(item.rate_limit_info.resetsAt)
  end
end

function on.result(turn, item)
  turn:in_session(item.session_id)
  local sum = type(item.modelUsage) == "table" and next(item.modelUsage) and sum_of(item.modelUsage)
    or type(item.usage) == "table" and tokens_of(item.usage)
  if sum then
    sum.cost = type(item.total_cost_usd) == "number" and item.total_cost_usd or sum.cost
    sum.model = turn.model_told
    turn:used_in_all(sum)
  end
  for i = 1, type(item.permission_denials) == "table" and #item.permission_denials or 0 do
    turn:denied(item.permission_denials[i].tool_name, item.permission_denials[i].tool_use_id)
  end
  if item.subtype == "success" and item.is_error ~= true then
    local structured = item.structured_output
    if turn.schema and structured ~= nil and type(structured) ~= "userdata" then -- which is null
      return turn:answer(structured)
    end
    return turn:answer(item.result)
  end
  local told = type(item.errors) == "table" and item.errors[1] or item.result
  local reason = type(told) == "string" and told ~= "" and told or tostring(item.subtype)
  turn:failed(FAILURES[item.subtype] or reason, item.api_error_status == 429)
end

on.stream_event = false -- pieces of what comes whole

return {
  install = "npm install -g @anthropic-ai/claude-code",
  login = "run claude and log in, or set ANTHROPIC_API_KEY",
  inherit_env = { "ANTHROPIC_*", "CLAUDE_*", "AWS_*", "GOOGLE_*", "CLOUD_ML_REGION" },
  options = { "model", "permissions", "session", "max_turns", "schema" },

  command = function(turn)
    local list = { "claude", "-p", "--output-format", "stream-json", "--verbose" }
    local function add(option, value)
      if value then
        list[#list + 1] = option
        list[#list + 1] = tostring(value)
      end
    end
    add("--model", turn.model)
    add("--permission-mode", MODES[turn.permissions])
    add("--max-turns", turn.max_turns)
    add("--json-schema", turn.schema)
    add("--max-budget-usd", turn.budget and turn.budget.cost)
    if turn.session then
      list[#list + 1] = "--resume=" .. turn.session
    end
    return list
  end,
  on = on,
}
