-- Placeholders in the texts of a process worker: `{prompt}`, `{prompt_file}`, `{input}`,
-- `{input.a.b}`, `{task_id}`, `{attempt}`, `{name}`, `{needs.a}`, `{worktree}` and `{token}`, these
-- exact forms only. A brace that is a letter or two away from one is told as a slip; any other
-- stays as it is, and `{{prompt}}` writes `{prompt}`. A text is parsed once, as it is defined.
local errors = require "swarm.ground.errors"
local handles = require "swarm.worker.handle"
local json = require "swarm.values.json"
local S = require "swarm.scheduler.scheduler"
local spelling = require "swarm.ground.spelling"
local tokens = require "swarm.outside.tokens"
local values = require "swarm.values.values"
local byte, find, gmatch, gsub = string.byte, string.find, string.gmatch, string.gsub
local match, sub = string.match, string.sub
local concat, pairs, tonumber, tostring, type = table.concat, pairs, tonumber, tostring, type

local template = {}

local FORMS = {
  prompt = true,
  prompt_file = true,
  input = true,
  task_id = true,
  attempt = true,
  name = true,
  agent = true, -- how {name} was written once: refused with the new form
  worktree = true,
  token = true,
}
local WITH_PARTS = { input = true, needs = true }
local SLIPS = 2 -- letters that a form and its misspelling differ by, at most
local SHORT = 4 -- letters of a form in which one slip is enough: `{same}` is no `{name}`

local function is_form(word)
  local head = match(word, "^(%w+)%.")
  return FORMS[word] or WITH_PARTS[head] and not find(word .. ".", "..", 1, true)
end

---The nearest of the forms, where a word is a letter or two away from one.
local function nearest(word, forms)
  local best, least
  for form in pairs(forms) do
    local slips = #word <= #form + SLIPS and spelling.distance(word, form) or SLIPS + 1
    if
      slips <= (#form <= SHORT and 1 or SLIPS)
      and (not least or slips < least or (slips == least and form < best))
    then
      best, least = form, slips
    end
  end
  return best
end

---The form that was meant by a word which is none, or nil. A `$` before its brace makes it a
---variable of a shell's.
local function meant_by(word, text, at)
  if is_form(word) or sub(text, at - 1, at - 1) == "$" then
    return nil
  end
  local head, parts = match(word, "^([%w_%-]+)%.(.*)$")
  local form = head and nearest(head, WITH_PARTS)
  if form then
    parts = gsub(gsub(gsub(parts, "%.+", "."), "%.$", ""), "^%.", "")
    return form .. "." .. (parts == "" and "a" or parts)
  end
  return nearest(word, FORMS)
end

---The form that a brace at `at` opens and where it ends, or nil.
local function form_at(text, at, pattern)
  local form, stop = match(text, pattern, at)
  if form and is_form(form) then
    return form, stop
  end
end

---Parses a text.
---@param text string
---@return table pieces strings, and { form } for each placeholder
---@return table forms form → true
---@return table? slip the first misspelt form: { wrote, meant }
function template.parse(text)
  local pieces, forms, slip, from, at = {}, {}, nil, 1, 1
  while true do
    at = find(text, "{", at, true)
    if not at then
      break
    end
    local form
    local escaped, stop = match(text, "^{{([%w_%.%-]+)}}()", at)
    if not escaped or not (is_form(escaped) or meant_by(escaped, text, at)) then
      form, stop = form_at(text, at, "^{([%w_%.%-]+)}()")
      local word = not slip and not form and match(text, "^{([%w_%.%-]+)}", at)
      local meant = word and meant_by(word, text, at)
      slip = slip or meant and { wrote = word, meant = meant } or nil
    end
    if stop then
      pieces[#pieces + 1] = sub(text, from, at - 1)
      pieces[#pieces + 1] = form and { form } or "{" .. escaped .. "}"
      if form then
        forms[form] = true
      end
      from, at = stop, stop
    else
      at = at + 1
    end
  end
  pieces[#pieces + 1] = sub(text, from)
  return pieces, forms, slip
end

---The prompt of an input: itself where it is a string, else its `prompt`, else its JSON.
---@return string? nil without an input
function template.prompt(input)
  if type(input) == "string" or input == nil then
    return input
  elseif type(input) == "table" and not handles.is(input) and type(input.prompt) == "string" then
    return input.prompt
  end
  return (json.encode(input, "input"))
end

---One value as text: a string as it is, a file as its path, anything else as JSON.
local function text_of(value, path)
  if type(value) == "string" then
    return value
  elseif values.is_file(value) then
    return (values.file_parts(value))
  elseif value == values.null then
    return nil
  end
  return value ~= nil and (json.encode(value, path)) or nil
end

---@param of any the input, or what is needed
---@param form string such as input.a.b or needs.a
local function part_of(of, form)
  local value = of
  for key in gmatch(match(form, "%.(.*)"), "[^%.]+") do
    if type(value) ~= "table" or handles.is(value) or values.is_file(value) then
      return nil
    end
    local item = value[key]
    if item == nil and tonumber(key) then
      item = value[tonumber(key)]
    end
    value = item
  end
  return text_of(value, form)
end

---What a form stands for, or nil where it has no value.
local function value_of(form, ctx, input, prompt)
  if form == "prompt" or form == "prompt_file" then
    return prompt()
  elseif form == "input" then
    return input ~= nil and (json.encode(input, "input")) or nil
  elseif byte(form, 6) == 46 then -- input. or needs.
    return part_of(byte(form) == 105 and input or ctx.needs, form)
  elseif form == "token" then
    return tokens.of_child(S.current.task)
  elseif form == "task_id" or form == "name" or form == "worktree" then
    return ctx[form]
  end
  return tostring(ctx.attempt)
end

---Fills in a text's placeholders.
---@param pieces table what template.parse returned
---@param place string what the text is, for the message, such as `worker "x": command[2]`
---@param prompt? function what gives the prompt, where a text may have it
---@return table texts between them stands the path of the prompt's file
function template.fill(pieces, ctx, input, place, prompt)
  local texts, text = {}, {}
  for i = 1, #pieces do
    local piece = pieces[i]
    if type(piece) == "table" then
      local form = piece[1]
      local value = value_of(form, ctx, input, prompt)
      if value == nil then
        return errors.throw(
          "invalid_value",
          place
            .. ": placeholder {"
            .. form
            .. "} has no value"
            .. (input == nil and ": the worker has no input" or ""),
          { path = form }
        )
      elseif form == "prompt_file" then
        texts[#texts + 1] = concat(text)
        text = {}
        piece = ""
      else
        piece = value
      end
    end
    text[#text + 1] = piece
  end
  texts[#texts + 1] = concat(text)
  return texts
end

return template
