-- The words of workflow scripts elsewhere, on ours: copy this file beside your script, and write
-- `local flow = require "flow"`. survey.lua uses it; spec/kinds/workflows.md has a table of words.
local flow = {}

local current -- the phase's title

swarm.pool "flow" { slots = 16, park = true } -- so many agents at once; a usage limit is waited out

---Defines an agent, at the top of a script: `local ask = flow.agent("ask", { schema = … })`. Then
---`ask(prompt, { label = …, phase = … })` is its answer, or raises.
function flow.agent(name, of)
  swarm.worker(name) {
    agent = of.agent or "claude",
    model = of.model,
    permissions = of.permissions,
    output_schema = of.schema,
    worktree = of.isolation == "worktree",
    pool = "flow",
    idle = of.idle or 600,
  }
  return function(prompt, opts)
    local phase = opts and opts.phase or current
    local label = opts and opts.label or prompt:gsub("%s+", " "):sub(1, 40)
    return swarm.call(name, prompt, { label = phase and phase .. ": " .. label or label })
  end
end

---Runs functions at once. Never raises for them: nil stands for one that failed, and its error in
---the second table.
function flow.parallel(thunks)
  local values, errors = {}, {}
  for i, ended in ipairs(swarm.settle(thunks)) do
    values[i], errors[i] = ended.value, ended.err
  end
  return values, errors
end

---Takes each item through all stages, waiting for no other: `stage(value, item, i)`. One that
---raises ends its item's way. Returns as parallel does.
function flow.pipeline(items, ...)
  local stages, ways = { ... }, {}
  for i, item in ipairs(items) do
    ways[i] = function()
      local value = item
      for _, stage in ipairs(stages) do
        value = stage(value, item, i)
      end
      return value
    end
  end
  return flow.parallel(ways)
end

---Names what comes next: it stands before the labels of the agents.
function flow.phase(title)
  current = title
  swarm.log.info(title)
end

return flow
