-- The run's two clocks: monotonic (seconds since an arbitrary start) and wall (Unix seconds).
-- Both come straight from the C library, so that reading the time never leaves LuaJIT. Under test
-- the clock is virtual: it stands still until somebody moves it, and the wall clock follows.
local ffi = require "ffi"
local tonumber = tonumber

ffi.cdef [[
typedef struct { long seconds; long nanoseconds; } swarm_timespec;
int clock_gettime(int clock, swarm_timespec *out);
]]

local REALTIME = 0
local MONOTONIC = jit.os == "OSX" and 6 or 1

local out = ffi.new "swarm_timespec"
local C = ffi.C

local function read(which)
  C.clock_gettime(which, out)
  return tonumber(out.seconds) + tonumber(out.nanoseconds) * 1e-9
end

local clock = {
  virtual = false, -- the virtual monotonic time in seconds, or false: real time
}

-- A virtual run starts at a fixed date, so that what a spec prints is the same every day.
local VIRTUAL_EPOCH = 1767225600 -- 2026-01-01T00:00:00Z

---Seconds that never go back.
---@return number
function clock.monotonic()
  return clock.virtual or read(MONOTONIC)
end

---Unix time in seconds.
---@return number
function clock.wall()
  local virtual = clock.virtual
  if virtual then
    return VIRTUAL_EPOCH + virtual
  end
  return read(REALTIME)
end

---Real monotonic seconds, whatever the run's clock is: for slices of work, never for scripts.
---@return number
function clock.real()
  return read(MONOTONIC)
end

return clock
