-- Randomness: swarm.random as math.random has it, and swarm.uuid, both from the system's source; in
-- specs from a seed (splitmix64), so that what failed can be run again.
local bit = require "bit"
local errors = require "swarm.ground.errors"
local floor, format, byte, sub = math.floor, string.format, string.byte, string.sub
local band, bxor, rshift, char, concat = bit.band, bit.bxor, bit.rshift, string.char, table.concat
local type, tonumber = type, tonumber

local random = {
  GOLDEN = 0x9E3779B97F4A7C15ULL, -- by which splitmix64 goes on
}

---What splitmix64 makes of a state.
---@param z any 64 bits
function random.mixed(z)
  z = bxor(z, rshift(z, 30)) * 0xBF58476D1CE4E5B9ULL
  z = bxor(z, rshift(z, 27)) * 0x94D049BB133111EBULL
  return bxor(z, rshift(z, 31))
end

local BATCH = 512 -- bytes read at once
local bytes, at = "", 1

local function from_system()
  local file = assert(io.open("/dev/urandom", "rb"))
  local read = file:read(BATCH)
  file:close()
  return read
end

local source = from_system

---Takes randomness from another source from now on, for runs that must be the same each time.
---@param other (fun(): string)? gives at least 16 bytes at each call; nil: the system
---@return (fun(): string) before
function random.take_from(other)
  local before = source
  source = other or from_system
  bytes, at = "", 1
  return before
end

---From here on the numbers are those of a seed, math.random's too.
---@param seed integer from 0 to 2^53
function random.seed(seed)
  local state = 0ULL + seed
  math.randomseed(seed)
  random.take_from(function()
    local list = {}
    for word = 0, 1 do
      state = state + random.GOLDEN
      local z = random.mixed(state)
      for i = 1, 8 do
        list[word * 8 + i] = char(tonumber(band(rshift(z, 8 * (i - 1)), 0xff)))
      end
    end
    return concat(list)
  end)
end

local function take(n)
  if at + n - 1 > #bytes then
    bytes, at = source(), 1
  end
  at = at + n
  return sub(bytes, at - n, at - 1)
end

---A number in [0, 1) as it is, or as a whole number in [1, m] or [m, n].
---@param unit number
---@param m integer?
---@param n integer?
---@return number
function random.within(unit, m, n)
  if m == nil then
    return unit
  end
  if n == nil then
    m, n = 1, m
  end
  if type(m) ~= "number" or type(n) ~= "number" or m > n then
    return errors.throw("invalid_argument", "swarm.random takes whole numbers m <= n")
  end
  return m + floor(unit * (n - m + 1))
end

---A number in [0, 1), or a whole number in [1, m] or [m, n].
---@param m integer?
---@param n integer?
---@return number
function random.random(m, n)
  local a, b, c, d, e, f = byte(take(6), 1, 6)
  local unit = ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
  return random.within(unit / 2 ^ 48, m, n)
end

---A random UUID (RFC 9562, version 4).
---@return string
function random.uuid()
  local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p = byte(take(16), 1, 16)
  return format(
    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
    a,
    b,
    c,
    d,
    e,
    f,
    g % 16 + 64,
    h,
    i % 64 + 128,
    j,
    k,
    l,
    m,
    n,
    o,
    p
  )
end

return random
