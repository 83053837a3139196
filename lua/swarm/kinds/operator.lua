-- Kind `operator`: the whole attempt is put to a person, a function of the script or a driver, as a
-- question of kind `attempt`; the answer is the result.
local ask = require "swarm.outside.ask"
local attempt = require "swarm.outside.process.attempt"
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local plans = require "swarm.outside.process.plan"
local questions = require "swarm.people.questions"
local schema = require "swarm.outside.schema"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local error, format, gsub, pcall, sub, type =
  error, string.format, string.gsub, pcall, string.sub, type

local function something(value)
  if value == nil then
    return errors.throw("invalid_argument", "the answer is a value, and not nil")
  end
  return value
end

---What sees that an answer is one.
local function checked(choices, misfit)
  if choices then
    return questions.one_of(choices)
  elseif not misfit then
    return something
  end
  return function(value)
    local err = misfit(something(value))
    if err then
      return error(err, 0)
    end
    return value
  end
end

---A prompt as a question: where it is long, its beginning, for the whole of it stands beside.
local function question_of(prompt)
  if #prompt <= ask.MOST_TEXT then
    return prompt
  end
  local beginning = gsub(sub(prompt, 1, ask.MOST_TEXT - 100), "[\192-\255][\128-\191]*$", "")
  return format("%s ... (%d bytes)", beginning, #prompt)
end

local function run(plan, ctx, input)
  local prompt = attempt.prompter(plan, ctx, input)()
  local can_cross, shown_input = pcall(values.copy, input, "input")
  if not can_cross or not pcall(json.encode, input, "input") then
    shown_input = nil -- there is something in it that lives in this VM alone
  end
  local answer = ask.put {
    question = question_of(prompt and prompt ~= "" and prompt or plan.title),
    to = plan.to,
    kind = "attempt",
    choices = plan.choices,
    schema = plan.schema,
    details = { input = shown_input, prompt = prompt, role = ctx.role },
    check = plan.check,
  }
  local value = values.copy(answer.value, "answer")
  if answer.blocked then
    return value, answer.reason
  end
  return value
end

return {
  fields = { operator = "string", choices = true, prompt = true },

  ---@param def table the checked definition
  ---@param fields table what the author wrote
  ---@return function run called as run(ctx, input)
  start = function(def, fields)
    local who = format("worker %q", def.name)
    local function failing(field)
      return function(message)
        return errors.throw("load_error", who .. ": " .. message, { field = field })
      end
    end
    local plan = {
      who = who,
      to = fields.operator,
      title = type(fields.description) == "string" and fields.description or who,
      prompt = nil, -- pieces
      choices = nil,
      schema = nil,
      check = nil,
    }
    if plan.to == "" then
      return failing "operator"("operator must be who is asked, and is " .. shown.value(plan.to))
    end
    if fields.prompt ~= nil then
      plans.read_prompt(plan, fields.prompt, function(field, message)
        return failing(field)(message)
      end)
    end
    if fields.choices ~= nil then
      plan.choices = ask.choices(fields.choices, "choices", failing "choices")
    end
    local _, misfit = schema.of_output(def)
    if misfit and plan.choices then
      return failing "choices" "it has choices or an output_schema, and not both"
    end
    plan.schema = misfit and values.copy(def.output_schema, "output_schema")
    plan.check = checked(plan.choices, misfit)
    return function(ctx, input)
      return run(plan, ctx, input)
    end
  end,
}
