-- Ways to more rights than a worker has: without a verb, by forged handles, by rights that were
-- lent to somebody else. Each attempt returns what it got hold of, if anything; nothing may.
-- luacheck: ignore 122 142 143 512
-- What is called wrongly here, or is not there, is so on purpose.
---@diagnostic disable: missing-parameter, missing-return, param-type-mismatch, undefined-field
---@diagnostic disable: unnecessary-if
local attempts = require "attempts"
local swarm = require "swarm"
local as, attempt = attempts.as, attempts.attempt

local function nothing() end

local function asleep()
  swarm.sleep(1)
end

-- Rights of a worker that may little --------------------------------------------------------------

for name, call in pairs {
  ["fs.read"] = function()
    return swarm.fs.read "/etc/hostname"
  end,
  ["fs.write"] = function()
    swarm.fs.write("/tmp/escaped", "x")
    return "written"
  end,
  ["fs.list"] = function()
    return swarm.fs.list "/"
  end,
  ["fs.exists"] = function()
    return swarm.fs.exists "/etc/hostname"
  end,
  ["fs.temp_dir"] = function()
    return swarm.fs.temp_dir()
  end,
  ["exec"] = function()
    return swarm.exec { "true" }
  end,
  ["http"] = function()
    return swarm.http.get "http://127.0.0.1:1/"
  end,
  ["env"] = function()
    return swarm.env "HOME"
  end,
  ["spawn by name"] = function()
    return swarm.spawn "bound"
  end,
  ["spawn of a function"] = function()
    return swarm.spawn(nothing)
  end,
  ["cancel of main"] = function()
    return swarm.cancel "T-1"
  end,
  ["the tail of another"] = function()
    return swarm.output_tail "T-1"
  end,
  ["subscribe"] = function()
    return swarm.subscribe()
  end,
  ["trace"] = function()
    return swarm.trace "T-1"
  end,
  ["pause"] = function()
    return swarm.pause()
  end,
  ["attach"] = function()
    return swarm.attach { role = "operator" }
  end,
  ["retry"] = function()
    return swarm.retry "T-1"
  end,
  ["port"] = function()
    return swarm.port "x"
  end,
  ["port of the host's own"] = function()
    return swarm.port("process", {})
  end,
  ["a token"] = function()
    return swarm.token.attenuate("swt1_x", {})
  end,
  ["set_data"] = function()
    swarm.set_data("escaped", 1)
    return "set"
  end,
  ["os.execute"] = function()
    return os.execute and os.execute "true"
  end,
  ["io.popen"] = function()
    local pipe = io.popen "echo escaped"
    return pipe and pipe:read "*a"
  end,
  ["io.open"] = function()
    local file = io.open "/etc/hostname"
    return file and file:read "*a"
  end,
  ["io.lines"] = function()
    for line in io.lines "/etc/hostname" do
      return line
    end
  end,
  ["os.getenv"] = function()
    return os.getenv "HOME"
  end,
  ["os.remove"] = function()
    return os.remove "/tmp/escaped"
  end,
  ["os.rename"] = function()
    return os.rename("/tmp/escaped", "/tmp/escaped2")
  end,
  ["os.tmpname"] = function()
    return os.tmpname()
  end,
  ["dofile"] = function()
    return dofile "/etc/hostname"
  end,
  ["loadfile"] = function()
    return loadfile "/etc/hostname"
  end,
} do
  attempt("rights", name .. " without its verb", function()
    return (as("nobody", call))
  end)
  attempt("rights", name .. " without its verb, in a coroutine", function()
    return (as("nobody", function()
      return coroutine.wrap(call)()
    end))
  end)
  attempt("rights", name .. " without its verb, in a metamethod that the host calls", function()
    local got
    as("nobody", function()
      local trap = setmetatable({}, {
        __index = function()
          got = got or call()
        end,
        __tostring = function()
          got = got or call()
          return "x"
        end,
        __pairs = function()
          got = got or call()
        end,
        __len = function()
          got = got or call()
          return 0
        end,
      })
      pcall(swarm.inspect, trap)
      pcall(swarm.log.info, trap)
      pcall(swarm.json.encode, trap)
      pcall(swarm.spawn, trap, trap, trap)
      error(trap)
    end)
    return got
  end)
end

-- Handles -----------------------------------------------------------------------------------------

for name, forge in pairs {
  ["an empty table"] = function()
    return {}
  end,
  ["a table with its fields"] = function(h)
    return { id = h.id, task_id = h.task_id, status = "pass" }
  end,
  ["one with a handle's metatable"] = function(h)
    return setmetatable({}, getmetatable(h))
  end,
  ["one that stands on a handle"] = function(h)
    return setmetatable({}, { __index = h })
  end,
} do
  attempt("handles", name .. " is taken for one", function()
    local h = swarm.spawn(swarm.yield)
    local forged = forge(h)
    return swarm.join(forged) and forged
  end)
end

attempt("handles", "a task_id of another's is reached by a worker", function()
  local other = swarm.spawn(asleep)
  local id = other.task_id
  return (as("bound", function()
    return swarm.cancel(id)
  end))
end)

attempt("handles", "main is reached by its id", function()
  return (as("bound", function()
    return swarm.cancel "T-1"
  end))
end)

attempt("handles", "another's tail is written", function()
  local other = swarm.spawn(asleep)
  other:progress "forged"
  return #other:output_tail() > 0
end)

-- Rights that were lent ---------------------------------------------------------------------------

local kept_of_hook = {}
swarm.worker("hooked", {
  role = "nobody",
  run = attempts.run,
})
swarm.before("hooked", function(ctx)
  kept_of_hook.role = ctx.role
  kept_of_hook.read = swarm.fs.exists
  if kept_of_hook.raises then
    kept_of_hook.raises = false
    error "the hook raises"
  end
end)

attempt("lent", "after a hook that ran", function()
  attempts.let(function()
    return swarm.fs.exists "/"
  end)
  local h = swarm.spawn "hooked"
  return h:join() and h:result()
end)

attempt("lent", "after a hook that raised, in the next attempt", function()
  kept_of_hook.raises = true
  attempts.let(function()
    return swarm.fs.exists "/"
  end)
  local h = swarm.spawn("hooked", nil, { retries = { max = 1, backoff = 0 } })
  return h:join() and h:result()
end)

attempt("lent", "a function that a hook has handed over", function()
  attempts.let(function()
    return kept_of_hook.read "/"
  end)
  local h = swarm.spawn "hooked"
  return h:join() and h:result()
end)

attempt("lent", "in retries", function()
  local h = swarm.spawn("nobody", nil, {
    retries = {
      max = 2,
      backoff = 0,
      on = function()
        return true
      end,
    },
  })
  attempts.let(function()
    return swarm.fs.exists "/"
  end)
  return h:join() and h:result()
end)

attempt("lent", "by swarm.retry of a worker that may little", function()
  attempts.let(nothing)
  local h = swarm.spawn "nobody"
  h:join()
  attempts.let(function()
    return swarm.fs.exists "/"
  end)
  swarm.retry(h)
  return h:join() and h:result()
end)

attempt("lent", "a child of one that may little", function()
  return (as("bound", function()
    return swarm.call "reader"
  end))
end)

swarm.worker("reader", {
  run = function()
    return swarm.fs.exists "/"
  end,
})

attempt("lent", "a child of a child", function()
  return (
    as("bound", function()
      return swarm.call(function()
        return swarm.call "reader"
      end)
    end)
  )
end)

attempt("lent", "a detached child", function()
  return (
    as("bound", function()
      local h = swarm.spawn("reader", nil, { detached = true })
      return h:join() and h:result()
    end)
  )
end)

attempt("lent", "a supervised child", function()
  return (
    as("bound", function()
      local got
      local sup = swarm.supervise {
        children = {
          {
            function()
              got = swarm.fs.exists "/"
            end,
            id = "one",
            restart = "temporary",
          },
        },
      }
      sup:children()[1].handle:join()
      return got
    end)
  )
end)

attempt("lent", "a held-open worker", function()
  return (
    as("bound", function()
      local s = swarm.open "reader"
      local got = s:invoke()
      s:close()
      return got
    end)
  )
end)

attempt("lent", "a graph's node", function()
  return (as("bound", function()
    return swarm.graph({ one = { "reader" } }).one
  end))
end)

attempt("lent", "a map", function()
  return (as("bound", function()
    return swarm.map({ 1 }, "reader")[1]
  end))
end)

attempt("lent", "what an input carries", function()
  local carried = setmetatable({}, {
    __index = function()
      return swarm.fs.exists "/"
    end,
  })
  local ok, h = pcall(swarm.spawn, "nobody", carried)
  attempts.let(function(ctx)
    return ctx.input.anything
  end)
  return ok and h:join() and h:result()
end)

attempt("lent", "a session of more rights than its maker", function()
  local session = swarm.attach { role = "senior" }
  return pcall(swarm.token.verify, session.token, "pause_loop") and session
end)

attempts.prove()
