-- What a process worker or a swarm.command says, checked and parsed once into a plan.
local arguments = require "swarm.ground.arguments"
local child = require "swarm.outside.process.child"
local errors = require "swarm.ground.errors"
local limits = require "swarm.outside.process.limits"
local output = require "swarm.outside.process.output"
local secret = require "swarm.outside.secret"
local shown = require "swarm.ground.shown"
local template = require "swarm.outside.process.template"
local values = require "swarm.values.values"
local floor, format = math.floor, string.format
local find, gmatch, sub = string.find, string.gmatch, string.sub
local concat = table.concat
local must, next, pairs, type = limits.must, next, pairs, type

local plans = {}

-- The fields, which are checked here and not by the registry.
plans.FIELDS = {
  command = true,
  shell = true,
  stdin = true,
  env = true,
  inherit_env = true,
  cwd = true,
  output = true,
  ok_codes = true,
  exit = true,
  kill_after = true,
  idle = true,
  linger = true,
  limits = true,
  prompt = true,
  pty = true,
  restart = true,
}

local VARIABLES = {
  prompt = "SWARM_PROMPT",
  input = "SWARM_INPUT",
  task_id = "SWARM_TASK_ID",
  attempt = "SWARM_ATTEMPT",
  name = "SWARM_NAME",
  agent = "SWARM_NAME",
}

---@param token boolean? whether it may have the token
local function parse(fail, field, text, token)
  local pieces, forms, slip = template.parse(text)
  if forms.token and not token then
    local message = "%s: {token} may stand in env and stdin only, where others do not see it"
    return fail(field, format(message, field))
  elseif forms.agent then
    return fail(field, field .. ": a worker's name is {name}, not {agent}")
  elseif slip then
    local message = "%s: {%s} is no placeholder; did you mean {%s}? To write it as it is, {{%s}}"
    return fail(field, format(message, field, slip.wrote, slip.meant, slip.wrote))
  end
  return pieces, forms
end

---A text for the command line or the environment.
local function parse_text(fail, field, text, forms, token)
  if type(text) ~= "string" then
    return must(fail, field, "a string", text)
  elseif find(text, "\0", 1, true) then
    return fail(field, field .. " contains a NUL byte, which no argument or variable can hold")
  end
  local pieces, found = parse(fail, field, text, token)
  for form in pairs(found) do
    forms[form] = true
  end
  return pieces
end

plans.parse_text = parse_text

local readers = {}
for field, read in pairs(limits.readers) do
  readers[field] = read
end

function readers.command(plan, list, fail)
  if type(list) ~= "table" or #list == 0 then
    local what = 'a list of the program and its arguments, such as { "git", "status" }'
    return must(fail, "command", what .. ", or the name of a swarm.command", list)
  end
  for key in pairs(list) do
    if type(key) ~= "number" or key < 1 or key > #list then
      return fail("command", "command is a list and has the key " .. shown.value(key))
    end
  end
  for i = 1, #list do
    plan.arguments[i] = parse_text(fail, "command[" .. i .. "]", list[i], plan.forms)
  end
end

function readers.shell(plan, text, fail)
  if type(text) ~= "string" then
    return must(fail, "shell", "a string", text)
  end
  local _, forms, slip = template.parse(text)
  local form = next(forms) or slip and slip.meant
  if form then
    local own = VARIABLES[form]
    return fail(
      "shell",
      format("shell has the placeholder {%s}, which ", slip and slip.wrote or form)
        .. (slip and format("is near {%s}; ", form) or "a shell could take for code; ")
        .. (
          own and format('write "$%s" instead, with the quotes', own)
          or format('write env = { VALUE = "{%s}" } and "$VALUE", with the quotes', form)
            .. " (SWARM_PROMPT and SWARM_INPUT are there too)"
        )
    )
  end
  plan.shell = text
  plan.arguments = { { "sh" }, { "-c" }, parse_text(fail, "shell", text, plan.forms) }
end

function readers.stdin(plan, value, fail)
  if type(value) == "string" then
    local forms
    plan.input, forms = parse(fail, "stdin", value, true)
    plan.prompt_file = plan.prompt_file or forms.prompt_file
    plan.token = plan.token or forms.token
  elseif value == false or type(value) == "function" or values.is_file(value) then
    plan.given = value
  else
    local what = "a string, a function(ctx, input), a swarm.file or false"
    return must(fail, "stdin", what, value)
  end
end

---Reads a prompt's template.
---@param plan table whose `prompt` becomes its pieces
---@param fail function(field, message) raises
function plans.read_prompt(plan, text, fail)
  if type(text) ~= "string" then
    return must(fail, "prompt", "a string", text)
  end
  local forms
  plan.prompt, forms = parse(fail, "prompt", text)
  if forms.prompt or forms.prompt_file then
    return fail("prompt", "prompt cannot have {prompt} or {prompt_file} in it: it is the prompt")
  end
end
readers.prompt = plans.read_prompt

function readers.restart(plan, value, fail)
  if type(value) ~= "boolean" then
    return must(fail, "restart", "true or false", value)
  end
  plan.restart = value
end

function readers.env(plan, env, fail)
  if type(env) ~= "table" or secret.name(env) then
    return must(fail, "env", "a table of variables", env)
  end
  for name, value in pairs(env) do
    child.check_name(name, function(message)
      return fail("env", message)
    end)
    plan.env[name] = secret.name(value) and value
      or parse_text(fail, "env." .. name, value, plan.forms, true)
  end
end

function readers.inherit_env(plan, list, fail)
  if list ~= false and type(list) ~= "table" then
    return must(
      fail,
      "inherit_env",
      'a list of names and globs, such as { "MY_*" }, or false',
      list
    )
  end
  for i = 1, list and #list or 0 do
    if type(list[i]) ~= "string" then
      return must(fail, "inherit_env[" .. i .. "]", "a string", list[i])
    end
  end
  plan.inherit = list and values.copy(list, "inherit_env")
end

function readers.cwd(plan, text, fail)
  local forms = {}
  plan.folder = parse_text(fail, "cwd", text, forms)
  if forms.prompt_file then
    return fail("cwd", "cwd: {prompt_file} is a file")
  end
end

function readers.output(plan, given, fail)
  return output.read(plan, given, fail)
end

function readers.ok_codes(plan, list, fail)
  if type(list) ~= "table" or #list == 0 then
    return must(fail, "ok_codes", "a list of exit codes, such as { 0, 1 }", list)
  end
  plan.ok_codes = {}
  for i = 1, #list do
    local code = list[i]
    if type(code) ~= "number" or floor(code) ~= code or code < 0 or code > 255 then
      return must(fail, "ok_codes[" .. i .. "]", "an exit code, 0 to 255", code)
    end
    plan.ok_codes[code] = true
  end
end

function readers.exit(plan, word, fail)
  if word ~= "blocked" and word ~= "failed" then
    return must(fail, "exit", '"blocked" or "failed"', word)
  end
  plan.exit = word
end

local MOST_WORDS = 200 -- bytes of a command line that is shown as a list

---How a command that was written as one text is written as a list, for a message.
---@param text string
---@return string
function plans.as_list(text)
  if #text > MOST_WORDS or find(text, "[\"'\\$`|&;<>()*?%[%]#~%c]") then
    return "; a program and its arguments go into a list, "
      .. 'command = { "git", "status" }, and what a shell is to read into shell = "..."'
  end
  local words = {}
  for word in gmatch(text, "%S+") do
    words[#words + 1] = shown.quoted(word)
  end
  return "; a program goes into a list: command = { " .. concat(words, ", ") .. " }"
end

---The fields of a worker over those of the swarm.command that it names; variables are merged.
function plans.over(fields, base)
  local merged = {}
  for key, value in pairs(base) do
    merged[key] = value
  end
  for key, value in pairs(fields) do
    if key == "env" and type(base.env) == "table" and type(value) == "table" then
      local env = {}
      for name, item in pairs(base.env) do
        env[name] = item
      end
      for name, item in pairs(value) do
        env[name] = item
      end
      merged.env = env
    elseif key ~= "command" then
      merged[key] = value
    end
  end
  return merged
end

---Checks and parses the fields that say what runs.
---@param who string such as `worker "x"`
---@param fields table
---@param where string? the place of the definition, where it is not the one that runs
---@return table plan
function plans.compile(who, fields, where)
  local function fail(field, message)
    return errors.throw("load_error", who .. ": " .. message, { field = field, where = where })
  end
  if fields.command ~= nil and fields.shell ~= nil then
    return fail("shell", "it has both command and shell; one of them says what runs")
  elseif fields.command == nil and fields.shell == nil then
    return fail("command", "it needs command or shell")
  end
  local plan = {
    who = who,
    arguments = {},
    shell = nil,
    env = {},
    inherit = nil, -- further globs; false: nothing
    folder = nil,
    forms = {}, -- the placeholders of command and env
    input = nil, -- pieces
    given = nil, -- a function, a file or false instead
    prompt_file = false,
    ok_codes = { [0] = true },
    exit = "failed",
    format = "auto",
    result = nil, -- JSON Pointers
    ok = nil,
    event = nil, -- what maps an item to events
    final = nil, -- "last": the last item is the result
    keep = nil, -- so many lines, the last ones
    stream = nil, -- what the host cuts its output into, where it is handed on as it comes
    prompt = nil, -- pieces
    kill_after = nil,
    idle = nil,
    linger = nil,
    line_limit = nil,
    output_limit = nil,
    limits = nil, -- by the system's words
    terminal = nil, -- { rows, cols }
    plain = false, -- without a terminal's orders
    restart = true, -- held open, and its child has ended between two invocations
  }
  local try, tell = arguments.together()
  for field in pairs(plans.FIELDS) do
    if fields[field] ~= nil then
      try(readers[field], plan, fields[field], fail)
    end
  end
  tell()
  limits.check(plan, fields, fail)
  if plan.shell and find(plan.shell, "$SWARM_AGENT", 1, true) and not plan.env.SWARM_AGENT then
    return fail("shell", 'shell: a worker\'s name is "$SWARM_NAME", not $SWARM_AGENT')
  end
  plan.prompt_file = plan.prompt_file or plan.forms.prompt_file or false
  plan.names_input = false
  for form in pairs(plan.forms) do
    if sub(form, 1, 5) == "input" or sub(form, 1, 6) == "prompt" then
      plan.names_input = true
    end
  end
  return plan
end

return plans
