-- What an agent has said, as errors have it: it may be of any length.
local find, format, gsub = string.find, string.format, string.gsub
local lower, sub = string.lower, string.sub

local LAST = 2000 -- bytes of what it said last
local REASON = 4000 -- of a reason

local words = {}

---The end of a text, not from within a character.
---@return string
function words.last(text)
  if #text > LAST then
    text = gsub(sub(text, -LAST), "^[\128-\191]+", "")
  end
  return text
end

---A reason, where it is long its beginning.
---@return string
function words.reason(text)
  if #text <= REASON then
    return text
  end
  local beginning = gsub(sub(text, 1, REASON), "[\192-\255][\128-\191]*$", "")
  return format("%s ... (%d bytes)", beginning, #text)
end

local LOGIN = {
  "log in",
  "login",
  "logged in",
  "auth method",
  "authentic",
  "api key",
  "api_key",
  "apikey",
  "unauthorized",
  "oauth",
  "credential",
}

---Whether a reason speaks of a login.
function words.speak_of_login(text)
  text = lower(text)
  for i = 1, #LOGIN do
    if find(text, LOGIN[i], 1, true) then
      return true
    end
  end
  return find(text, "%f[%w]401%f[%W]") ~= nil
end

return words
