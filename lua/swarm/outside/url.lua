-- References to places joined with the place that they stand at, as RFC 3986 has it in section 5.
local arguments = require "swarm.ground.arguments"
local concat, find, match, sub = table.concat, string.find, string.match, string.sub
local type = type

local CALL = "swarm.http.url"

---The five parts of a reference (RFC 3986, appendix B); those that are not there are nil, but the
---path.
local function split(text)
  local rest, fragment = match(text, "^([^#]*)#(.*)$")
  rest = rest or text
  local before, query = match(rest, "^([^?]*)%?(.*)$")
  rest = before or rest
  local scheme, after = match(rest, "^(%a[%w+.%-]*):(.*)$")
  rest = after or rest
  local authority, path = match(rest, "^//([^/]*)(.*)$")
  return scheme, authority, path or rest, query, fragment
end

---A path without its `.` and `..` (5.2.4), segment by segment.
local function without_dots(path)
  local at, kept, n = 1, {}, 0
  while find(path, "^%.%.?/", at) do
    at = match(path, "^%.%.?/()", at)
  end
  if find(path, "^%.%.?$", at) then
    return ""
  end
  while at <= #path do
    local segment, stop = match(path, "^(/?[^/]*)()", at)
    at = stop
    local up = segment == "/.."
    if up then
      n = n > 0 and n - 1 or 0
    end
    if up or segment == "/." then
      segment = at > #path and "/" or nil
    end
    if segment then
      n = n + 1
      kept[n] = segment
    end
  end
  return concat(kept, "", 1, n)
end

---A relative path beside that of the base (5.2.3).
local function merged(authority, base, path)
  if authority and base == "" then
    return "/" .. path
  end
  return (match(base, "^(.*/)") or "") .. path
end

---The place that a reference names where it stands at `base`: `../x`, `?page=2`, `//host/x`, …
---@param base string a whole URL, with its scheme
---@param part string
---@return string
return function(base, part)
  if type(base) ~= "string" then
    return arguments.wrong(CALL .. " takes a URL first", base)
  elseif type(part) ~= "string" then
    return arguments.wrong(CALL .. " takes second what is to be joined to it, a string", part)
  end
  local base_scheme, base_authority, base_path, base_query = split(base)
  if not base_scheme then
    return arguments.wrong(CALL .. " takes a whole URL first, with its scheme", base)
  end
  local scheme, authority, path, query, fragment = split(part)
  if scheme or authority then
    path = without_dots(path)
  else
    authority = base_authority
    if path == "" then
      path, query = base_path, query or base_query
    elseif sub(path, 1, 1) == "/" then
      path = without_dots(path)
    else
      path = without_dots(merged(base_authority, base_path, path))
    end
  end
  return (scheme or base_scheme)
    .. ":"
    .. (authority and "//" .. authority or "")
    .. path
    .. (query and "?" .. query or "")
    .. (fragment and "#" .. fragment or "")
end
