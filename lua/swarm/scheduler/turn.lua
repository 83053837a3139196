-- Who holds the VM. While Lua runs nobody can ask it, so before each resume the scheduler writes
-- into a C struct whose turn it is, and a watchdog in another thread reads it there
-- (host/swarm_host/vm/turn.py) without entering the VM. Names would be too dear to copy at every
-- resume: each definition, and each place that spawns functions, gets a row of the struct at its
-- first turn, and from then on its number is enough.
local ffi = require "ffi"
local site = require "swarm.ground.site"
local tonumber, type = tonumber, type

local ROWS = 512 -- names that find room; workers of later ones are told by their id only
local NAME_BYTES = 96

-- Doubles, because they cost least to write from Lua. The fields' meaning: vm/turn.py.
ffi.cdef(([[
typedef struct {
  double holder, since, rows, name_bytes;
  char names[%d][%d];
} swarm_holder;
]]):format(ROWS, NAME_BYTES))

local cell = ffi.new "swarm_holder"
cell.holder = -1
cell.rows, cell.name_bytes = ROWS, NAME_BYTES

local used = 0 -- row 0 stays the empty name
local by_site = {} -- place of a spawn → row
local by_name = {} -- name → row: the same in every generation

-- `running` is the field `holder`: a store by index is the cheapest that the interpreter has.
local turn = { cell = cell, running = ffi.cast("double *", cell), ROWS = ROWS, TURNS = 8 }

local function new_row(name)
  local row = by_name[name]
  if row then
    return row
  elseif used == ROWS - 1 then
    return 0
  end
  used = used + 1
  by_name[name] = used
  ffi.copy(cell.names[used], name:sub(1, NAME_BYTES - 1))
  return used
end

---The row of a worker's name; its definition keeps it, so that this is asked once for each.
---@param task table
---@return integer
function turn.row(task)
  local def = task.def
  if def.name then
    def.row =
      new_row(def.loading and "the script while " .. def.name or 'worker "' .. def.name .. '"')
    return def.row
  end
  local taken = task.site
  local row = by_site[taken]
  if row then
    return row
  elseif type(taken) ~= "string" then
    return 0 -- no place, or a table for each spawn (swarm/ground/site.lua)
  end
  local place = site.place(taken)
  row = place and new_row("a function spawned at " .. place) or 0
  by_site[taken] = row
  return row
end

---Where the struct is. It lives as long as the VM.
---@return number
function turn.address()
  return tonumber(ffi.cast("uintptr_t", ffi.cast("void *", cell)))
end

return turn
