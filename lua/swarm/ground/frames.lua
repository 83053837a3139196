-- Stacks as an author reads them: file:line, and tracebacks of the author's frames only. Host
-- chunks are loaded as "=swarm/...", which is how they are told apart.
local getinfo = debug.getinfo
local type, rawequal, concat = type, rawequal, table.concat
local match, sub = string.match, string.sub

local frames = {
  all_frames = false, -- --debug: tracebacks show the host's frames too
}

local MAX_FRAMES = 30 -- shown of a traceback
local MAX_LEVELS = 200 -- looked at: each costs as much as it is deep, and a full stack is deep

local function is_host(info)
  return sub(info.source, 1, 7) == "=swarm/" or info.what == "C"
end
frames.is_host = is_host

---The file that a function is from, whole: short_src cuts long paths.
---@param info table what getinfo "S" says
local function source_of(info)
  local source = info.source
  return sub(source, 1, 1) == "@" and sub(source, 2) or info.short_src
end
frames.source_of = source_of

local function describe_frame(info)
  local place = source_of(info) .. ":" .. info.currentline
  if info.what == "main" then
    return place .. ": in main chunk"
  elseif info.name then
    return place .. ": in function '" .. info.name .. "'"
  end
  return place .. ": in function <line " .. info.linedefined .. ">"
end

---The author's frames of a coroutine's stack, innermost first, one a line.
---@param co thread? the running one by default
---@param level integer? where to start
---@return string
function frames.traceback(co, level)
  level = level or 1
  local lines, last = {}, level + MAX_LEVELS
  while true do
    local info
    if co then
      info = getinfo(co, level - 1, "Snl")
    else
      info = getinfo(level + 1, "Snl")
    end
    if not info then
      break
    elseif #lines == MAX_FRAMES or level == last then
      lines[#lines + 1] = "  ..."
      break
    end
    if (frames.all_frames and info.what ~= "C") or not is_host(info) then
      lines[#lines + 1] = "  " .. describe_frame(info)
    end
    level = level + 1
  end
  return concat(lines, "\n")
end

---`file:line` of the innermost frame that is the author's, or nil.
---@param co thread? the running one by default
---@return string?
function frames.where(co)
  local level = co and 0 or 2
  while true do
    local info
    if co then
      info = getinfo(co, level, "Sl")
    else
      info = getinfo(level, "Sl")
    end
    if not info then
      return nil
    end
    if not is_host(info) then
      return source_of(info) .. ":" .. info.currentline
    end
    level = level + 1
  end
end

-- Errors on their way -----------------------------------------------------------------------------

-- A coroutine.wrap passes an error on from a stack that is gone by the time the worker's handler
-- sees it; what it saw is kept here until then.
local inner_error, inner_traceback, inner_is_whole
local inner_outside -- the frames around the coroutine that it left

---Remembers the traceback of an error that is about to leave a coroutine of the author's.
function frames.leaving(co, err)
  local inside = frames.traceback(co)
  local below = rawequal(inner_error, err)
    and (type(err) == "table" or inner_outside == inside)
    and inner_traceback
  inner_error = err
  inner_traceback = below and below ~= "" and inside ~= "" and below .. "\n" .. inside
    or below and below ~= "" and below
    or inside -- tail calls leave no frames
  inner_outside = frames.traceback()
  inner_is_whole = false
end

---What is remembered of an error on its way up to `here`, or nil. Equal strings need not be the
---same error: one that was caught and forgotten came by another way.
local function remembered(err, here)
  if not inner_traceback or not rawequal(inner_error, err) then
    return nil
  elseif not inner_is_whole then
    return (type(err) == "table" or inner_outside == here) and inner_traceback .. "\n" .. here
      or nil
  elseif type(err) == "table" or here == "" or sub(inner_traceback, -#here) == here then
    return inner_traceback
  end
end

---The handler of a block's xpcall: passes the value on as it is, and remembers where it came from.
function frames.passing(err)
  local here = frames.traceback()
  inner_traceback = remembered(err, here) or here
  inner_error = err
  inner_is_whole = true
  return err
end

---An error goes on as a copy: what is remembered of it is now known of that.
function frames.goes_on_as(err, copied)
  if rawequal(inner_error, err) then
    inner_error = copied
  end
  return copied
end

---The traceback of an error that has arrived; what was remembered of it is forgotten.
---@return string
function frames.take_traceback(err)
  local here = frames.traceback()
  local traceback = remembered(err, here) or here
  inner_error, inner_traceback = nil, nil
  return traceback
end

---The place that a traceback begins with, or where we are.
---@return string?
function frames.innermost(traceback)
  return type(traceback) == "string" and match(traceback, "^%s*([^\n]-:%d+): in ") or frames.where()
end

return frames
