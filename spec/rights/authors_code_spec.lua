-- Proves roles.md, "An author's code". What code may do is tried with a verb of its own: each hook
-- and policy here asks for the environment.
local swarm = require "swarm"

local said = {}

---Notes down whether who runs may read the environment, and under which role it is known.
local function try(what, ctx)
  local ok, err = pcall(swarm.env, "HOME")
  said[what] = { may = ok, code = not ok and err.code or nil, role = ctx and ctx.role }
end

swarm.role "weak" { extends = "worker", deny = { "read_env" } }
swarm.role "weaker" { extends = "worker", deny = { "read_env", "read_files" } }

---A policy that says no, after it has tried.
local function policy(what)
  return {
    max = 1,
    backoff = 0,
    on = function()
      try(what)
      return false
    end,
  }
end

local function boom()
  error "boom"
end

local function one()
  return 1
end

swarm.worker "raises" { role = "weak", retries = policy "after a run that raised", run = boom }

swarm.worker "raises in after" {
  role = "weak",
  retries = policy "after a hook that raised",
  run = one,
}
swarm.after("raises in after", function(ctx)
  try("the hook that raised", ctx)
  boom()
end)

swarm.worker "cancelled in after" {
  role = "weak",
  retries = policy "after a hook that ran out of time",
  timeout = 1,
  run = one,
}
swarm.after("cancelled in after", function()
  swarm.sleep(5)
end)

swarm.worker "caught" { role = "weak", run = boom }
swarm.around("caught", function(_, next)
  pcall(next)
  try "an around hook, once what is inside has raised"
  return { value = 1, ok = true }
end)

swarm.layer "broken" { event = boom, role = "operator" }
swarm.worker "with a broken layer" {
  role = "weak",
  layers = { "broken" },
  run = function(ctx)
    pcall(ctx.progress, ctx, "said")
    try("a worker whose event hook raised", ctx)
  end,
}

-- Asked for with a policy of the asker's, and with more rights than the asker has.
swarm.worker "service" { authority = "own", role = "operator", run = boom }
swarm.worker "asks with a policy" {
  role = "weak",
  run = function()
    return pcall(swarm.call, "service", nil, { retries = policy "a policy given to spawn" })
  end,
}
swarm.worker "less than its asker" { role = "weaker", run = boom }
swarm.worker "asks of less" {
  run = function()
    return pcall(swarm.call, "less than its asker", nil, {
      retries = policy "a policy given by who may more",
    })
  end,
}
swarm.worker "own policy" {
  authority = "own",
  retries = policy "a policy of the definition's",
  run = boom,
}
swarm.worker "calls own policy" {
  role = "weak",
  run = function()
    return pcall(swarm.call, "own policy")
  end,
}

-- A hook around a worker that was made from a function.
swarm.worker "calls a function" {
  role = "weak",
  run = function()
    return swarm.call(function(ctx)
      try("a function", ctx)
    end)
  end,
}
swarm.before("*", function(ctx)
  if ctx.name == nil then
    try("a hook around a function", ctx)
  end
end)

local function tried(name, what)
  swarm.join(swarm.spawn(name))
  return said[what]
end

describe("an author's code", function()
  it("has its worker's rights as a policy", function()
    assert.equal("role_violation", tried("raises", "after a run that raised").code)
  end)

  it("has no rights of a hook that raised before", function()
    assert.equal("role_violation", tried("raises in after", "after a hook that raised").code)
    assert.is_true(said["the hook that raised"].may)
  end)

  it("has no rights of a hook that ran out of time", function()
    local what = "after a hook that ran out of time"
    assert.equal("role_violation", tried("cancelled in after", what).code)
  end)

  it("has a hook's own rights again once what is inside has raised", function()
    assert.is_true(tried("caught", "an around hook, once what is inside has raised").may)
  end)

  it("has no rights of an event hook that raised", function()
    local what = "a worker whose event hook raised"
    assert.equal("role_violation", tried("with a broken layer", what).code)
  end)

  it("has, as a policy given to spawn, the rights of who gave it: not the child's", function()
    local what = "a policy given to spawn"
    assert.equal("role_violation", tried("asks with a policy", what).code)
    assert.is_true(tried("asks of less", "a policy given by who may more").may)
  end)

  it("has, as a definition's policy, that worker's rights, whoever calls it", function()
    assert.is_true(tried("calls own policy", "a policy of the definition's").may)
  end)

  it("knows its worker by the worker's role, in hooks too", function()
    local of_hook = tried("calls a function", "a hook around a function")
    assert.is_true(of_hook.may)
    assert.equal("weak", of_hook.role)
    assert.equal("weak", said["a function"].role)
    assert.equal("role_violation", said["a function"].code)
    assert.equal("weak", tried("raises in after", "the hook that raised").role)
  end)
end)
