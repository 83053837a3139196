-- Codex. A plain table as `swarm.agent "mine" { … }` takes it: copy it and change it.

local SANDBOX = {
  ask = "read-only", -- it asks nobody
  read = "read-only",
  edit = "workspace-write",
  all = "danger-full-access",
}

---What an item that is a tool is called.
local TOOLS = {
  command_execution = function()
    return "shell"
  end,
  file_change = function()
    return "file_change"
  end,
  mcp_tool_call = function(item)
    return item.tool
  end,
  web_search = function()
    return "web_search"
  end,
}
local SILENT = { reasoning = true, todo_list = true, error = true }

local on = {}

on["thread.started"] = function(turn, item)
  turn:in_session(item.thread_id)
end

on["item.started"] = function(turn, event)
  local name = TOOLS[event.item.type]
  if name then
    turn:tool(name(event.item), event.item.id)
  end
end

on["item.completed"] = function(turn, event)
  local item = event.item
  local name = TOOLS[item.type]
  if item.type == "agent_message" then
    turn.said = item.text
    turn:text(item.text)
  elseif name then
    turn:tool(name(item), item.id) -- some are told of at their end alone
    turn:tool_ended(item.id, item.status == "failed" or item.status == "declined")
  elseif item.type == "error" then
    turn:progress("warning", item.message) -- it goes on after it
  elseif not SILENT[item.type] then
    turn:unknown("item " .. tostring(item.type))
  end
end

on["turn.completed"] = function(turn, event)
  local usage = event.usage
  if type(usage) == "table" then
    turn:used_in_session { -- the sums of its thread from the start, resumed or not
      input = usage.input_tokens, -- those out of a cache are among them
      output = usage.output_tokens, -- and here those of reasoning
      cached = usage.cached_input_tokens,
    }
  end
  turn:answer(turn.said)
end

on["turn.failed"] = function(turn, event)
  turn:failed(event.error.message)
end

-- It may be a remark on the way, such as "reconnecting": turn.failed says whether it was the end.
on.error = function(turn, event)
  turn:remark(event.message)
end

on["turn.started"] = false
on["item.updated"] = false

return {
  install = "npm install -g @openai/codex",
  login = "run codex login, or set CODEX_API_KEY",
  inherit_env = { "CODEX_*", "OPENAI_*", "AZURE_OPENAI_*" },
  cost = false, -- it tells tokens alone
  options = { "model", "permissions", "session", "schema" },

  command = function(turn)
    local list = { "codex", "exec", "--json", "--sandbox", SANDBOX[turn.permissions] }
    if turn.model then
      list[#list + 1] = "--model"
      list[#list + 1] = turn.model
    end
    if turn.schema then
      list[#list + 1] = "--output-schema"
      list[#list + 1] = "{schema_file}"
    end
    list[#list + 1] = "{args}"
    if turn.session then
      list[#list + 1] = "resume"
      list[#list + 1] = turn.session
    end
    return list
  end,
  on = on,
}
