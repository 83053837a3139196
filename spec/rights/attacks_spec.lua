-- Proves roles.md, "An author's code", from the side of a worker that may little and tries to have
-- its code run where the environment may be read: each test is one way that once led there.
local swarm = require "swarm"

local reached -- what an attack's code found where it ran

---What attacks want to be called: notes down whether the environment may be read there.
local function probe()
  local ok = pcall(swarm.env, "HOME")
  reached = ok or reached or false
end

local function evil()
  return setmetatable({}, {
    __index = function()
      probe()
      return "x"
    end,
    __newindex = probe,
    __tostring = function()
      probe()
      return "text"
    end,
    __len = probe,
    __call = probe,
  })
end

swarm.role "weak" { extends = "worker", deny = { "read_env" } }
swarm.role "nothing" { allow = { "post_result" } }

local function is_safe()
  assert.not_equal(true, reached)
  reached = nil
end

---Reads an error as people do, and whatever it leads to.
local function read_all(err, depth)
  if type(err) ~= "table" or (depth or 0) > 5 then
    return tostring(err)
  end
  local text = tostring(err) .. tostring(err.nosuch)
  pcall(function()
    err.put = 1
  end)
  for _, item in pairs(err) do
    text = text .. read_all(item, (depth or 0) + 1)
  end
  return text
end

-- What attackers do -------------------------------------------------------------------------------

local function overflow(ctx)
  local function deeper(n)
    pcall(ctx.progress, ctx, "deep")
    return 1 + deeper(n + 1)
  end
  pcall(deeper, 1)
  probe()
end

swarm.layer "listens" {
  role = "operator",
  event = function(_, event)
    return event
  end,
}
swarm.worker "overflows" { role = "weak", layers = { "listens" }, run = overflow }

-- A hook of an operator's that runs its worker again and again, up to the end of the stack; each
-- time with so many values more, so that it comes to its end at another slot.
local runs, borrowed, stays
local function up_to_the_end(following, width)
  local function deeper(...)
    following()
    local ok, err = pcall(swarm.env, "HOME")
    stays = stays and (ok or tostring(err):find "stack overflow" ~= nil)
    return 1 + deeper(...)
  end
  return pcall(deeper, unpack({}, 1, width))
end
swarm.layer "runs it to the end" {
  role = "operator",
  around = function(_, following)
    stays = true
    for width = 1, 4 do
      local before = runs
      local ok = up_to_the_end(following, width)
      assert(not ok and runs > before)
    end
    swarm.env "HOME"
    return following()
  end,
}
swarm.worker "runs to the end" {
  role = "weak",
  layers = { "runs it to the end" },
  run = function()
    runs = runs + 1
    borrowed = borrowed or pcall(swarm.env, "HOME")
    return true
  end,
}

local later ---@type table? a metatable that gets its functions once its error is in other hands
local raises = {
  ["a metatable"] = evil,
  ["a table in it"] = function()
    return { code = "mine", detail = evil(), list = { { evil() } } }
  end,
  ["a metatable that is filled later"] = function()
    later = {}
    return setmetatable({ detail = setmetatable({}, later) }, later)
  end,
  ["an error of the host's with a table in it"] = function()
    ---@diagnostic disable-next-line: param-type-mismatch
    local _, err = pcall(swarm.sleep, "x")
    err.detail, err.cause, err.others = evil(), evil(), { evil() }
    return err
  end,
  ["another worker's error with a table in it"] = function()
    local _, err = swarm.join(swarm.spawn(function()
      error "inner"
    end))
    ---@diagnostic disable-next-line: assign-type-mismatch
    err.detail, err.message, err.others = evil(), evil(), { evil(), 1 }
    return err
  end,
}

local names = {}
for what, make in pairs(raises) do
  names[#names + 1] = what
  swarm.worker(what) {
    role = "weak",
    run = function()
      error(make())
    end,
  }
end
table.sort(names)

-- Hooks that read what `next` raised, and what they are told themselves in a cancelled worker.
for _, name in ipairs(names) do
  swarm.worker("around: " .. name, {
    role = "weak",
    run = function()
      error(raises[name]())
    end,
  })
  swarm.around("around: " .. name, function(_, following)
    local ok, err = pcall(following)
    assert(not ok)
    read_all(err)
    if later then
      later.__index, later.__newindex, later.__tostring = evil, probe, evil
    end
    read_all(err)
    error(err, 0)
  end)
end
swarm.worker "spoils its cancel" {
  role = "weak",
  run = function()
    local _, err = pcall(swarm.sleep, 100)
    err.reason, err.others, err.detail = evil(), { evil() }, evil()
    error(err, 0)
  end,
}
local cancels
swarm.around("spoils its cancel", function(_, following)
  local _, raised = pcall(following)
  local _, own = pcall(swarm.sleep, 1)
  read_all(raised)
  read_all(own)
  cancels = { raised.code, own.code }
  error(raised, 0)
end)

local outcomes = {}
for _, name in ipairs(names) do
  swarm.settled(name, function(_, outcome)
    if later then
      later.__index, later.__newindex = evil, probe
    end
    outcomes[name] = read_all(outcome.err)
  end)
end

swarm.worker "spoils what it reads" {
  role = "weak",
  run = function(_, h)
    local _, err = swarm.join(h)
    ---@diagnostic disable-next-line: assign-type-mismatch
    err.detail, err.others = evil(), { evil() }
  end,
}

local function spoil(ctx, input)
  for _, t in ipairs { input, input.inner, ctx.input } do
    setmetatable(t, { __index = probe, __newindex = probe })
  end
  input.path, input.prompt = nil, nil
end
swarm.worker "spoils its input" { role = "weak", run = spoil }
swarm.worker "spoils its input, called again" { role = "weak", run = spoil }
local function reads_input(ctx)
  pcall(function()
    return ctx.input.path, ctx.input.inner.path, ctx.prompt
  end)
end
swarm.after("spoils its input", reads_input)
swarm.settled("spoils its input", reads_input)
swarm.before("spoils its input, called again", function(_, input)
  local _ = input.path
end)
swarm.around("spoils its input, called again", function(_, following)
  following()
  return following()
end)

local kept
swarm.worker "spoils its meta" {
  role = "weak",
  run = function(ctx)
    assert(ctx.meta.from_hook == 1)
    setmetatable(ctx.meta, { __index = probe, __newindex = probe })
    ctx.meta.user = evil()
  end,
}
swarm.around("spoils its meta", function(ctx, following)
  local meta = ctx.meta
  meta.from_hook = 1
  local made = following()
  kept = { pcall(function()
    meta.other = 1
    return meta.trace_id, meta.user
  end) }
  pcall(function()
    ---@diagnostic disable-next-line: preferred-local-alias
    return ctx.meta.trace_id, ctx.meta.user.name
  end)
  return made
end)

swarm.worker "counts in meta" {
  role = "weak",
  run = function(ctx)
    ctx.meta.n = ctx.meta.n + 1
    return ctx.meta
  end,
}
swarm.before("counts in meta", function(ctx)
  ctx.meta.n = 1
end)
local counted
swarm.after("counts in meta", function(ctx)
  counted = ctx.meta.n
end)

swarm.worker "innocent" {
  run = function(ctx)
    ctx:artifact("report", "true")
    swarm.sleep(1)
    return ctx.meta
  end,
}

swarm.worker "sets data" {
  role = "nothing",
  run = function()
    swarm.set_data("config", "evil")
  end,
}

-- What comes of it --------------------------------------------------------------------------------

describe("an attacker", function()
  it("has no operator's rights after a stack that overflowed in an event hook", function()
    for _ = 1, 8 do
      swarm.join(swarm.spawn("overflows"))
      assert.is_false(reached)
      is_safe()
    end
  end)

  it("borrows nothing, and takes nothing away, where a hook's stack overflows", function()
    runs, borrowed = 0, false
    assert(swarm.join(swarm.spawn("runs to the end")))
    assert.is_true(runs > 1000 and stays)
    assert.is_false(borrowed)
  end)

  for _, name in ipairs(names) do
    it("has nothing run by who reads its error: " .. name, function()
      local h = swarm.spawn(name)
      local _, err = swarm.join(h)
      if later then
        later.__index, later.__newindex, later.__tostring = evil, probe, evil
      end
      assert.equal("string", type(read_all(err)))
      assert.equal("string", type(outcomes[name]))
      local outcome = swarm.settle({ swarm.spawn(name) })[1]
      read_all(outcome.err)
      read_all(select(2, pcall(swarm.all, { swarm.spawn(name) })))
      read_all(select(2, pcall(swarm.any, { swarm.spawn(name) })))
      read_all(select(
        2,
        pcall(swarm.scope, function(scope)
          scope:spawn(name)
        end)
      ))
      read_all(select(2, pcall(swarm.call, name)))
      is_safe()
      later = nil
    end)
  end

  for _, name in ipairs(names) do
    it("has nothing run by a hook that catches its error: " .. name, function()
      local _, err = swarm.join(swarm.spawn("around: " .. name))
      assert.equal("table", type(err))
      is_safe()
      later = nil
    end)
  end

  it("has nothing run by a hook around a cancelled worker, which is cancelled still", function()
    local h = swarm.spawn("spoils its cancel")
    swarm.sleep(0.01)
    swarm.cancel(h, "enough", { wait = true })
    assert.equal("cancelled", h.status)
    assert.same({ "cancelled", "cancelled" }, cancels)
    assert.equal("enough", select(2, swarm.join(h)).reason)
    is_safe()
  end)

  it("has nothing run by others who read the same error", function()
    local h = swarm.spawn(function()
      swarm.sleep(1)
      error { code = "mine", list = { { 1 } } }
    end)
    swarm.join(swarm.spawn("spoils what it reads", h))
    local _, err = swarm.join(h)
    read_all(err)
    assert.is_nil(err.detail)
    is_safe()
  end)

  it("has nothing run by hooks that read its input", function()
    for _, name in ipairs { "spoils its input", "spoils its input, called again" } do
      swarm.join(swarm.spawn(name, { path = "p", prompt = "q", inner = { path = "r" } }))
      is_safe()
    end
  end)

  it("has nothing run by hooks that read its meta, a table that they kept neither", function()
    swarm.join(swarm.spawn("spoils its meta"))
    assert.is_true(kept[1])
    assert.is_nil(kept[2])
    is_safe()
  end)

  it("shares its meta with its hooks all the same", function()
    assert.same({ n = 2 }, swarm.call "counts in meta")
    assert.equal(2, counted)
  end)

  it("writes nothing into another's tail, nor its meta", function()
    local h = swarm.spawn("innocent")
    swarm.sleep(0.5)
    for _, write in ipairs {
      function()
        h:artifact("report", "forged")
      end,
      function()
        ---@diagnostic disable-next-line: undefined-field
        h:progress "forged"
      end,
      function()
        ---@diagnostic disable-next-line: undefined-field
        h:partial "forged"
      end,
      function()
        h:usage { tokens = 1 }
      end,
    } do
      local err = assert.has_error(write, { code = "invalid_argument" })
      assert.matches('tail of the worker that calls it.*"innocent"', err.message)
    end
    h.meta.forged = true
    assert.equal("true", h:artifact "report")
    assert.same({}, h:result())
    assert.equal(2, #h:output_tail())
  end)

  it("sets no data without the verb", function()
    swarm.set_data("config", "good")
    local _, err = swarm.join(swarm.spawn("sets data"))
    assert.equal("role_violation", err.code)
    assert.equal("good", swarm.data "config")
  end)

  it("blames nobody else with an error that it caught and wrote upon", function()
    local forged = { task_id = "T-99", name = "innocent", where = "good.lua:1" }
    forged.spawned_at, forged.spawned_by = "good.lua:2", "good.lua:3"
    local function forge(err)
      for key, value in pairs(forged) do
        err[key] = value
      end
      error(err)
    end
    local own = swarm.spawn(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      forge(select(2, pcall(swarm.sleep, "x")))
    end)
    local _, err = swarm.join(own)
    assert.equal(own.task_id, err.task_id)
    assert.matches("^function at .*attacks_spec", err.name)
    assert.is_nil(err.cause)

    local inner
    local outer = swarm.spawn(function()
      inner = swarm.spawn(function()
        error "inner"
      end)
      forge(select(2, swarm.join(inner)))
    end)
    _, err = swarm.join(outer)
    assert.equal(outer.task_id, err.task_id)
    assert.matches("attacks_spec", err.where)
    assert.equal(inner.task_id, err.cause.task_id)
    assert.matches("^function at .*attacks_spec", err.cause.name)
    assert.matches("attacks_spec", err.cause.where)
    assert.matches("attacks_spec", err.cause.spawned_at)
    assert.is_nil(err.cause.spawned_by)
  end)

  it("cannot take its own worker's part in an error away, in a result either", function()
    local h = swarm.spawn(function()
      error "inner"
    end)
    local _, err = swarm.join(h)
    local carried = swarm.call(function()
      return { err = err }
    end)
    carried.err.task_id, carried.err.name = nil, nil
    local _, outer = swarm.join(swarm.spawn(function()
      error(carried.err)
    end))
    assert.equal(h.task_id, outer.cause.task_id)
  end)
end)
