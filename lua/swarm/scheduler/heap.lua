-- The memory that Lua takes: the pace of the garbage collector, and some that stays free.
--
-- Workers that come and go by the million leave garbage and
-- hardly anything alive: collected at Lua's own pace, a small heap is walked hundreds of times a
-- second, which is a third of what they cost. So a small one may grow to three times what was
-- alive, in larger steps; a large one to twice, as ever.
--
-- What a script asks for in vain is an error of the script. What Python hands over is not: it is
-- put on the stack where nothing catches an error, and where there is no memory for that the
-- process ends without a word. So a little is kept free for it.
local buffer = require "string.buffer"
local collectgarbage, pcall = collectgarbage, pcall

local heap = {}

local SMALL_KB = 16 * 1024
local STEP = 1000 -- percent of Lua's own measure, which is 200 by default

-- What Python may hand over without asking. Less than what LuaJIT takes from the system at once, so
-- that what is free is its own, and to look whether there is any costs next to nothing.
local ROOM = 64 * 1024

local probe = buffer.new()
local reserve, free = probe.reserve, probe.free

---Raises where there is not so much memory left, and some more.
---@param bytes integer
function heap.need(bytes)
  if not pcall(reserve, probe, bytes + ROOM) then
    collectgarbage() -- a script that has caught the error may have let go of much
    reserve(probe, bytes + ROOM)
  end
  free(probe)
end

local small

---Looks at the heap, once a tick.
function heap.look()
  local is_small = collectgarbage "count" < SMALL_KB
  if is_small ~= small then
    small = is_small
    collectgarbage("setpause", is_small and 300 or 200)
    collectgarbage("setstepmul", STEP)
  end
end

return heap
