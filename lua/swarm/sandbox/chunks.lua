-- Source text into chunks: text only, never bytecode, always in an environment that is given, and
-- with a hint where the syntax is a newer Lua's.
local errors = require "swarm.ground.errors"

local real_loadstring, setfenv = loadstring, setfenv
local error, tonumber = error, tonumber
local byte, find, gsub, match, sub = string.byte, string.find, string.gsub, string.match, string.sub

local chunks = {
  texts = {}, -- path → the text of the script or module that was last compiled from it
  libraries = {}, -- path → true: a module that was brought along, and no part of the script
}

-- Syntax that newer Luas have, by what stands in the line that did not parse.
local NEWER = {
  { "//", "`//` is Lua 5.3: write math.floor(a / b)" },
  { "<%s*const%s*>", "`<const>` is Lua 5.4: leave it out" },
  { "<%s*close%s*>", "`<close>` is Lua 5.4: close it yourself, or use swarm.shield in a clean-up" },
  { "&&", "`&&` is not Lua: write `and`" },
  { "||", "`||` is not Lua: write `or`" },
  { "<<", "`<<` is Lua 5.3: write bit.lshift(a, n)" },
  { ">>", "`>>` is Lua 5.3: write bit.rshift(a, n)" },
  { "!=", "`!=` is not Lua: write `~=`" },
  { "[%+%-%*/]=", "there is no assignment such as `+=`: write a = a + b" },
  { "&", "`&` is Lua 5.3: write bit.band(a, b)" },
  { "|", "`|` is Lua 5.3: write bit.bor(a, b)" },
  { "~[^=]", "`~` is Lua 5.3: write bit.bxor(a, b) or bit.bnot(a)" },
  {
    "%f[%w_]continue%f[^%w_]",
    "there is no `continue`: write `goto continue` and put `::continue::` before `end`",
  },
}

local function syntax_hint(source, problem)
  local number = tonumber(match(problem, ":(%d+): "))
  if not number then
    return ""
  end
  local n = 0
  for line in (source .. "\n"):gmatch "(.-)\n" do
    n = n + 1
    if n == number then
      line = gsub(line, "%-%-.*", "")
      line = gsub(gsub(line, '"[^"]*"', '""'), "'[^']*'", "''")
      for i = 1, #NEWER do
        if find(line, NEWER[i][1]) then
          return " (" .. NEWER[i][2] .. "; swarm-host runs LuaJIT, which is Lua 5.1 with goto)"
        end
      end
    end
  end
  return ""
end

---Compiles text, never bytecode. Every chunk gets an environment: without one it would see the
---host's globals.
---@param env table
---@return function? chunk, string? problem
function chunks.compile(source, chunkname, env)
  if sub(source, 1, 3) == "\239\187\191" then
    source = sub(source, 4) -- an editor's byte order mark
  end
  if byte(source, 1) == 27 then
    local name = gsub(chunkname, "^[@=]", "")
    return nil, name .. ":1: this is Lua bytecode; only source text is loaded"
  end
  if byte(source, 1) == 35 then
    source = "--" .. source -- a `#!` line
  end
  local chunk, problem = real_loadstring(source, chunkname)
  if not chunk then
    if byte(chunkname, 1) == 64 then -- Lua cuts a long path short
      local path = gsub(sub(chunkname, 2), "%%", "%%%%")
      problem = gsub(problem, "^%.%.%.[^\n]-(:%d+: )", path .. "%1")
    end
    return nil, problem .. syntax_hint(source, problem)
  end
  return setfenv(chunk, env)
end

---Compiles a script or module, or raises a load error that names its file and line.
---@param is_library boolean?
function chunks.compile_file(source, path, env, is_library)
  chunks.texts[path] = source
  chunks.libraries[path] = is_library
  local chunk, problem = chunks.compile(source, "@" .. path, env)
  if not chunk then
    local where = match(problem, "^([^\n]-:%d+): ")
    return error(errors.new("load_error", problem, { where = where or path, traceback = "" }), 0)
  end
  return chunk
end

return chunks
