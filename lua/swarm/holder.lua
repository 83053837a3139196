-- Who holds the VM. While Lua runs nobody can ask it, so before each resume the scheduler writes
-- into a C struct whose worker has its turn; a watchdog in another thread reads it there
-- (host/swarm_host/holder.py) without entering the VM. Names would be too dear to copy at every
-- resume: each definition, and each place that spawns functions, gets a number once, and its name
-- a row in the struct.
local ffi = require "ffi"
local site = require "swarm.site"
local tonumber, type = tonumber, type

local NAMES = 1024 -- rows; what comes after the last is told by its id only
local NAME_BYTES = 128

-- Doubles, for they cost least to write from Lua. `turn` is the count of resumes; `holder` is the
-- worker's id * NAMES + the row of its name, or -1; `since` is the clock's time at the scheduler's
-- last look.
ffi.cdef [[
typedef struct {
  double turn, holder, since;
  double names_size, name_bytes;
  char names[1024][128];
} swarm_holder;
]]

local cell = ffi.new "swarm_holder"
cell.holder = -1
cell.names_size, cell.name_bytes = NAMES, NAME_BYTES

local used = 0 -- row 0 is the empty name
local by_site = {} -- place of a spawn → row

local holder = {
  cell = cell,
  NAMES = NAMES,
}

local function row(name)
  if used == NAMES - 1 then
    return 0
  end
  used = used + 1
  ffi.copy(cell.names[used], name:sub(1, NAME_BYTES - 1))
  return used
end

---The row of a worker's name, made at its definition's first turn.
---@param w table a worker's record
---@return integer
function holder.row(w)
  local def = w.def
  if def.name then
    local number = row(def.loading and def.name or ('worker "%s"'):format(def.name))
    def.row = number
    return number
  end
  local taken = w.site
  local number = by_site[taken]
  if number then
    return number
  elseif type(taken) ~= "string" then
    return 0 -- a table for each spawn: see swarm/site.lua
  end
  local place = site.place(taken)
  number = place and row("function spawned at " .. place) or 0
  by_site[taken] = number
  return number
end

---Where the struct is, for the watchdog. It lives as long as the VM.
---@return number
function holder.address()
  return tonumber(ffi.cast("uintptr_t", cell))
end

return holder
