-- Randomness: swarm.random as math.random has it, and swarm.uuid, both from the system's source.
local errors = require "swarm.errors"
local floor, format, byte, sub = math.floor, string.format, string.byte, string.sub
local type = type

local random = {}

local BATCH = 512 -- bytes read at once
local bytes, at = "", 1

local function take(n)
  if at + n - 1 > #bytes then
    local source = assert(io.open("/dev/urandom", "rb"))
    bytes, at = source:read(BATCH), 1
    source:close()
  end
  at = at + n
  return sub(bytes, at - n, at - 1)
end

---A number in [0, 1), or a whole number in [1, m] or [m, n].
---@param m integer?
---@param n integer?
---@return number
function random.random(m, n)
  local a, b, c, d, e, f = byte(take(6), 1, 6)
  local unit = ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
  unit = unit / 2 ^ 48
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
