-- Attempts to get hold of what nobody may have: each gives back what it got, if anything.
local swarm = require "swarm"

local attempts = {}

swarm.role("bound", {
  extends = "worker",
  deny = { "run_process", "write_files", "read_files", "use_network" },
})
swarm.role("nobody", {})

local todo ---@type swarm.Run

---Does what was let be done last.
function attempts.run(ctx)
  return todo(ctx)
end

for _, role in ipairs { "bound", "nobody" } do
  swarm.worker(role, { role = role, run = attempts.run })
end

---What the worker of one of these roles does next.
---@param fn swarm.Run
function attempts.let(fn)
  todo = fn
end

---Runs a function in a worker of a role that may little.
---@param role string
---@param fn swarm.Run
---@return any value
---@return swarm.Error? err
function attempts.as(role, fn)
  todo = fn
  local h = swarm.spawn(role)
  local ok, err = h:join()
  return ok and h:result() or nil, err
end

---@type { class: string, name: string, fn: fun(): any... }[]
local list = {}

---One attempt: `fn` returns what it got hold of.
---@param class string
---@param name string
---@param fn fun(): any...
function attempts.attempt(class, name, fn)
  list[#list + 1] = { class = class, name = name, fn = fn }
end

---A spec for each.
function attempts.prove()
  describe("no way out:", function()
    for i = 1, #list do
      local one = list[i]
      it(one.class .. ": " .. one.name, function()
        local ok, got = pcall(one.fn)
        if ok and got then
          error("got hold of " .. swarm.inspect(got), 0)
        end
      end)
    end
  end)
end

return attempts
