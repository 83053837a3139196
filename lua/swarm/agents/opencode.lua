-- opencode. A plain table as `swarm.agent "mine" { … }` takes it: copy it and change it.

local on = {}

function on.step_start(turn)
  turn.pieces = {}
  turn:answer(nil) -- what a step before it said was not the last word
end

function on.text(turn, item)
  local text = item.part.text
  if type(text) == "string" then
    turn.pieces = turn.pieces or {}
    turn.pieces[#turn.pieces + 1] = text
    turn:text(text)
  end
end

function on.tool_use(turn, item)
  local part = item.part
  turn:tool(part.tool, part.callID)
  turn:tool_ended(part.callID, part.state.status == "error")
end

function on.step_finish(turn, item)
  local part = item.part
  local tokens = part.tokens
  if type(tokens) == "table" then
    local cache = type(tokens.cache) == "table" and tokens.cache or {}
    local function amount(of, name)
      return type(of[name]) == "number" and of[name] or 0
    end
    local cached = amount(cache, "read")
    turn:used {
      input = amount(tokens, "input") + cached + amount(cache, "write"),
      output = amount(tokens, "output") + amount(tokens, "reasoning"),
      cached = cached,
      cost = part.cost,
    }
  end
  if part.reason ~= "tool-calls" then
    turn:answer(turn.pieces and turn.pieces[1] and table.concat(turn.pieces))
  end
end

function on.error(turn, item)
  local problem = item.error
  local data = type(problem) == "table" and type(problem.data) == "table" and problem.data or {}
  local told = data.message
    or type(problem) == "table" and (problem.message or problem.name)
    or problem
  local headers = type(data.responseHeaders) == "table" and data.responseHeaders or {}
  local is_limit = data.statusCode == 429
  turn:failed(type(told) == "string" and told or "an error", is_limit, headers["retry-after"])
end

function on.done(turn, item)
  for i = 1, type(item.rejected) == "table" and #item.rejected or 0 do
    local rejected = item.rejected[i]
    local name = type(rejected) == "table" and (rejected.tool or rejected.permission) or rejected
    turn:denied(name, i)
  end
end

on.reasoning = false

return {
  install = "npm install -g opencode-ai",
  login = "run opencode auth login",
  inherit_env = { "OPENCODE_*", "ANTHROPIC_*", "OPENAI_*", "GEMINI_*", "GOOGLE_*", "OPENROUTER_*" },
  options = { "model", "permissions", "session" },
  session_key = "sessionID", -- in every line

  command = function(turn)
    local list = { "opencode", "run", "--format", "json" }
    local function add(option, value)
      if value then
        list[#list + 1] = option
        list[#list + 1] = value
      end
    end
    add("--model", turn.model)
    add("--session", turn.session)
    add("--agent", turn.permissions == "read" and "plan")
    if turn.permissions == "all" then
      list[#list + 1] = "--auto"
    end
    return list
  end,
  on = on,
  acp = { command = { "opencode", "acp" } },
}
