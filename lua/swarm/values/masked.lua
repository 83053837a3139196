-- What people must not be shown: the values of secrets, where a script has them because it has read
-- the same variable, and what stands under a name such as `password`.
local find, gsub, lower, sub = string.find, string.gsub, string.lower, string.sub
local pairs, concat = pairs, table.concat

local masked = { MASK = "***" }

local named = {} -- variable → true: the script has said swarm.secret of it
local read = {} -- variable → its value, where swarm.env gave it
local sought = {} -- the values of those that are both

local function look()
  sought = {}
  for name, value in pairs(read) do
    if named[name] and value ~= "" then
      sought[#sought + 1] = value
    end
  end
end

---A script has said that a variable is a secret.
function masked.is_secret(name)
  if not named[name] then
    named[name] = true
    look()
  end
end

---A script has read a variable.
function masked.was_read(name, value)
  if read[name] ~= value then
    read[name] = value
    look()
  end
end

---Whether there is any secret to look for.
function masked.any()
  return sought[1] ~= nil
end

---A text without the secrets that are known.
---@return string
function masked.text(text)
  for i = 1, #sought do
    local value, parts, from = sought[i], {}, 1
    local first, last = find(text, value, 1, true)
    while first do
      parts[#parts + 1] = sub(text, from, first - 1)
      from = last + 1
      first, last = find(text, value, from, true)
    end
    if from > 1 then
      parts[#parts + 1] = sub(text, from)
      text = concat(parts, masked.MASK)
    end
  end
  return text
end

local NAMES = {
  "passw",
  "passphrase",
  "secret",
  "credential",
  "authorization",
  "apikey",
  "accesskey",
  "privatekey",
  "token$",
}

local function looks_secret(name)
  local bare = gsub(lower(name), "[_%-]", "")
  for i = 1, #NAMES do
    if find(bare, NAMES[i]) then
      return true
    end
  end
  return false
end

local MOST_SEEN = 1000
local seen, seen_count = {}, 0 -- name → whether it does: a script has few names, and many inputs

---Whether a name is one under which people keep secrets.
---@param name any
function masked.is_field(name)
  if type(name) ~= "string" then
    return false
  end
  local is_secret = seen[name]
  if is_secret == nil then
    if seen_count == MOST_SEEN then
      seen, seen_count = {}, 0
    end
    is_secret = looks_secret(name)
    seen[name], seen_count = is_secret, seen_count + 1
  end
  return is_secret
end

return masked
