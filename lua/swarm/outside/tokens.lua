-- Tokens: what leaves the VM. The host makes them and says whether one is genuine, revoked or over
-- its time (host/swarm_host/tokens); here stands whose rights each has. It speaks for one attempt
-- of one task, may at most what that worker may, and ends with it.
local acting = require "swarm.rights.acting"
local audit = require "swarm.events.audit"
local attempts = require "swarm.worker.attempts"
local bridge = require "swarm.outside.bridge"
local clock = require "swarm.ground.clock"
local budgets = require "swarm.worker.limits.budget"
local caveats = require "swarm.rights.caveats"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local records = require "swarm.journal.records"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local tasks = require "swarm.scope.tasks"
local values = require "swarm.values.values"
local VERBS = require "swarm.rights.verbs"
local format, pairs, type = string.format, pairs, type

local tokens = {
  face = {},
  methods = {},
  socket = nil, -- where the run listens
}

local TTL = 7 * 86400 -- seconds, where nothing is said: it ends with its attempt before that

---Where the run listens from now on; nil: nowhere.
function tokens.listen_at(path)
  tokens.socket = path
end

local offset -- from the monotonic clock to Unix time, as the first token was made

---Asks the host. Time goes on evenly, whatever the system's clock is set to meanwhile.
local function ask(payload, text)
  offset = offset or clock.wall() - clock.monotonic()
  payload.now = offset + clock.monotonic()
  return bridge.request("token", payload, text)
end

local NAMES = {
  verbs = true,
  paths = true,
  programs = true,
  hosts = true,
  ttl = true,
  uses = true,
  budget = true,
}

---Checks caveats as an author wrote them.
---@return table? copy nil: there are none
local function checked(given, call)
  if given == nil then
    return nil
  elseif type(given) ~= "table" then
    local message = "%s takes a table of caveats such as { uses = 1 }, and got %s"
    return errors.throw("invalid_argument", format(message, call, shown.value(given)))
  end
  local copied = values.copy(given, "caveats")
  for name, value in pairs(copied) do
    if not NAMES[name] then
      local hint = spelling.hint(name, NAMES, "")
      hint = hint == "" and "; there are " .. spelling.list(NAMES) or hint
      local message = "%s: there is no caveat %s%s"
      return errors.throw("invalid_argument", format(message, call, shown.value(name), hint))
    elseif name == "verbs" and type(value) == "table" then
      for i = 1, #value do
        if not VERBS[value[i]] then
          local hint = spelling.hint(value[i], VERBS, "")
          local message = "%s: there is no verb %s%s"
          local text = format(message, call, shown.value(value[i]), hint)
          return errors.throw("invalid_argument", text)
        end
      end
    end
    if type(value) == "table" and name ~= "budget" then
      copied[name] = values.array(value)
    end
  end
  return values.object(copied)
end

tokens.checked = checked

local function text_of(token, call)
  if type(token) ~= "string" then
    local got = shown.value(token)
    return errors.throw("invalid_argument", call .. " takes a token, and got " .. got)
  end
  return token
end

local spoken_for, spoken_n = {}, 0 -- tasks that tokens speak for; some are over
local looked = 0

---The ids of tasks that are over: nothing of their tokens needs to be known any more. Each token
---that is made looks at two, so that those of the living are all that is kept.
local function take_over()
  local over = {}
  for _ = 1, 2 do
    looked = looked < spoken_n and looked + 1 or 1
    local task = spoken_for[looked]
    if task and not task.worker then
      over[#over + 1] = tasks.task_id(task)
      task.extra.spoken_for = nil
      spoken_for[looked], spoken_for[spoken_n] = spoken_for[spoken_n], nil
      spoken_n = spoken_n - 1
    end
  end
  return values.array(over)
end

---Makes a token for the running attempt of a task.
---@param task table
---@param given table? caveats
---@return string token
function tokens.mint(task, given)
  given = given or {}
  local ttl = given.ttl or TTL
  local left = {}
  for name, value in pairs(given) do
    left[name] = name ~= "ttl" and value or nil
  end
  local extra = record.extra(task)
  if not extra.spoken_for then
    extra.spoken_for, spoken_n = true, spoken_n + 1
    spoken_for[spoken_n] = task
  end
  local fingerprint, text = ask({
    op = "mint",
    over = take_over(),
    agent = task.def.name or "main",
    role = acting.role_of(task),
    task = tasks.task_id(task),
    attempt = attempts.number(task),
    ttl = ttl,
    caveats = values.object(left),
  })
  if audit.on then
    audit.row("token_minted", {
      fingerprint = fingerprint,
      task_id = tasks.task_id(task),
      attempt = attempts.number(task),
      role = acting.role_of(task),
      ttl = ttl,
      caveats = values.object(left),
    })
  end
  if records.on then
    records.kept(task, "token", 0, fingerprint, attempts.number(task))
  end
  return text
end

local OF_CHILDREN = { leaf = true, swarm = true } -- groups of verbs

---The token that `{token}` stands for in the running attempt of a task: its program can read its
---prompt, say things, post its result and start tasks below it, as far as the worker may.
---@param task table
---@return string
function tokens.of_child(task)
  local extra = record.extra(task)
  if extra.invoked_by then
    local message = "{token} is not for a worker that is held open: each invocation is a task"
    return errors.throw("invalid_argument", message)
  end
  local kept, attempt = extra.child_token, attempts.number(task)
  if not kept or kept.attempt ~= attempt then
    local verbs = {}
    for verb, about in pairs(VERBS) do
      if OF_CHILDREN[about[1]] then
        verbs[#verbs + 1] = verb
      end
    end
    table.sort(verbs)
    kept = { attempt = attempt, text = tokens.mint(task, { verbs = values.array(verbs) }) }
    extra.child_token = kept
  end
  return kept.text
end

---The token that a program of a task's has, if it has one: it is hidden in all that comes back.
---@return string?
function tokens.kept(task)
  local kept = task.extra and task.extra.child_token
  return kept and kept.text
end

---Whom a token speaks for that is genuine, not revoked and in its time.
---@param claims table what it says
---@return table bearer { task, rights, claims }
local function bearer_of(claims)
  local task = tasks.by_id(claims.task_id)
  if not task or not task.worker or attempts.number(task) ~= claims.attempt then
    local message = "the token is of attempt %d of %s (%s), which is over"
    return errors.throw(
      "token_not_found",
      format(message, claims.attempt, claims.task_id, claims.agent),
      { task_id = claims.task_id }
    )
  end
  local own = task.extra and task.extra.lent_over or task.worker.rights
  return { task = task, own = own, rights = caveats.cut(own, claims.limits), claims = claims }
end

---Checks whether somebody with a token may do something, in the order of the contract: signature,
---revocation, expiry, role and verb, caveats, uses, whose task it is.
---@param text string
---@param verb string
---@param task_id string?
---@return table bearer { task, rights, claims }
function tokens.admit(text, verb, task_id)
  local claims = ask({ op = "admit" }, text)
  local bearer = bearer_of(claims)
  if not bearer.own[verb] then
    return gate.refuse({ rights = bearer.own, task = bearer.task }, verb)
  elseif not bearer.rights[verb] then
    if events.on then
      events.publish("refused", bearer.task, { verb = verb, role = claims.role })
    end
    return errors.throw(
      "role_violation",
      "the token does not allow " .. verb .. ": a caveat of it leaves that out",
      { role = claims.role, verb = verb }
    )
  end
  if claims.counted then
    ask({ op = "count" }, text)
    bearer = bearer_of(claims) -- meanwhile its attempt may have ended
  end
  if task_id and task_id ~= claims.task_id then
    local asked = tasks.by_id(task_id)
    if not asked or not record.is_below(asked, bearer.task) then
      return errors.throw(
        "token_task_mismatch",
        format("the token speaks for %s, and not for %s", claims.task_id, task_id),
        { bound = claims.task_id, arg = task_id }
      )
    end
  end
  return bearer
end

local MOST_BUDGETS = 10000 -- of the tokens of one task

---The budget of what is started with a token: that of its task, and within it those of its caveats,
---which all that is started with them share.
---@param bearer table
---@return table? budget
function tokens.budget(bearer)
  local extra = record.extra(bearer.task)
  local budget, given = extra.budget, bearer.claims.limits.budgets or {}
  for i = 1, #given do
    local name, limits = given[i][1], given[i][2]
    local known = extra.token_budgets or { many = 0 }
    extra.token_budgets = known
    if not known[name] then
      if known.many >= MOST_BUDGETS then
        local message = "there are budgets of %d tokens of worker %s already"
        local text = format(message, MOST_BUDGETS, record.title(bearer.task))
        return errors.throw("budget_exceeded", text, { what = "tokens of it" })
      end
      known.many = known.many + 1
      known[name] = budgets.of_token(limits, budget, bearer.task)
    end
    budget = known[name]
  end
  return budget
end

-- What scripts call. ------------------------------------------------------------------------------

---ctx:token(caveats?): a token for this attempt, which may at most what the worker may.
function tokens.methods.token(ctx, given)
  local task = handles.task(ctx, "ctx:token")
  local me = S.current
  gate.check(me, "mint_worker_token")
  if me.task ~= task then
    local message = "ctx:token makes a token of the worker that calls it, and this is the ctx of "
      .. "worker "
      .. record.title(task)
    return errors.throw("invalid_argument", message)
  end
  given = checked(given, "ctx:token") or {}
  if not acting.is_itself(me, task) then
    return errors.throw("role_violation", "a hook makes no token of its worker's", {
      verb = "mint_worker_token",
      role = me.rights.role,
    })
  end
  return tokens.mint(task, given)
end

---swarm.token.attenuate(token, caveats) → a token that may do less.
function tokens.face.attenuate(token, given)
  gate.check(S.current, "mint_worker_token")
  local call = "swarm.token.attenuate"
  local payload = { op = "attenuate", caveats = checked(given, call) or values.object {} }
  local made, text = ask(payload, text_of(token, call))
  if audit.on then
    audit.row("token_attenuated", {
      fingerprint = made.fingerprint,
      of = made.of,
      caveats = payload.caveats,
    })
  end
  return text
end

---swarm.token.verify(token, verb, task_id?) → what the token says, or an error. It takes a use.
function tokens.face.verify(token, verb, task_id)
  local call = "swarm.token.verify"
  gate.check(S.current, "verify_token")
  text_of(token, call)
  if not VERBS[verb] then
    local hint = type(verb) == "string" and spelling.hint(verb, VERBS, "") or ""
    local message = call .. ": there is no verb " .. shown.value(verb) .. hint
    return errors.throw("invalid_argument", message)
  elseif task_id ~= nil and type(task_id) ~= "string" then
    local got = shown.value(task_id)
    return errors.throw("invalid_argument", call .. " takes a task_id, and got " .. got)
  end
  local claims = tokens.admit(token, verb, task_id).claims
  return {
    agent = claims.agent,
    role = claims.role,
    task_id = claims.task_id,
    attempt = claims.attempt,
    expires = claims.expires,
    fingerprint = claims.fingerprint,
  }
end

---swarm.token.socket() → where a token is good for something: the path of the run's socket.
---@return string? nil: nobody can connect
function tokens.face.socket()
  return tokens.socket
end

---swarm.token.revoke(token): it, and all that was made of it, is worth nothing from now on.
function tokens.face.revoke(token)
  gate.check(S.current, "mint_worker_token")
  local revoked = ask({ op = "revoke" }, text_of(token, "swarm.token.revoke"))
  if audit.on then
    audit.row("token_revoked", { fingerprint = revoked })
  end
end

return tokens
