-- Room on the stack. A script that recurses without end runs out of stack anywhere, in the middle
-- of a call of ours too. What would be left half done there must not begin: it asks for room first,
-- and the overflow is raised before anything has changed.
local error, pcall, unpack = error, pcall, unpack

local SLOTS = 100
local LIST = {} -- what is there is unpacked twice as fast as what is not
for i = 1, SLOTS do
  LIST[i] = true
end

---Raises where less than SLOTS slots are left: more than what any call of ours needs below itself.
return function()
  -- What a Lua function needs compiled code would not look for; what this needs it does.
  if not pcall(unpack, LIST, 1, SLOTS) then
    error("stack overflow", 0)
  end
end
