-- main_ai: what the script gave to swarm.spawn_hook, around each attempt whose operator is of kind
-- main_ai or composite (layers/spawn_hooks.lua says of which).
local options = require "swarm.layers.options"
local raised = require "swarm.ground.raised"
local debug_getmetatable, error, xpcall = debug.getmetatable, error, xpcall

local function hook_of(ctx)
  return debug_getmetatable(ctx).def.generation.spawn_hook
end

return {
  options = options.of {},

  before = function(ctx)
    local before = hook_of(ctx).before
    if before then
      before(ctx) -- what it returns is no input
    end
  end,

  around = function(ctx, following)
    local after = hook_of(ctx).after
    if not after then
      return following()
    end
    local ok, result = xpcall(following, raised.from_raised)
    if ok then
      after(ctx, result.value, true)
      return result
    end
    after(ctx, raised.crossing(result), false)
    return error(result, 0)
  end,
}
