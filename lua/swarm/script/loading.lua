-- Loading: the next generation of a script, off to the side, by a worker of its own, and checked
-- whole; then it takes over in one step. Where anything is wrong with it the last good one stays.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local chunks = require "swarm.sandbox.chunks"
local clock = require "swarm.ground.clock"
local definition = require "swarm.worker.definition"
local draining = require "swarm.script.draining"
local environment = require "swarm.sandbox.environment"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local fingerprint = require "swarm.script.fingerprint"
local frames = require "swarm.ground.frames"
local left_behind = require "swarm.script.left_behind"
local lines = require "swarm.script.line"
local generation_of = require "swarm.script.generation"
local registry = require "swarm.script.registry"
local S = require "swarm.scheduler.scheduler"
local spawning = require "swarm.worker.spawn"
local sources = require "swarm.outside.sources"
local states = require "swarm.script.state"
local turn = require "swarm.scheduler.turn"
local values = require "swarm.values.values"
local cell = turn.cell
local error, pairs, pcall, sort, xpcall = error, pairs, pcall, table.sort, xpcall
local sethook = debug.sethook

local loading = {}

---Loads the script whole, off to the side. The running worker is the loader.
local function load(generation)
  local line = generation.line
  local script = line.script
  local run = script.run
  generation.script_dir = script.folder
  generation.faults = script.checked and {} or nil
  run.script_dir = script.folder == "" and "." or (script.folder:gsub("(.)/$", "%1"))
  local swarm = script.face(generation, run)
  local env, offered = environment.make(generation, swarm, run.args)
  if script.prepare then
    script.prepare(env, generation)
  end
  if script.helper then
    env.require(script.helper)
  end
  local given = fingerprint.given(generation, offered)
  sources.note(generation, "files", script.path)
  local _, source = bridge.request("files", { op = "source", path = script.path })
  chunks.compile_file(source, script.path, env)()
  registry.close(generation)
  local prints, around, blind = fingerprint.of_generation(generation, given)
  generation.prints, generation.around, generation.blind = prints, around, blind
end

-- A script that loads without end would stop a swarm that runs, for good. So while others run it is
-- interpreted (compiled loops ask nobody), and asked now and then how long it has taken.
local LOOK_EVERY = 1000000 -- instructions
local MOST_SECONDS = 5 -- in one go

local function look()
  local me = S.current
  if me and cancelling.is_loading(me) and clock.real() - cell.since > MOST_SECONDS then
    return errors.throw(
      "load_error",
      "the script has loaded for "
        .. MOST_SECONDS
        .. " s, and all others wait: is there a loop without an end? What takes long belongs into"
        .. " swarm.main or a worker"
    )
  end
end

---Loads the script while others run.
local function load_beside(generation)
  local compiles = jit.status()
  jit.off()
  sethook(look, "", LOOK_EVERY)
  local ok, err = xpcall(load, frames.passing, generation)
  sethook()
  if compiles then
    jit.on()
  end
  if not ok then
    return error(err, 0)
  end
end

---What differs between two generations, as lists of what is named: "worker count", "role reader".
---@param field string prints or around
---@return table { added, removed, changed }
local function difference(old, new, field)
  local added, removed, changed = {}, {}, {}
  for what, text in pairs(new[field]) do
    local before = old[field][what]
    if before == nil then
      added[#added + 1] = what
    elseif before ~= text then
      changed[#changed + 1] = what
    end
  end
  for what in pairs(old[field]) do
    if new[field][what] == nil then
      removed[#removed + 1] = what
    end
  end
  sort(added)
  sort(removed)
  sort(changed)
  return { added = added, removed = removed, changed = changed }
end

local function is_empty(change)
  return #change.added + #change.removed + #change.changed == 0
end

---A module that was first required by a worker, while the script ran: no loading reads it.
---@return table change
local function late_modules(old, generation)
  local changed = {}
  for path, code in pairs(old.late) do
    local read, _, source = pcall(bridge.request, "files", { op = "source", path = path })
    local compiled, chunk = pcall(chunks.compile_file, source, path, generation.env)
    if not read or not compiled or string.dump(chunk, "sd") ~= code then
      changed[#changed + 1] = "module " .. path
    end
  end
  sort(changed)
  return { added = {}, removed = {}, changed = changed }
end

---What a reload changes. What stands around the definitions is named only where none of them has
---changed: what a module is made of counts as theirs who use it, save where they require it late.
local function change_of(old, generation)
  local change = difference(old, generation, "prints")
  if is_empty(change) then
    change = difference(old, generation, "around")
  end
  return is_empty(change) and late_modules(old, generation) or change
end

local function keys_of(map)
  local list = {}
  for key in pairs(map) do
    list[#list + 1] = key
  end
  sort(list)
  return list
end

local function call_on_reload(old, new, change)
  for i = 1, #new.on_reload do
    local told = {
      generation = new.number,
      added = values.copy(change.added, "added"),
      removed = values.copy(change.removed, "removed"),
      changed = values.copy(change.changed, "changed"),
    }
    new.on_reload[i]({
      generation = old.number,
      workers = keys_of(old.workers),
      roles = keys_of(old.roles),
      files = values.copy(old.files, "files"),
    }, told)
  end
end

---What a reload changed, as it crosses.
local function told_of(generation, change)
  return {
    generation = generation.number,
    added = values.array(values.copy(change.added, "added")),
    removed = values.array(values.copy(change.removed, "removed")),
    changed = values.array(values.copy(change.changed, "changed")),
  }
end

---Nothing has changed: the old generation stays, with all that it has made and who uses it, and the
---new one goes as if it had never been. Only what it read is watched.
local function drop(old, generation)
  sources.take(old, generation)
  generation.line.attempted = old
  generation_of.free(generation)
end

---What a worker that loads does: all that can refuse comes before the generation takes over.
---@param old table the generation that was the newest when it began
---@param how table { dry, fresh }, as loading.start has them
---@return table result what changed, and how many workers drain
local function replace(old, generation, how)
  local line = generation.line
  local is_first = old == line.loader
  if is_first then
    load(generation)
  else
    load_beside(generation)
  end
  if line.newest ~= old then
    local path = line.script.path
    return errors.throw("load_error", "another reload of " .. path .. " came before")
  end
  local change = { added = {}, removed = {}, changed = {} }
  if not is_first then
    states.check(line)
    change = change_of(old, generation)
    if is_empty(change) and not (how.fresh or old.blind or generation.blind) then
      drop(old, generation)
      local result = told_of(old, change)
      result.switched, result.draining = false, draining.count(line, false)
      return result
    end
    call_on_reload(old, generation, change)
  end
  if not how.dry then
    local left = is_first and {} or left_behind.by(old, generation)
    lines.take_over(generation)
    if not is_first then
      left_behind.warn(left, generation)
      if events.on then
        events.publish_run("reloaded", told_of(generation, change))
      end
    end
  end
  local result = told_of(generation, change)
  result.switched, result.draining = true, draining.count(line, how.dry)
  return result
end

---Starts a worker that loads the script anew. Its result says what changed; where it fails, the
---last good generation stays.
---@param how table? dry: say what would change, and change nothing; fresh: take over even where no
---definition has changed
---@return table task
function loading.start(line, how)
  local old = line.newest
  local generation = generation_of.new(old.number + 1, line)
  states.forget(line)
  local name = "loading " .. line.script.path
  local def = definition.new(line.loader, { name = name, loading = generation })
  if line.attempt then
    -- A failed loader stays findable for a while, and what it loaded does not stay with it.
    line.attempt.loading = nil
  end
  local before = line.attempted
  if before and line.alive[before.number] ~= before then
    generation_of.let_go(before) -- it could not be loaded
  end
  line.attempted, line.attempt = generation, def
  return spawning.root(def, function()
    local me = S.current
    cancelling.begin_loading(me)
    local result = replace(old, generation, how or {})
    cancelling.end_loading(me)
    return result
  end)
end

return loading
