-- What both tiers of scripts are given in the same way: copies of libraries, and Lua's clock.
local clock = require "swarm.ground.clock"
local os_time, os_date = os.time, os.date
local pairs, pcall, type = pairs, pcall, type
local concat, floor = table.concat, math.floor

local libraries = {}

---A library whose fields are the script's own.
---@param left_out table? names
function libraries.copy_of(library, left_out)
  local copy = {}
  for name, value in pairs(library) do
    if not (left_out and left_out[name]) then
      copy[name] = value
    end
  end
  return copy
end

function libraries.time(at)
  if at == nil then
    return floor(clock.wall())
  end
  return os_time(at)
end

function libraries.date(fmt, at)
  return os_date(fmt, at or libraries.time())
end

---The text that a reader function gives; what it raises is a result of `load`, as Lua has it. It is
---called from Lua, not from within the compiler: it may wait.
---@return string? text, any problem
function libraries.read_all(reader)
  local parts = {}
  while true do
    local ok, part = pcall(reader)
    if not ok then
      return nil, part
    elseif part == nil or part == "" then
      return concat(parts)
    elseif type(part) ~= "string" then
      return nil, "the reader function must return strings"
    end
    parts[#parts + 1] = part
  end
end

return libraries
