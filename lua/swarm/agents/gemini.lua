-- Gemini CLI, and those of its family such as Qwen Code. A plain table, as
-- `swarm.agent "mine" { … }` takes it: copy it and change it.

local MODES = { edit = "auto_edit", all = "yolo" } -- else what would have to ask is denied
local TURN_LIMIT, INPUT = 53, 42 -- exit statuses

local on = {}

function on.init(turn, item)
  turn:in_session(item.session_id)
  turn.model_told = item.model
end

function on.message(turn, item)
  if item.role == "assistant" and type(item.content) == "string" then
    turn.pieces = turn.pieces or {}
    turn.pieces[#turn.pieces + 1] = item.content
    turn:text(item.content)
  end
end

function on.tool_use(turn, item)
  turn:tool(item.tool_name, item.tool_id)
end

function on.tool_result(turn, item)
  turn:tool_ended(item.tool_id, item.status == "error")
end

function on.error(turn, item)
  if item.severity == "error" then
    turn.error_told = item.message -- at the turn limit the result is a success all the same
  end
  turn:remark(item.message)
end

function on.result(turn, item)
  local stats = item.stats
  if type(stats) == "table" then
    local function amount(name)
      return type(stats[name]) == "number" and stats[name] or 0
    end
    local input = amount "input_tokens"
    turn:used {
      input = input,
      -- The total has thoughts and tools besides.
      output = math.max(amount "output_tokens", amount "total_tokens" - input),
      cached = stats.cached,
      model = turn.model_told,
    }
  end
  if item.status == "success" and not turn.error_told then
    return turn:answer(turn.pieces and table.concat(turn.pieces))
  end
  local problem = item.error
  local told = type(problem) == "table" and problem.message or problem
  turn:failed(type(told) == "string" and told or turn.error_told or "its result is no success")
end

return {
  install = "npm install -g @google/gemini-cli",
  login = "run gemini and log in, or set GEMINI_API_KEY",
  inherit_env = { "GEMINI_*", "GOOGLE_*" },
  cost = false, -- it tells tokens alone
  options = { "model", "permissions", "session" },

  command = function(turn)
    local list = { "gemini", "--output-format", "stream-json" }
    local function add(option, value)
      if value then
        list[#list + 1] = option
        list[#list + 1] = value
      end
    end
    add("--model", turn.model)
    add("--approval-mode", MODES[turn.permissions])
    add("--resume", turn.session)
    return list
  end,
  on = on,
  acp = {
    options = { "model" },
    command = function(turn)
      local list = { "gemini", "--acp" }
      if turn.model then
        list[#list + 1] = "--model"
        list[#list + 1] = turn.model
      end
      return list
    end,
  },

  ended = function(turn, exit)
    if exit.exit_code == TURN_LIMIT then
      turn:failed(turn.error_told or "it reached its turn limit")
    elseif exit.exit_code == INPUT then
      turn:failed "it refused its input (exit code 42)"
    end
  end,
}
