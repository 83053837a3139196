-- Usage limits, as agents tell of them: whether a message speaks of one, and when it is over.
local find, gmatch, lower = string.find, string.gmatch, string.lower
local match, sub = string.match, string.sub
local tonumber = tonumber

local limits = {}

local SECONDS_UNTOLD = 60 -- to wait where nobody says how long
local SPAN = 100 -- bytes that a span of time has, at most

local SIGNS = {
  "usage limit",
  "rate limit",
  "rate_limit",
  "ratelimit",
  "quota",
  "too many requests",
  "resource_exhausted",
  "resource exhausted",
  "session limit",
  "limit reached",
}

---Whether a message speaks of a usage limit.
function limits.speaks_of(text)
  text = lower(text)
  if find(text, "turn limit", 1, true) then
    return false
  end
  for i = 1, #SIGNS do
    if find(text, SIGNS[i], 1, true) then
      return true
    end
  end
  return match(text, "%f[%w]429%f[%W]") ~= nil
end

local UNITS = {
  { "d", 86400 },
  { "h", 3600 },
  { "m", 60 },
  { "s", 1 },
}

---Seconds of a span such as "2 days 3 hours", "1h 5m", "12.5s".
local function span(text)
  local sum
  for number, unit in gmatch(text, "([%d%.]+)%s*(%a+)") do
    for i = 1, #UNITS do
      local is_millis = unit == "ms" or find(unit, "^milli")
      if find(unit, "^" .. UNITS[i][1]) and tonumber(number) then
        local factor = is_millis and 0.001 or find(unit, "^mo") and 2592000 or UNITS[i][2]
        sum = (sum or 0) + tonumber(number) * factor
        break
      end
    end
  end
  return sum
end

---When a limit is over, as a message says it.
---@param told any what came beside the message: Unix seconds, or seconds to wait
---@param text string?
---@param now number Unix seconds
---@return number retry_at Unix seconds
function limits.over_at(told, text, now)
  local at = tonumber(told)
  if not at and text then
    text = lower(text)
    at = tonumber(match(text, "%f[%w](1%d%d%d%d%d%d%d%d%d)%f[%W]")) -- a stamp in the text
    local after = match(text, "try again in (.*)")
      or match(text, "retry in (.*)")
      or match(text, "retry after (.*)")
      or match(text, "resets? in (.*)")
      or match(text, "reset after (.*)")
    at = at or (after and span(sub(after, 1, SPAN)))
  end
  if not at or at ~= at or at < 0 or at >= 1e15 then
    return now + SECONDS_UNTOLD
  elseif at > 1e11 then
    at = at / 1000 -- milliseconds
  end
  return at < 1e9 and now + at or at -- what is no stamp is a time to wait
end

return limits
