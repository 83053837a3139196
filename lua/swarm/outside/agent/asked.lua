-- What an agent is asked beside its prompt, and what its answer is where a schema says how it must
-- be: JSON, also where words or a fence stand around it.
local json = require "swarm.values.json"
local values = require "swarm.values.values"
local find, gmatch, lower, sub = string.find, string.gmatch, string.lower, string.sub
local pcall, type = pcall, type

local BRACES = 1000000 -- that are looked at in an answer

local asked = {}

local ALONE = "Answer with JSON alone, without words or a fence around it. "
  .. "It must fit this JSON Schema:\n"
local AGAIN = "You were interrupted. Go on from where you were, and finish what you were asked:\n\n"

---A prompt for an agent that has no option for schemas.
function asked.with_schema(text, schema)
  return text .. "\n\n" .. ALONE .. schema
end

---A prompt for a session that was broken off, as by a limit.
function asked.again(text)
  return AGAIN .. text
end

---A prompt after an answer that does not fit.
---@param problem string what was wrong
function asked.repair(problem, schema)
  return "Your last answer cannot be taken: " .. problem .. "\n\n" .. ALONE .. schema
end

---Whether an agent says that it has no such session: an attempt that was broken off early may not
---have been kept.
function asked.is_lost(reason)
  local text = lower(reason or "")
  local _, session = find(text, "session", 1, true)
  return find(text, "no conversation", 1, true) ~= nil
    or find(text, "no rollout", 1, true) ~= nil
    or (session and find(text, "not found", session + 1, true)) ~= nil
    or find(text, "invalid session", 1, true) ~= nil
end

local function decode(text)
  local ok, value = pcall(json.decode, text, values.MAX_DEPTH)
  return ok, value
end

---The first object in a text, where its braces are balanced: in one pass, as an answer may be of
---any length (and `%b{}` would begin anew at each brace that is never closed).
local function braced(text)
  local open, depth, seen, first, last = {}, 0, 0, nil, nil
  for at, brace in gmatch(text, "()([{}])") do
    seen = seen + 1
    if seen > BRACES then
      break
    elseif brace == "{" then
      depth = depth + 1
      open[depth] = at
    elseif depth > 0 then
      if not first or open[depth] < first then
        first, last = open[depth], at
      end
      depth = depth - 1
      if depth == 0 then
        break
      end
    end
  end
  return first and sub(text, first, last)
end

---What an answer may be read as, the likeliest first.
local function readings(answer)
  if type(answer) ~= "string" then
    return { answer }
  end
  local list = {}
  local ok, value = decode(answer)
  if ok then
    list[1] = value
  else
    for fenced in gmatch(answer, "```%w*\n(.-)\n?```") do
      ok, value = decode(fenced)
      if ok then
        list[1] = value -- the last one is the answer
      end
    end
    ok, value = decode(braced(answer) or "")
    if ok and not list[1] then
      list[1] = value
    end
  end
  list[#list + 1] = answer -- a schema may ask for a text
  return list
end

---An answer as the value that fits.
---@param answer any
---@param misfit function called with a value; returns the error, or nil where it fits
---@return any value, table? err what is wrong with the likeliest reading
function asked.fitting(answer, misfit)
  local list, first = readings(answer), nil
  for i = 1, #list do
    local err = misfit(list[i])
    if not err then
      return list[i]
    end
    first = first or err
  end
  return nil, first
end

return asked
