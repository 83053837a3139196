-- mock.exec and mock.fs: what answers in place of programs and of files, for specs that know no
-- port. Each is a function as mock.port takes it.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local type, pairs, tonumber = type, pairs, tonumber
local find, gsub, sub = string.find, string.gsub, string.sub
local match, gmatch = string.match, string.gmatch
local concat, sort = table.concat, table.sort

local answering = {}

-- Programs ----------------------------------------------------------------------------------------

---What a request for a program says: its words, and what it is given.
---@return string[] command, table given { stdin, env, cwd }
local function order_of(payload, texts)
  local at, n = 1, 0
  local function take()
    n = n + 1
    local text = sub(texts, at, at + payload.sizes[n] - 1)
    at = at + payload.sizes[n]
    return text
  end
  local command, env, input = {}, {}, {}
  for i = 1, payload.arguments do
    command[i] = take()
  end
  for _, name in pairs(payload.env) do
    env[name] = take()
  end
  local cwd = payload.folder and take() or nil
  for i = 1, payload.input do
    input[i] = take()
  end
  if payload.prompt_file then
    input[#input + 1] = take()
  end
  return command, { stdin = concat(input), env = env, cwd = cwd }
end

---@param fn fun(command: string[], given: table): any text of standard output, or a table
---@param calls table filled with the commands
---@return function answer as mock.port takes it
function answering.exec(fn, calls)
  return function(payload, texts, emit)
    local command, given = order_of(payload, texts)
    calls[#calls + 1] = command
    local ended = fn(command, given)
    if type(ended) == "string" then
      ended = { stdout = ended }
    elseif ended ~= nil and type(ended) ~= "table" then
      local message = "mock.exec: its function returns a text or a table, and gave "
      return errors.throw("invalid_value", message .. shown.value(ended))
    end
    ended = ended or {}
    local stdout, stderr = ended.stdout or "", ended.stderr or ""
    if type(stdout) ~= "string" or type(stderr) ~= "string" then
      return errors.throw("invalid_value", "mock.exec: stdout and stderr must be texts")
    end
    if payload.stream and stdout ~= "" then
      emit({ out = true }, stdout)
    end
    if payload.tells and stderr ~= "" then
      emit({}, stderr)
    end
    local code = ended.exit_code
    return {
      exit_code = ended.signal == nil and (code == nil and 0 or code) or nil,
      signal = ended.signal,
      path = ended.path,
      stdout = #stdout,
    },
      stdout .. stderr
  end
end

-- Files -------------------------------------------------------------------------------------------

local FILE_MODE, FOLDER_MODE = tonumber("644", 8), tonumber("755", 8)

---A path in one spelling: without `.`, doubled slashes and a slash at its end.
local function plain(path)
  local parts = {}
  for part in gmatch(path, "[^/]+") do
    if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return (sub(path, 1, 1) == "/" and "/" or "") .. concat(parts, "/")
end

local function refuse(op, path, reason)
  return error {
    code = "io_error",
    message = "cannot " .. op .. " " .. path .. ": " .. reason,
    path = path,
    reason = reason,
  }
end

local function parent(path)
  local above = match(path, "^(.*)/[^/]*$")
  return above == "" and "/" or above or ""
end

---Folders are `true` in `files`, and what lies in the table itself needs none.
local function add(files, prefix, tree)
  for name, content in pairs(tree) do
    if type(name) ~= "string" or (type(content) ~= "string" and type(content) ~= "table") then
      local message = "mock.fs takes paths with their content, a text or a table of more, and got "
      return errors.throw("invalid_argument", message .. shown.value(content))
    end
    local path = plain(prefix .. name)
    if type(content) == "table" then
      files[path] = true
      add(files, path .. "/", content)
    else
      files[path] = content
    end
    local above = parent(path)
    while above ~= "" and above ~= "/" do
      files[above] = true
      above = parent(above)
    end
  end
end

---The names below a folder.
local function names_in(files, folder)
  local names, prefix = {}, folder == "" and "" or folder == "/" and "/" or folder .. "/"
  for path in pairs(files) do
    local name = sub(path, 1, #prefix) == prefix and match(path, "^([^/]+)$", #prefix + 1)
    if name then
      names[#names + 1] = name
    end
  end
  sort(names)
  return names
end

local function segment_fits(wanted, name)
  if sub(name, 1, 1) == "." and sub(wanted, 1, 1) ~= "." then
    return false
  end
  local pattern = gsub(gsub(wanted, "[%^%$%(%)%%%.%+%-]", "%%%0"), "%*", ".*")
  return find(name, "^" .. gsub(pattern, "%?", ".") .. "$") ~= nil
end

local function segments(path)
  local list = {}
  for part in gmatch(path, "[^/]+") do
    list[#list + 1] = part
  end
  return list
end

local function fits(pattern, i, path, j)
  if i > #pattern then
    return j > #path
  elseif pattern[i] == "**" then
    return fits(pattern, i + 1, path, j)
      or (j <= #path and sub(path[j], 1, 1) ~= "." and fits(pattern, i, path, j + 1))
  end
  return j <= #path and segment_fits(pattern[i], path[j]) and fits(pattern, i + 1, path, j + 1)
end

local operations = {}

local function content_of(files, op, path)
  local content = files[path]
  if content == nil then
    return refuse(op, path, "no such file or directory")
  elseif content == true then
    return refuse(op, path, "is a directory")
  end
  return content
end

local function put(files, op, path, content)
  local above = parent(path)
  if files[path] == true then
    return refuse(op, path, "is a directory")
  elseif above ~= "" and above ~= "/" and files[above] ~= true then
    return refuse(op, path, "no such file or directory")
  end
  files[path] = content
end

function operations.read(files, path)
  return nil, content_of(files, "read", path)
end

function operations.write(files, path, _, data)
  put(files, "write", path, data or "")
end

function operations.append(files, path, _, data)
  put(files, "append", path, (type(files[path]) == "string" and files[path] or "") .. (data or ""))
end

function operations.exists(files, path)
  return files[path] ~= nil or path == "" or path == "/"
end

function operations.stat(files, path)
  local content = files[path]
  if content == nil then
    return nil
  end
  local is_file = content ~= true
  return {
    type = is_file and "file" or "directory",
    size = is_file and #content or 0,
    mtime = 0,
    mode = is_file and FILE_MODE or FOLDER_MODE,
  }
end

function operations.list(files, path)
  if path ~= "" and path ~= "/" and files[path] ~= true then
    local reason = files[path] and "not a directory" or "no such file or directory"
    return refuse("list", path, reason)
  end
  return names_in(files, path)
end

function operations.glob(files, pattern)
  local wanted, found = segments(pattern), {}
  for path, content in pairs(files) do
    local is_rooted = (sub(path, 1, 1) == "/") == (sub(pattern, 1, 1) == "/")
    if content ~= true and is_rooted and fits(wanted, 1, segments(path), 1) then
      found[#found + 1] = path
    end
  end
  sort(found)
  return found
end

function operations.mkdir(files, path)
  while path ~= "" and path ~= "/" do
    if type(files[path]) == "string" then
      return refuse("mkdir", path, "file exists")
    end
    files[path] = true
    path = parent(path)
  end
end

function operations.remove(files, path)
  if files[path] == nil then
    return refuse("remove", path, "no such file or directory")
  elseif files[path] == true and #names_in(files, path) > 0 then
    return refuse("remove", path, "directory not empty")
  end
  files[path] = nil
end

function operations.copy(files, path, payload)
  put(files, "copy", plain(payload.to), content_of(files, "copy", path))
end

function operations.move(files, path, payload)
  local to = plain(payload.to)
  if files[path] == true then
    local moved = {}
    for inner, content in pairs(files) do
      if inner == path or sub(inner, 1, #path + 1) == path .. "/" then
        moved[inner] = content
      end
    end
    for inner, content in pairs(moved) do
      files[inner], files[to .. sub(inner, #path + 1)] = nil, content
    end
    return
  end
  put(files, "move", to, content_of(files, "move", path))
  files[path] = nil
end

function operations.make_temporary(files)
  local n = 1
  while files["/tmp/swarm-" .. n] do
    n = n + 1
  end
  files["/tmp"], files["/tmp/swarm-" .. n] = true, true
  return "/tmp/swarm-" .. n
end

function operations.remove_temporary(files, path)
  for inner in pairs(files) do
    if inner == path or sub(inner, 1, #path + 1) == path .. "/" then
      files[inner] = nil
    end
  end
end

---@param tree table path → content, or a table of more
---@return function answer as mock.port takes it, table files path → content; true for a folder
function answering.fs(tree)
  if type(tree) ~= "table" then
    local message = "mock.fs takes a table of files, and got " .. shown.value(tree)
    return errors.throw("invalid_argument", message)
  end
  local files = {}
  add(files, "", tree)
  return function(payload, data)
    local path = payload.path and plain(payload.path)
    local is_glob = payload.op == "glob"
    return operations[payload.op](files, is_glob and payload.path or path, payload, data)
  end,
    files
end

return answering
