-- What a generation came from, and so what a change of means that another one is due: files,
-- folders that were listed, and files that were looked for and are missing.
local arguments = require "swarm.ground.arguments"
local S = require "swarm.scheduler.scheduler"
local values = require "swarm.values.values"
local pairs, type, match = pairs, type, string.match

local sources = {}

local KINDS = { "files", "folders", "missing" }

---Notes a path, once: scripts may ask again and again.
---@param generation table
---@param kind string "files", "folders" or "missing"
---@param path string
function sources.note(generation, kind, path)
  local noted = generation.noted
  local known = noted[kind] or {}
  noted[kind] = known
  if not known[path] then
    known[path] = true
    local list = generation[kind]
    list[#list + 1] = path
    generation.line.watch_changed = true
  end
end

---What a script reads while it loads may come out differently another time.
---@param op string as swarm.fs names it
---@param path string
function sources.note_reading(generation, op, path)
  if op == "list" then
    sources.note(generation, "folders", path)
  elseif op == "glob" then
    sources.note(generation, "folders", match(path, "^[^*?%[]*/") or ".")
  else
    sources.note(generation, "files", path)
  end
end

---The folders of what a glob has found: others may come to be there.
function sources.note_found(generation, paths)
  local seen = {}
  for i = 1, #paths do
    local folder = match(paths[i], "^.*/") or "."
    if not seen[folder] then
      seen[folder] = true
      sources.note(generation, "folders", folder)
    end
  end
end

---What another loading read is watched for this generation from here on.
---@param generation table
---@param other table a generation
function sources.take(generation, other)
  for _, kind in pairs(KINDS) do
    for i = 1, #other[kind] do
      sources.note(generation, kind, other[kind][i])
    end
  end
end

---swarm.watch_file(path)
function sources.watch_file(path)
  if type(path) ~= "string" or path == "" then
    return arguments.wrong("swarm.watch_file takes a path", path)
  end
  local def = S.current.task.def
  sources.note(def.loading or def.generation.line.newest, "files", path)
end

---What to watch for the newest generation, and for the last attempt at the next.
---@param line table
---@param others table[]? further lines that count as well
---@return table { files, folders, missing }
function sources.of(line, others)
  local all = {}
  for _, kind in pairs(KINDS) do
    local list, seen = values.array {}, {}
    local function gather(of)
      for _, generation in pairs { of.newest, of.attempted } do
        for i = 1, #generation[kind] do
          local path = generation[kind][i]
          if not seen[path] then
            seen[path] = true
            list[#list + 1] = path
          end
        end
      end
    end
    gather(line)
    for i = 1, #(others or {}) do
      gather(others[i])
    end
    all[kind] = list
  end
  return all
end

return sources
