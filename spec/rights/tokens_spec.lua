-- Tokens: whose rights one has, in which order it is asked, and when it ends.
local mistaken = require("outcomes").mistaken
local swarm = require "swarm"

swarm.role("deputy", {
  extends = "worker",
  allow = { "mint_worker_token", read_files = { "src/**" } },
  deny = { "write_files" },
})

local function code(fn, ...)
  local ok, err = pcall(fn, ...)
  return ok and "passed" or err.code
end

local verify = swarm.token.verify

local todo -- what the next deputy does
swarm.worker("deputy at work", {
  role = "deputy",
  run = function(ctx)
    return todo(ctx)
  end,
})

local function deputy(fn)
  todo = fn
  return swarm.call "deputy at work"
end

it("a token may what its worker may", function()
  deputy(function(ctx)
    local token = ctx:token()
    assert.equals("passed", code(verify, token, "emit_output"))
    assert.equals("passed", code(verify, token, "read_files"))
    assert.equals("role_violation", code(verify, token, "write_files"))
    assert.equals("role_violation", code(verify, token, "answer_query"))
  end)
end)

it("what it says is what was verified", function()
  deputy(function(ctx)
    local said = verify(ctx:token { ttl = 60 }, "emit_output")
    assert.equals("deputy at work", said.agent)
    assert.equals("deputy", said.role)
    assert.equals(ctx.task_id, said.task_id)
    assert.equals(1, said.attempt)
    assert.truthy(said.expires > swarm.now() and said.expires < swarm.now() + 61)
    assert.equals(12, #said.fingerprint)
  end)
end)

it("a caveat leaves out what it does not name", function()
  deputy(function(ctx)
    local token = ctx:token { verbs = { "emit_output", "read_files" } }
    assert.equals("passed", code(verify, token, "emit_output"))
    assert.equals("role_violation", code(verify, token, "fetch_prompt"))
    local none = swarm.token.attenuate(token, { verbs = { "fetch_prompt" } })
    assert.equals("role_violation", code(verify, none, "fetch_prompt"))
    assert.equals("role_violation", code(verify, none, "emit_output"))
  end)
end)

it("uses are counted for all that is made of one", function()
  deputy(function(ctx)
    local token = ctx:token { uses = 2 }
    local narrow = swarm.token.attenuate(token, { verbs = { "emit_output" } })
    verify(token, "emit_output")
    assert.equals("role_violation", code(verify, narrow, "fetch_prompt")) -- takes none
    verify(narrow, "emit_output")
    assert.equals("token_uses_exhausted", code(verify, narrow, "emit_output"))
    assert.equals("token_uses_exhausted", code(verify, token, "emit_output"))
  end)
end)

it("a revoked token is worth nothing, and what was made of it", function()
  deputy(function(ctx)
    local token = ctx:token()
    local one = swarm.token.attenuate(token, { uses = 5 })
    local below = swarm.token.attenuate(one, { ttl = 60 })
    swarm.token.revoke(one)
    assert.equals("token_revoked", code(verify, below, "emit_output"))
    assert.equals("token_revoked", code(verify, one, "emit_output"))
    assert.equals("passed", code(verify, token, "emit_output"))
  end)
end)

it("a token ends with its attempt", function()
  local token = deputy(function(ctx)
    return ctx:token()
  end)
  assert.equals("token_not_found", code(verify, token, "emit_output"))
end)

it("a token expires", function()
  deputy(function(ctx)
    local token = ctx:token { ttl = 60 }
    local short = swarm.token.attenuate(token, { ttl = 30 })
    clock.advance(31)
    assert.equals("token_expired", code(verify, short, "emit_output"))
    assert.equals("passed", code(verify, token, "emit_output"))
    clock.advance(30)
    assert.equals("token_expired", code(verify, token, "emit_output"))
  end)
end)

it("a second attempt has a token of its own", function()
  local tokens = {}
  local h = swarm.spawn(function(ctx)
    tokens[ctx.attempt] = ctx:token()
    if ctx.attempt == 1 then
      error "again"
    end
    assert.equals("token_not_found", code(verify, tokens[1], "emit_output"))
    assert.equals("passed", code(verify, tokens[2], "emit_output"))
  end, nil, { retries = 1 })
  h:result()
end)

it("it speaks for its task and those below it", function()
  local other = swarm.spawn(swarm.yield)
  local other_id = other.task_id
  deputy(function(ctx)
    local below = swarm.spawn(swarm.yield)
    local token = ctx:token()
    assert.equals("passed", code(verify, token, "poll_task", ctx.task_id))
    assert.equals("passed", code(verify, token, "poll_task", below.task_id))
    assert.equals("token_task_mismatch", code(verify, token, "poll_task", other_id))
    assert.equals("token_task_mismatch", code(verify, token, "poll_task", "T-999999"))
  end)
end)

it("what was changed is no token", function()
  deputy(function(ctx)
    local token = ctx:token()
    for _, changed in ipairs { "", "x", token .. "A", token:sub(1, -2), token:upper() } do
      assert.equals("bad_signature", code(verify, changed, "emit_output"))
    end
  end)
end)

it("a mistake is told", function()
  deputy(function(ctx)
    local token = ctx:token()
    local attenuate = swarm.token.attenuate
    mistaken('there is no caveat "verb"; did you mean verbs', ctx.token, ctx, { verb = 1 })
    mistaken('there is no verb "emit"', attenuate, token, { verbs = { "emit" } })
    mistaken("uses must be a number above zero", attenuate, token, { uses = 0 })
    mistaken("takes a table of caveats", attenuate, token, 5)
    mistaken("takes a token, and got 5", verify, 5, "emit_output")
    mistaken('there is no verb "emit"', verify, token, "emit")
  end)
end)

it("who may not make one, does not", function()
  swarm
    .spawn(function(ctx)
      assert.equals("passed", code(ctx.token, ctx))
      local h = swarm.spawn(swarm.yield)
      ---@diagnostic disable-next-line: undefined-field
      assert.equals("invalid_argument", code(h.token, h)) -- it is another's
    end)
    :result()
end)

it("an attempt that ends while a use is counted is over", function()
  for turns = 0, 30 do -- it ends before, meanwhile or after
    local token
    local ready, go = swarm.event(), swarm.event()
    local h = swarm.spawn(function(ctx)
      token = ctx:token { uses = 1 }
      ready:set()
      go:wait()
      for _ = 1, turns do
        swarm.sleep(0)
      end
    end)
    ready:wait()
    go:set()
    local found = code(verify, token, "emit_output")
    assert.equals(h.status == "running" and "passed" or "token_not_found", found)
    h:join()
  end
end)
