-- Where `require` looks, one searcher after another, each as Lua has it: a function of a name that
-- gives the module's chunk, or a text that says where it was not. First package.preload, then
-- beside the script, then what package.path says besides; for trusted scripts the machine's places,
-- too, and C modules.
local bridge = require "swarm.outside.bridge"
local chunks = require "swarm.sandbox.chunks"
local errors = require "swarm.ground.errors"
local fs = require "swarm.outside.fs"
local sources = require "swarm.outside.sources"
local vm = require "swarm.vm"

local real_modules, preloaded, real_require = package.loaded, package.preload, require
local loadlib = package.loadlib
local type, tostring, pcall, error = type, tostring, pcall, error
local setmetatable, ipairs = setmetatable, ipairs
local dump, find, format = string.dump, string.find, string.format
local gmatch, gsub, match = string.gmatch, string.gsub, string.match
local concat = table.concat

local searchers = {
  CONFIG = "/\n;\n?\n!\n-\n",
  lua_path = {}, -- further folders (or templates with ?) where modules are looked for
}

local LIBRARIES = "lua_modules/share/lua/5.1/"
local C_LIBRARIES = "lua_modules/lib/lua/5.1/?.so"

-- Modules of LuaJIT's own that are safe to hand out in the guarded tier.
local SAFE_MODULES = { ["table.new"] = true, ["table.clear"] = true }

---The templates of a script's own places, in order.
---@return string[] templates, number own how many of them are the script's, and no library's
local function own_templates(script_dir)
  local list = {}
  local roots = { "", "lua/", LIBRARIES }
  for i = 1, #roots do
    list[#list + 1] = script_dir .. roots[i] .. "?.lua"
    list[#list + 1] = script_dir .. roots[i] .. "?/init.lua"
  end
  local own = #list - 2
  for i = 1, #searchers.lua_path do
    local template = searchers.lua_path[i]
    if find(template, "?", 1, true) then
      list[#list + 1] = template
    else
      template = gsub(template, "/*$", "/")
      list[#list + 1] = template .. "?.lua"
      list[#list + 1] = template .. "?/init.lua"
    end
  end
  return list, own
end

local function fill(template, name)
  return (gsub(template, "%?", (gsub(name, "%%", "%%%%"))))
end

local function tried(places)
  return #places > 0 and "\n  " .. concat(places, "\n  ") or ""
end

---The chunk of a module, found.
local function chunk_of(generation, env, path, source, is_library)
  sources.note(generation, "files", path)
  local chunk = chunks.compile_file(source, path, env, is_library)
  if generation.closed then
    generation.late[path] = dump(chunk, "sd") -- no loading tells whether it has changed
  end
  return chunk
end

---The first of some places that is there.
local function look(generation, env, places, own)
  local found, source = bridge.request("files", { op = "first", paths = places })
  for i = 1, #places do
    if places[i] == found then
      return chunk_of(generation, env, found, source, i > own)
    end
    sources.note(generation, "missing", places[i])
  end
  return tried(places)
end

-- What packages have in common --------------------------------------------------------------------

local function templates_of(path)
  local list = {}
  for template in gmatch(path, "[^;]+") do
    list[#list + 1] = template
  end
  return list
end

---A file as the running worker may read it.
---@return string? bytes nil: it is not there
local function read(path)
  local ok, bytes = pcall(fs.read, path)
  if ok then
    return bytes
  elseif type(bytes) == "table" and bytes.code == "io_error" then
    return nil
  end
  return error(bytes, 0)
end

---package.searchpath.
local function search_path(name, path, separator, replacement)
  if type(name) ~= "string" or type(path) ~= "string" then
    return errors.throw("invalid_argument", "package.searchpath takes a name and a path")
  end
  separator, replacement = separator or ".", replacement or "/"
  if separator ~= "" then
    name = gsub(name, (gsub(separator, "%p", "%%%0")), (gsub(replacement, "%%", "%%%%")))
  end
  local missing = {}
  for _, template in ipairs(templates_of(path)) do
    local place = fill(template, name)
    if read(place) then
      return place
    end
    missing[#missing + 1] = "\n\tno file '" .. place .. "'"
  end
  return nil, concat(missing)
end

---The searcher of package.preload.
local function of_preload(package)
  return function(name)
    local preload = package.preload
    local chunk = type(preload) == "table" and preload[name]
    return chunk or ""
  end
end

---The searcher of the script's own places.
local function of_own(generation, env, templates, own)
  return function(name)
    if SAFE_MODULES[name] then
      return function()
        return real_require(name)
      end
    end
    local path, places = gsub(name, "%.", "/"), {}
    for i = 1, #templates do
      places[i] = fill(templates[i], path)
    end
    return look(generation, env, places, own)
  end
end

---The searcher of what package.path has besides `known`: a script's code said so, and has to be
---allowed to read it.
local function of_path(generation, env, package, known)
  return function(name)
    local path, places = gsub(name, "%.", "/"), {}
    if type(package.path) ~= "string" then
      return errors.throw("invalid_argument", "package.path must be a string")
    end
    for _, template in ipairs(templates_of(package.path)) do
      if not known[template] then
        local place = fill(template, path)
        local source = read(place)
        if source then
          return chunk_of(generation, env, place, source, true)
        end
        places[#places + 1] = place
      end
    end
    return tried(places)
  end
end

-- The tiers ---------------------------------------------------------------------------------------

---A C module in a guarded script: what to do.
local function no_c_modules(generation)
  return function(name)
    local path = gsub(name, "%.", "/")
    local places = { fill(generation.script_dir .. C_LIBRARIES, path) }
    for i = 1, #searchers.lua_path do
      local tree = match(searchers.lua_path[i], "^(.*)share/lua/5%.1/?[^/]*$")
      places[#places + 1] = tree and tree .. "lib/lua/5.1/" .. path .. ".so"
    end
    local place = bridge.request("files", { op = "first", paths = places })
    if place then
      local message = format("module %q is a C module, %s, ", name, place)
        .. "and guarded scripts load none: use one that is written in Lua, or run with --trust"
      return errors.throw("load_error", message, { unknown = name })
    end
    return ""
  end
end

---What both tiers have.
---@return table package
---@return table by { preload, own, path }: the searchers of Lua
local function common(generation, env, loaded)
  local templates, own = own_templates(generation.script_dir)
  local known = {}
  for i = 1, #templates do
    known[templates[i]] = true
  end
  local package = {
    loaded = loaded,
    preload = {},
    config = searchers.CONFIG,
    path = concat(templates, ";"),
    searchpath = search_path,
  }
  return package,
    {
      preload = of_preload(package),
      own = of_own(generation, env, templates, own),
      path = of_path(generation, env, package, known),
    }
end

---@return table package, function[] searchers
function searchers.guarded(generation, env, loaded)
  local package, by = common(generation, env, loaded)
  return package, { by.preload, by.own, by.path, no_c_modules(generation) }
end

---What is LuaJIT's own, such as ffi.
local function of_luajit(name)
  if real_modules[name] or preloaded[name] then
    return function()
      return real_require(name)
    end
  end
  return ""
end

---The searcher of C modules; `name` for the file, all of it for the function in it.
local function of_c(package, whole)
  return function(name)
    local file = whole and name or match(name, "^[^.]+")
    local place, missing = search_path(file, package.cpath)
    if not place or (not whole and file == name) then
      return place and "" or tostring(gsub(missing, "\n\tno file '([^']*)'", "\n  %1"))
    end
    local symbol = gsub(gsub(name, "^[^-]*%-", ""), "%.", "_")
    local open, problem = loadlib(place, "luaopen_" .. symbol)
    if not open then
      local text = format("error loading module %q from file %q: ", name, place)
      return whole and errors.throw("load_error", text .. problem) or "\n  " .. problem
    end
    return open
  end
end

---One searcher for several: what the first has that has it.
local function first_of(list)
  return function(name)
    local places = ""
    for i = 1, #list do
      local found = list[i](name)
      if type(found) == "function" then
        return found
      end
      places = places .. found
    end
    return places
  end
end

---@return table package its loaders are asked by `require`
function searchers.trusted(generation, env, loaded)
  local package, by = common(generation, env, loaded)
  package.path = package.path .. ";" .. vm.path
  package.cpath = generation.script_dir .. C_LIBRARIES .. ";" .. vm.cpath
  package.loadlib = loadlib
  function package.seeall(module)
    setmetatable(module, { __index = env })
  end
  local of_lua = first_of { by.own, of_luajit, by.path }
  package.loaders = { by.preload, of_lua, of_c(package, true), of_c(package, false) }
  return package
end

return searchers
