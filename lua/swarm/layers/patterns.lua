-- Whether a text is a Lua pattern. Lua itself says so only where a match gets as far as the fault,
-- which for a pattern of secrets is the moment in which one is found.
local byte, find, format, sub = string.byte, string.find, string.format, string.sub

local MOST_CAPTURES = 32 -- of Lua's own

---Where the set that begins at a place ends.
---@return integer? at of its "]"
local function end_of_set(pattern, at)
  local i = at + 1
  if sub(pattern, i, i) == "^" then
    i = i + 1
  end
  repeat -- the first may be a "]" itself
    i = i + (sub(pattern, i, i) == "%" and 2 or 1)
  until i > #pattern or sub(pattern, i, i) == "]"
  return i <= #pattern and i or nil
end

---What comes after a "%".
---@param captures table
---@return integer? at of its last character
---@return string? problem
local function escaped(pattern, at, captures)
  local what = sub(pattern, at + 1, at + 1)
  if what == "" then
    return nil, "ends with %"
  elseif what == "b" then
    return at + 3, at + 3 > #pattern and "has a %b without its two characters" or nil
  elseif what == "f" then
    local last = sub(pattern, at + 2, at + 2) == "[" and end_of_set(pattern, at + 2)
    return last or nil, not last and "has a %f without its set" or nil
  elseif find(what, "%d") then
    local closed = captures[byte(what) - byte "0"] == "closed"
    return at + 1, not closed and format("names the capture %%%s, which is not there", what) or nil
  end
  return at + 1
end

---What is wrong with a pattern.
---@param pattern string
---@return string? problem nil: nothing
return function(pattern)
  local i, captures, open = 1, {}, {}
  while i <= #pattern do
    local c, problem = sub(pattern, i, i), nil
    if c == "%" then
      i, problem = escaped(pattern, i, captures)
    elseif c == "[" then
      i = end_of_set(pattern, i)
      problem = not i and "has a [ without its ]" or nil
    elseif c == "(" then
      captures[#captures + 1], open[#open + 1] = "open", #captures + 1
      problem = #captures > MOST_CAPTURES and "has more than 32 captures" or nil
    elseif c == ")" then
      local last = open[#open]
      problem = not last and "has a ) without its (" or nil
      captures[last or 0], open[#open] = "closed", nil
    end
    if problem then
      return problem
    end
    i = i + 1
  end
  return open[1] and "has a ( without its )" or nil
end
