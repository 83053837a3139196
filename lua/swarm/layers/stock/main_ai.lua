-- main_ai: what the script gave to swarm.spawn_hook, around each attempt whose operator is of kind
-- main_ai or composite (layers/spawn_hooks.lua says of which).
local options = require "swarm.layers.options"
local raised = require "swarm.ground.raised"
local debug_getmetatable, error, xpcall = debug.getmetatable, error, xpcall
local setmetatable = setmetatable

local function hook_of(ctx)
  return debug_getmetatable(ctx).def.generation.spawn_hook
end

local asking = setmetatable({}, { __mode = "k" }) -- task → true: `before` has not let it through

return {
  options = options.of {},

  before = function(ctx)
    local before, task = hook_of(ctx).before, debug_getmetatable(ctx)
    if before then
      asking[task] = true
      before(ctx) -- what it returns is no input
      asking[task] = nil
    end
  end,

  around = function(ctx, following)
    local after, task = hook_of(ctx).after, debug_getmetatable(ctx)
    if not after then
      return following()
    end
    asking[task] = nil -- of an earlier attempt
    local ok, result = xpcall(following, raised.from_raised)
    if ok then
      after(ctx, result.value, true)
      return result
    end
    if not asking[task] then
      after(ctx, raised.crossing(result), false)
    end
    return error(result, 0)
  end,
}
