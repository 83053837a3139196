-- The executable side of roles.md, in its order. The table of verbs and roles that do not load are
-- proved by tests/host/test_roles.py.
local swarm = require "swarm"

-- The roles that come with the host, as the contract lists them.
local LEAF = "fetch_prompt fetch_data post_result verify_token emit_output "
local HOST = "run_process read_files write_files use_network read_env call_python ask_operator "
  .. "use_model "
local ROLES = {
  operator = LEAF
    .. HOST
    .. "start_task dispatch_attempt mint_worker_token read_task_state "
    .. "cancel_task query_senior mark_pass mark_blocked attach_session detach_session heartbeat "
    .. "poll_task subscribe_events read_trace answer_query",
  worker = LEAF
    .. HOST
    .. "start_task dispatch_attempt read_task_state poll_task cancel_task "
    .. "query_senior",
  observer = "subscribe_events read_trace read_task_state",
  senior = "answer_query override_verdict pause_loop resume_loop inject_directive read_task_state",
}

local function echo(_, input)
  return input
end

local function never()
  swarm.sleep(1000)
end

---What a worker may do: each call that asks the gate, by its verb. The worker is handed a handle of
---another that has settled, and of one that has not.
local CALLS = {
  start_task = {
    spawn = function()
      swarm.spawn(echo)
    end,
    call = function()
      swarm.call(echo)
    end,
    ["scope:spawn"] = function()
      swarm.scope(function(scope)
        scope:spawn(echo)
      end)
    end,
  },
  poll_task = {
    join = function(_, other)
      swarm.join(other.settled)
    end,
    result = function(_, other)
      swarm.result(other.settled)
    end,
    ["h:join"] = function(_, other)
      other.settled:join()
    end,
    ["h:result"] = function(_, other)
      other.settled:result()
    end,
  },
  cancel_task = {
    cancel = function(_, other)
      swarm.cancel(other.live)
    end,
    ["cancel, waiting"] = function(_, other)
      swarm.cancel(other.live, "x", { wait = true })
    end,
    ["h:cancel"] = function(_, other)
      other.live:cancel()
    end,
    ["token:cancel"] = function(_, other)
      other.live.cancel_token:cancel()
    end,
  },
  read_task_state = {
    output_tail = function(_, other)
      swarm.output_tail(other.live)
    end,
    follow = function(_, other)
      swarm.follow(other.settled)()
    end,
    ["h:output_tail"] = function(_, other)
      other.live:output_tail()
    end,
    ["h:artifact"] = function(_, other)
      other.live:artifact "x"
    end,
    status = function(_, other)
      return other.live.status
    end,
  },
  emit_output = {
    progress = function(ctx)
      ctx:progress "x"
    end,
    partial = function(ctx)
      ctx:partial "x"
    end,
    artifact = function(ctx)
      ctx:artifact("x", 1)
    end,
    usage = function(ctx)
      ctx:usage { tokens = 1 }
    end,
  },
  fetch_prompt = {
    prompt = function(ctx)
      return ctx.prompt
    end,
  },
  read_files = {
    exists = function()
      swarm.fs.exists "x"
    end,
    read = function()
      swarm.fs.read "."
    end,
    stat = function()
      swarm.fs.stat "x"
    end,
    list = function()
      swarm.fs.list "x"
    end,
    glob = function()
      swarm.fs.glob "x"
    end,
  },
  write_files = {
    write = function()
      swarm.fs.write("no/such/folder/x", "x")
    end,
    append = function()
      swarm.fs.append("no/such/folder/x", "x")
    end,
    remove = function()
      swarm.fs.remove "no/such/folder/x"
    end,
  },
  read_env = {
    env = function()
      swarm.env "HOME"
    end,
  },
}

for verb in pairs(CALLS) do
  swarm.role("all but " .. verb, { extends = "worker", deny = { verb } })
  swarm.role("only " .. verb, { allow = { verb, "post_result" } })
end
swarm.role "all but post_result" { extends = "worker", deny = { "post_result" } }

---A worker of a role that runs the function it is handed by name.
local function prober(name, role, authority)
  swarm.worker(name, {
    role = role,
    authority = authority,
    run = function(ctx, input)
      local _, err = pcall(CALLS[input.verb][input.call], ctx, input.other)
      return type(err) == "table" and { code = err.code, verb = err.verb, role = err.role } or {}
    end,
  })
end
for verb in pairs(CALLS) do
  prober("no " .. verb, "all but " .. verb)
  prober("only " .. verb, "only " .. verb)
end
for role in pairs(ROLES) do
  prober("built-in " .. role, role)
  swarm.role(role .. " who says", { extends = role, allow = { "post_result" } })
  prober(role .. " who says", role .. " who says")
end

---Two tasks of somebody else's.
local function others()
  local settled = swarm.spawn(echo, 1)
  swarm.join(settled)
  local live = swarm.spawn(never)
  swarm.yield()
  return { settled = settled, live = live }
end

local function refused(by, verb, call)
  local other = others()
  local answer = swarm.call(by, { verb = verb, call = call, other = other })
  other.live:cancel("over", { wait = true })
  return answer.code == "role_violation" and answer.verb == verb
end

local function has(role, verb)
  return (" " .. ROLES[role] .. " "):find(" " .. verb .. " ", 1, true) ~= nil
end

-- Roles -------------------------------------------------------------------------------------------

describe("the roles that come with the host", function()
  it("allow what the contract says, at each call, and nothing else", function()
    for role in pairs(ROLES) do
      for verb, calls in pairs(CALLS) do
        for call in pairs(calls) do
          local label = role .. ": " .. call
          assert.equal(not has(role, verb), refused(role .. " who says", verb, call), label)
        end
      end
    end
  end)

  it("let operator and worker post results, and neither observer nor senior", function()
    for role in pairs(ROLES) do
      local h = swarm.spawn("built-in " .. role, { verb = "fetch_prompt", call = "prompt" })
      local _, err = h:join()
      assert.equal(has(role, "post_result") and "pass" or "failed", h.status, role)
      assert.equal(err and "role_violation", err and err.code)
    end
  end)

  it("make main an operator", function(ctx)
    assert.equal("operator", ctx.role)
  end)
end)

swarm.role "nothing" {}
swarm.role "reader" { extends = "worker", allow = { read_files = { "a/**" } } }
swarm.role "narrower" { extends = "reader", allow = { read_files = { "b/**" } } }
swarm.role "wider" { extends = "reader", allow = { "read_files" } }
swarm.role "denied" { allow = { "start_task", "post_result" }, deny = { "start_task" } }
swarm.role "linter" {
  extends = "worker",
  allow = { start_task = { "lint-*", "fix" }, read_files = true },
}
for _, name in ipairs { "lint-a", "fix", "deploy" } do
  swarm.worker(name, { run = echo })
end
local function tries(name, role, authority)
  swarm.worker(name, {
    role = role,
    authority = authority,
    run = function(_, target)
      local _, err = pcall(swarm.call, target)
      return type(err) == "table" and err.message or "done"
    end,
  })
end
tries("linter", "linter")
tries("denied", "denied")
swarm.worker "nothing" {
  role = "nothing",
  run = function(_, target)
    if target then
      return target
    end
  end,
}

describe("swarm.role", function()
  it("allows nothing where it extends nothing", function()
    assert.is_nil(swarm.call "nothing")
    assert.equal("role_violation", select(2, swarm.join(swarm.spawn("nothing", 1))).code)
  end)

  it("denies each verb of what it extends by itself, at each call", function()
    for verb, calls in pairs(CALLS) do
      for call in pairs(calls) do
        assert.is_true(refused("no " .. verb, verb, call), call)
        for other, theirs in pairs(CALLS) do
          if other ~= verb then
            assert.is_false(refused("no " .. verb, other, (next(theirs))), verb .. ": " .. other)
          end
        end
      end
    end
  end)

  it("allows a verb by itself", function()
    for verb, calls in pairs(CALLS) do
      for call in pairs(calls) do
        assert.is_false(refused("only " .. verb, verb, call), call)
      end
    end
  end)

  it("denies what it allows: deny wins", function()
    assert.equal('role "denied" does not allow start_task', swarm.call("denied", "fix"))
  end)

  it("bounds which workers may be started; a function fits no name", function()
    assert.equal("done", swarm.call("linter", "lint-a"))
    assert.equal("done", swarm.call("linter", "fix"))
    assert.equal(
      'role "linter" bounds start_task, and "deploy" is out of bounds: it allows lint-*, fix',
      swarm.call("linter", "deploy")
    )
  end)
end)

-- Children ----------------------------------------------------------------------------------------

swarm.role "starter" {
  allow = { "start_task", "poll_task", "post_result", "fetch_prompt", "read_task_state" },
}
swarm.role "a or c" {
  extends = "worker",
  allow = { start_task = { "a", "c", "down" } },
}
swarm.role "b or c" {
  extends = "worker",
  allow = { start_task = { "b", "c", "down" } },
}
for _, name in ipairs { "a", "b", "c" } do
  swarm.worker(name, { run = echo })
end

---Spawns along a path of workers and says what the last one may do.
local function down(name, role, authority)
  swarm.worker(name, {
    role = role,
    authority = authority,
    run = function(ctx, path)
      local following = table.remove(path, 1)
      if following == "env" then
        local ok, err = pcall(swarm.env, "HOME")
        return ok and "done" or err.message
      elseif following == "function" then
        return swarm.call(function(inner)
          local ok, err = pcall(swarm.env, "HOME")
          return { ok, inner.role, err and err.code }
        end)
      elseif following == "role" then
        return ctx.role
      end
      local ok, result = pcall(swarm.call, following, path)
      return ok and (result or "done") or result.message
    end,
  })
end
down("starter", "starter")
down("worker", nil)
down("own", "worker", "own")
down("operator", "operator")
swarm.role "ac" { extends = "a or c", allow = { start_task = { "?", "down*" } } }
down("down ac", "a or c")
down("down bc", "b or c")
swarm.role "any" { extends = "worker", allow = { start_task = { "*" } } }
down("any", "any")
swarm.worker "any function" {
  role = "any",
  run = function()
    return swarm.call(echo, "ran")
  end,
}
swarm.worker "linter's function" {
  role = "linter",
  run = function()
    return swarm.call(echo, "ran")
  end,
}

describe("a child's rights", function()
  it("are its role's, cut down by its spawner's, at every depth", function()
    assert.equal("done", swarm.call("worker", { "env" }))
    local message = 'role "worker" allows read_env, but the worker that spawned this one may not'
    assert.equal(message, swarm.call("starter", { "worker", "env" }))
    assert.equal(message, swarm.call("starter", { "worker", "worker", "worker", "env" }))
    assert.matches("read_env", swarm.call("starter", { "operator", "worker", "env" }))
  end)

  it("are its role's own where its definition says so", function()
    assert.equal("done", swarm.call("starter", { "worker", "own", "env" }))
    assert.equal("done", swarm.call("starter", { "own", "worker", "env" }))
  end)

  it("must fit the bounds of both", function()
    assert.same({}, swarm.call("down ac", { "a" }))
    assert.matches('"b" is out of bounds', swarm.call("down ac", { "b" }))
    assert.matches('"down bc" is out of bounds', swarm.call("down ac", { "down bc", "c" }))
  end)

  it("are its spawner's where it has no name", function()
    assert.same({ false, "starter", "role_violation" }, swarm.call("starter", { "function" }))
    assert.same({ true, "worker" }, swarm.call("worker", { "function" }))
  end)

  it("of a function ask for a bound that fits no name in particular", function()
    assert.equal("ran", swarm.call "any function")
    local _, err = swarm.join(swarm.spawn "linter's function")
    assert.matches("bounds start_task, and a function is out of bounds", err.message)
  end)

  it("keep the role's name", function()
    assert.equal("worker", swarm.call("starter", { "worker", "role" }))
  end)
end)

-- Ownership ---------------------------------------------------------------------------------------

swarm.worker "reaches" {
  run = function(ctx, input)
    local own = swarm.spawn(function()
      return swarm.spawn(echo, "below").task_id
    end)
    local below = swarm.result(own)
    local reached = {}
    local ids = { itself = ctx.task_id, child = own.task_id, below = below, other = input }
    for label, id in pairs(ids) do
      local ok, err = pcall(swarm.output_tail, id)
      reached[label] = ok or { err.code, err.bound == ctx.task_id, err.arg == input }
    end
    for _, call in ipairs { "join", "result", "cancel", "output_tail", "follow" } do
      local ok, err = pcall(swarm[call], input)
      assert(not ok and err.code == "token_task_mismatch", call)
    end
    return reached
  end,
}
swarm.worker "operator by id" {
  role = "operator",
  run = function(_, id)
    local ok, err = pcall(swarm.output_tail, id)
    return ok or err.code
  end,
}
swarm.worker "spawns an operator" {
  role = "starter",
  run = function(_, id)
    return swarm.call("operator by id", id)
  end,
}
swarm.worker "by handle" {
  run = function(_, h)
    return swarm.result(h)
  end,
}

describe("with a bare task_id", function()
  it("a worker reaches itself and what is below it, else token_task_mismatch", function()
    local other = swarm.spawn(never)
    local reached = swarm.call("reaches", other.task_id)
    other:cancel()
    assert.same({
      itself = true,
      child = true,
      below = true,
      other = { "token_task_mismatch", true, true },
    }, reached)
  end)

  it("an operator reaches all, save one whose rights were cut down", function()
    local other = swarm.spawn(never)
    assert.is_true(swarm.call("operator by id", other.task_id))
    assert.equal("token_task_mismatch", swarm.call("spawns an operator", other.task_id))
    other:cancel()
  end)

  it("is not asked of who has the handle: it stands for the ownership, not for the verb", function()
    assert.equal(5, swarm.call("by handle", swarm.spawn(echo, 5)))
    assert.is_true(refused("no poll_task", "poll_task", "join"))
  end)
end)

-- A refusal ---------------------------------------------------------------------------------------

local began = 0
swarm.worker "begins" {
  run = function()
    began = began + 1
  end,
}
swarm.worker "may not begin it" {
  role = "all but start_task",
  run = function()
    local ok, err = pcall(swarm.spawn, "begins")
    return { ok, err.where, tostring(err), err.role, err.verb }
  end,
}

describe("a refusal", function()
  it("is role_violation, before anything happens, at the author's line", function()
    local said = swarm.call "may not begin it"
    swarm.sleep(1)
    assert.equal(0, began)
    assert.matches("roles_spec%.lua:%d+$", said[2])
    assert.matches(
      'role "all but start_task" does not allow start_task %(role_violation%)$',
      said[3]
    )
    assert.same({ "all but start_task", "start_task" }, { said[4], said[5] })
  end)
end)

-- Roles that take turns ---------------------------------------------------------------------------

swarm.role "left" { extends = "worker", deny = { "read_env" } }
swarm.role "right" { extends = "worker", allow = { read_files = { "x" } } }
local made = 0
for _, name in ipairs { "left", "right" } do
  swarm.worker(name, {
    role = name,
    run = function(_, depth)
      made = made + 1
      if depth > 0 then
        swarm.call("left", depth - 1)
        swarm.call("right", depth - 1)
      end
    end,
  })
end

describe("roles that take turns", function()
  it("make no more sets of rights than there are ways to cut them down", function()
    swarm.call("left", 12)
    collectgarbage()
    local before = collectgarbage "count"
    swarm.call("right", 12)
    collectgarbage()
    assert.equal(2 * (2 ^ 13 - 1), made)
    assert.truthy(collectgarbage "count" - before < 512)
  end)
end)

describe("swarm.mark", function()
  it("refuses a task that waits for no answer, and says so", function()
    local h = swarm.spawn(function()
      swarm.sleep(10)
    end)
    swarm.yield()
    local err = assert.has_error(function()
      swarm.mark(h, "pass")
    end, { code = "invalid_argument" })
    assert.matches("running: only a task that waits for an answer", err.message)
    assert.has_error(function()
      ---@diagnostic disable-next-line: param-type-mismatch
      swarm.mark(h, "fine")
    end, { code = "invalid_argument" })
    h:cancel()
  end)

  it("is not a worker's to call", function()
    local h = swarm.spawn("marker")
    local _, err = swarm.join(h)
    assert.equal("role_violation", err.code)
    assert.equal("mark_blocked", err.verb)
  end)
end)

swarm.worker "marker" {
  run = function(ctx)
    swarm.mark(ctx, "blocked")
  end,
}
