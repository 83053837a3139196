-- What happened, in order, as workers and hooks note it. Every spec has a host, and so a list, of
-- its own.
local notes = {}

local seen = {}

---@param what string
function notes.note(what)
  seen[#seen + 1] = what
end

---What was noted since the last call, as one text.
---@return string
function notes.noted()
  local text = table.concat(seen, " ")
  seen = {}
  return text
end

return notes
