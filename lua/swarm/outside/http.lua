-- swarm.http: one request over HTTP, by way of port `http`. A status is a result; what goes wrong
-- on the way to one raises http_error{url, reason}.
local arguments = require "swarm.ground.arguments"
local bridge = require "swarm.outside.bridge"
local closed = require "swarm.ground.closed"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local cancelling = require "swarm.scope.cancel"
local S = require "swarm.scheduler.scheduler"
local secret = require "swarm.outside.secret"
local url_of = require "swarm.outside.url"
local values = require "swarm.values.values"
local type, pairs, setmetatable = type, pairs, setmetatable
local rawget, next, sort = rawget, next, table.sort
local byte, char, find, gsub, lower =
  string.byte, string.char, string.find, string.gsub, string.lower
local upper, floor = string.upper, math.floor

local http = {}

local TIMEOUT = 30 -- seconds, for the whole exchange
local MAX_BODY = 16 * 1024 * 1024 -- bytes

local CALL = "swarm.http.request"
local OPTIONS = {
  method = true,
  url = true,
  headers = true,
  body = true,
  json = true,
  timeout = true,
  max_body = true,
}

local OPTIONS_BESIDE_URL = {}
for name in pairs(OPTIONS) do
  OPTIONS_BESIDE_URL[name] = name ~= "url" and name ~= "method" or nil
end

local function wrong(message, got)
  return arguments.wrong(CALL .. message, got)
end

-- Headers -----------------------------------------------------------------------------------------

-- A header is bytes, and JSON is text: each byte crosses as the character of that number.
local function to_text(bytes)
  return (
    gsub(bytes, "[\128-\255]", function(c)
      local n = byte(c)
      return char(0xC0 + floor(n / 64), 0x80 + n % 64)
    end)
  )
end

local function to_bytes(text)
  return (
    gsub(text, "([\194\195])([\128-\191])", function(first, second)
      return char((byte(first) - 0xC0) * 64 + byte(second) - 0x80)
    end)
  )
end

local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$" -- RFC 9110, 5.6.2: names of headers and methods

local function wrong_header(name, value)
  return wrong(
    ": header "
      .. name
      .. " must be a string without line breaks, a number, a swarm.secret, or a list of these",
    value
  )
end

---@return string|table text, or the name of a secret for the host
local function header_value(name, value)
  local secret_name = secret.name(value)
  if secret_name then
    gate.check(S.current, "read_env")
    return { secret = secret_name }
  end
  if type(value) == "number" then
    value = json.encode(value, "headers")
  end
  if type(value) ~= "string" or find(value, "[%z\r\n]") then
    return wrong_header(name, value)
  end
  return to_text(value)
end

---One value, or those of a list; no other table says what its text would be.
local function header_values(name, value)
  if type(value) ~= "table" or secret.name(value) then
    return { header_value(name, value) }
  end
  local count, list = 0, {}
  for _ in next, value do
    count = count + 1
  end
  for i = 1, count do
    list[i] = header_value(name, rawget(value, i))
  end
  return count > 0 and list or wrong_header(name, value)
end

---The headers as sorted pairs: a list as a value stands for several fields of one name.
local function header_pairs(headers)
  local list, seen = {}, {}
  if headers == nil then
    return list, seen
  elseif type(headers) ~= "table" then
    return wrong(" takes its headers as a table, { name = value }", headers)
  end
  local sorted = {}
  for name in next, headers do
    if type(name) ~= "string" or not find(name, TOKEN) then
      return wrong(" takes headers by their names", name)
    end
    sorted[#sorted + 1] = name
  end
  sort(sorted)
  for i = 1, #sorted do
    local name = sorted[i]
    local several = header_values(name, rawget(headers, name))
    seen[lower(name)] = true
    for j = 1, #several do
      list[#list + 1] = { name, several[j] }
    end
  end
  return list, seen
end

-- The answer --------------------------------------------------------------------------------------

local Headers = { __metatable = "swarm.http.headers" }

function Headers.__index(headers, name)
  return type(name) == "string" and rawget(headers, lower(name)) or nil
end

local methods = {}
local Response = { __metatable = "swarm.http.response" }

function Response.__index(response, name)
  local method = methods[name]
  if method or type(name) ~= "string" then
    return method
  end
  local known = { json = true }
  for field in pairs(response) do
    known[field] = true
  end
  return closed.has_no("an answer of swarm.http", name, known)
end

-- An answer crosses from worker to worker whole, and leaves the program as its four fields.
values.keep(Headers)
values.keep(Response)

---The body read as JSON.
---@return any
function methods.json(response)
  if type(response) ~= "table" or type(rawget(response, "body")) ~= "string" then
    return errors.throw("invalid_argument", "write response:json(), with a colon")
  end
  return json.decode(response.body)
end

---Names in lower case. Fields of one name are one, joined by ", "; cookies, which may hold commas,
---by a line break.
local function gathered(list)
  local headers = {}
  for i = 1, #list do
    local name, value = list[i][1], to_bytes(list[i][2])
    local before = headers[name]
    headers[name] = before and before .. (name == "set-cookie" and "\n" or ", ") .. value or value
  end
  return setmetatable(headers, Headers)
end

-- The call ----------------------------------------------------------------------------------------

local function body_of(opts, seen, headers)
  local body = opts.body
  if opts.json ~= nil then
    if body ~= nil then
      return errors.throw("invalid_argument", CALL .. " takes a body or json, not both")
    end
    body = json.encode(opts.json, "json")
    if not seen["content-type"] then
      headers[#headers + 1] = { "content-type", "application/json" }
    end
  elseif body ~= nil and type(body) ~= "string" then
    return wrong(" takes its body as a string; for other values there is json", body)
  end
  return body
end

---Sends a request, follows redirects, and waits for the whole answer.
---@param opts table url; method (GET, or POST where there is a body), headers, body (bytes) or json
---(a value), timeout (seconds for all of it, 30), max_body (bytes of the answer, 16 MiB)
---@return table response { status, headers, body, url, json = method }
function http.request(opts)
  cancelling.not_while_loading()
  arguments.options(opts, OPTIONS, CALL)
  local url, method = opts.url, opts.method
  if type(url) ~= "string" or url == "" then
    return wrong(" takes a url", url)
  end
  json.encode(url, "url") -- raises where it is not UTF-8: another place would be meant
  local headers, seen = header_pairs(opts.headers)
  local body = body_of(opts, seen, headers)
  if method == nil then
    method = body and "POST" or "GET"
  elseif type(method) ~= "string" or not find(method, TOKEN) then
    return wrong(" takes a method such as GET", method)
  end
  local timeout, max_body = opts.timeout, opts.max_body
  if timeout ~= nil then
    arguments.seconds(timeout, CALL .. "'s timeout")
  end
  if max_body ~= nil and (type(max_body) ~= "number" or max_body < 0 or max_body % 1 ~= 0) then
    return wrong(" takes max_body as a whole number of bytes", max_body)
  end
  local answer, bytes = bridge.request("http", {
    method = upper(method),
    url = url,
    headers = values.array(headers),
    timeout = timeout or TIMEOUT,
    max_body = max_body or MAX_BODY,
  }, body, { verb = "use_network" })
  return setmetatable({
    status = answer.status,
    headers = gathered(answer.headers),
    body = bytes,
    url = answer.url,
  }, Response)
end

---A request by its URL; what else it takes are the options of `request`.
local function asking(name, method)
  local call = "swarm.http." .. name
  return function(url, opts)
    if type(url) ~= "string" or url == "" then
      return arguments.wrong(call .. " takes a url", url)
    end
    local all = {}
    if opts ~= nil then
      arguments.options(opts, OPTIONS_BESIDE_URL, call)
      for key, value in next, opts do
        all[key] = value
      end
    end
    all.url, all.method = url, method
    return http.request(all)
  end
end
http.get = asking("get", "GET")
http.post = asking("post", "POST")

http.url = url_of

return http
