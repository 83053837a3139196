-- The pace of the garbage collector. Workers that come and go by the million leave garbage and
-- hardly anything alive: collected at Lua's own pace, a small heap is walked hundreds of times a
-- second, which is a third of what they cost. So a small one may grow to three times what was
-- alive, in larger steps; a large one to twice, as ever.
local collectgarbage = collectgarbage

local heap = {}

local SMALL_KB = 16 * 1024
local STEP = 1000 -- percent of Lua's own measure, which is 200 by default

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
