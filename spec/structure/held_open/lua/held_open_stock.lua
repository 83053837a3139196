-- The workers and words that several specs of this chapter share.
local notes = require "notes"
local outcomes = require "outcomes"
local swarm = require "swarm"

local note = notes.note
local code_of = outcomes.code_of

-- Does what its input says.
swarm.worker "unit" {
  run = function(ctx, input)
    input = input or {}
    note("+" .. (input.name or "?"))
    ctx:progress("doing", input.name)
    ctx.state.count = (ctx.state.count or 0) + 1
    local ok, err = pcall(swarm.sleep, input.seconds or 0)
    note((ok and "-" or "x") .. (input.name or "?"))
    if not ok then
      swarm.shield(function()
        swarm.sleep(input.clean or 0)
      end)
      error(err, 0)
    elseif input.fail then
      error { code = "broke" }
    elseif input.block then
      return "half", "not enough"
    end
    return ctx.state.count
  end,
}

swarm.worker "identity" {
  run = function(ctx)
    return { id = ctx.id, task_id = ctx.task_id, name = ctx.name, who = ctx.meta.who }
  end,
}

swarm.worker "itself" {
  run = function(_, input)
    if input.how == "invoke" then
      return input.held:invoke(input)
    elseif input.how == "child" then
      return swarm.call(function(_, held)
        return held:invoke {}
      end, input.held)
    elseif input.how == "other" then
      return input.other:invoke { how = "invoke", held = input.held }
    elseif input.how == "detached" then
      local h = swarm.spawn(function(_, held)
        return held:invoke {}
      end, input.held, { detached = true })
      return h:result()
    elseif input.how == "join" then
      swarm.sleep(1)
      return input.invoker.h:recv():result()
    elseif input.how == "close" then
      return input.held:close()
    elseif input.how == "cancel" then
      swarm.cancel(input.held, "from inside")
      swarm.sleep(1e6)
    end
    return "done"
  end,
}

---The code that an invocation raises.
---@param s swarm.HeldOpen
---@param input? any
---@return string
local function invoke_code(s, input)
  return code_of(s.invoke, s, input)
end

---A worker that invokes, and notes how that went. It has called when this returns.
---@param s swarm.HeldOpen
---@param input table
---@return swarm.Handle
local function invoker(s, input)
  local h = swarm.spawn(function()
    local ok, value = pcall(s.invoke, s, input)
    note((input.name or "?") .. "=" .. tostring(ok and value or value.code))
    if not ok and value.code == "cancelled" then
      error(value, 0)
    end
  end)
  swarm.yield()
  return h
end

return {
  invoke_code = invoke_code,
  invoker = invoker,
}
