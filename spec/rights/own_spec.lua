-- The role of a worker made from a function is its spawner's, and stays so once it has settled; a
-- policy of retries runs with the rights of who gave it.
local swarm = require "swarm"

swarm.role("narrow", { extends = "worker", deny = { "write_files" } })

local kept = {}

local function function_of(how)
  return function()
    kept.handle = how(function()
      swarm.yield()
    end)
  end
end

swarm.worker("detaches", {
  role = "narrow",
  run = function_of(function(fn)
    return swarm.spawn(fn, nil, { detached = true })
  end),
})

swarm.worker("supervises", {
  role = "narrow",
  run = function()
    local child = { swarm.yield, id = "one", restart = "temporary" }
    local sup = swarm.supervise { children = { child } }
    kept.handle = sup:children()[1].handle
  end,
})

describe("the role of a worker made from a function", function()
  for _, name in ipairs { "detaches", "supervises" } do
    it("is its spawner's, where that one " .. name .. " it, also once it has settled", function()
      swarm.call(name)
      kept.handle:join()
      assert.equal("pass", kept.handle.status)
      assert.equal("narrow", kept.handle.role)
    end)
  end
end)

swarm.role("hook's", { extends = "worker" })
swarm.role("event's", { extends = "worker" })

local seen = {}

swarm.layer("within another", {
  role = "hook's",
  around = function(ctx, next)
    ctx:progress "from the hook"
    return next()
  end,
})
swarm.layer("of events", {
  role = "event's",
  event = function(ctx)
    seen[#seen + 1] = ctx.role
  end,
})
swarm.use("within another")
swarm.use("of events")

describe("the role of a worker whose hooks have others", function()
  it("is its own in a hook, and in one within that", function()
    seen = {}
    swarm.call(function()
      return 1
    end)
    assert.same({ "operator", "operator" }, seen)
  end)
end)

local asked -- what the policy came to

local function ask()
  local ok, err = pcall(swarm.fs.exists, "nothing")
  asked = ok or err.code
  return false
end

swarm.role("blind", { extends = "worker", deny = { "read_files" } })

swarm.worker("sees", {
  role = "worker",
  authority = "own",
  run = function()
    error "broke"
  end,
})

swarm.worker("is blind", {
  role = "blind",
  run = function()
    error "broke"
  end,
})

swarm.worker("blind giver", {
  role = "blind",
  run = function()
    swarm.spawn("sees", nil, { retries = { max = 1, on = ask } }):join()
  end,
})

describe("a function given as retries.on with a spawn", function()
  it("does no more than who gave it may", function()
    asked = nil
    swarm.call "blind giver"
    assert.equal("role_violation", asked)
  end)

  it("does what who gave it may, whatever the worker may", function()
    asked = nil
    mock.port("files", function()
      return false
    end)
    swarm.spawn("is blind", nil, { retries = { max = 1, on = ask } }):join()
    assert.is_true(asked)
  end)
end)
