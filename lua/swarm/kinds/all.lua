-- The kinds of workers. A new one is a file beside this and a line in the list: its name, which is
-- its file's and what `kind = "…"` says, and the fields of which a definition needs one, and which
-- tell the kind where nothing else does. A kind's file is loaded once a script needs it. It is a
-- table:
--
--   fields     field → what it must be (fields.lua has the words), or true: the kind checks it
--   start      function(def, fields, generation) → run, called as run(ctx, input); raises what is
--              wrong. What must wait until all is defined goes into generation.closing
--   held_open  true where swarm.open can hold such a worker open; a kind that must look at the
--              definition first sets it there
--   check_command  function(name, fields), of the kind that swarm.command is for
--   check_agent  the same, of the kind that swarm.agent is for
local require = require -- a trusted script may set its own

local kinds = {}

kinds.list = {
  { name = "lua", by = { "run" } },
  { name = "process", by = { "command", "shell" } },
  { name = "python", by = { "python" } },
  { name = "agent", by = { "agent" } },
  { name = "operator", by = { "operator" } },
}

kinds.by_name = {} -- name → its line of the list
for i = 1, #kinds.list do
  kinds.by_name[kinds.list[i].name] = kinds.list[i]
end

---@param name string
---@return table kind what its file holds
function kinds.load(name)
  return require("swarm.kinds." .. name)
end

---Checks a swarm.command where it stands.
---@param name string
---@param fields table
function kinds.check_command(name, fields)
  return kinds.load("process").check_command(name, fields)
end

---Checks a swarm.agent where it stands.
---@param name string
---@param fields table
---@return table agent
function kinds.check_agent(name, fields)
  return kinds.load("agent").check_agent(name, fields)
end

return kinds
