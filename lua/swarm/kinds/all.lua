-- The kinds of workers. A new one is a file beside this and a line in the list. A kind is a table:
--
--   name       what `kind = "…"` says, such as "process"
--   by         list of the fields of which a definition needs one, and which tell the kind where
--              nothing else does
--   fields     field → what it must be (fields.lua has the words), or true: the kind checks it
--   start      function(def, fields, generation) → run, called as run(ctx, input); raises what is
--              wrong. What must wait until all is defined goes into generation.closing
--   held_open  true where swarm.open can hold such a worker open
--   check_command  function(name, fields), of the one kind that swarm.command is for
local kinds = {}

kinds.list = {
  require "swarm.kinds.lua",
  require "swarm.kinds.process",
}

kinds.by_name = {}
for i = 1, #kinds.list do
  kinds.by_name[kinds.list[i].name] = kinds.list[i]
end

---Checks a swarm.command where it stands.
---@param name string
---@param fields table
function kinds.check_command(name, fields)
  for i = 1, #kinds.list do
    local kind = kinds.list[i]
    if kind.check_command then
      return kind.check_command(name, fields)
    end
  end
end

return kinds
