-- The answers that an agent takes where it asks for a permission over ACP: options of four kinds.
local options = {
  ALLOWS = { "allow_once", "allow_always" },
  DENIES = { "reject_once", "reject_always" },
}

---The first option of these kinds, the kinds in their order.
---@param list table
---@param kinds string[]
function options.of_kinds(list, kinds)
  for i = 1, #kinds do
    for j = 1, #list do
      if list[j].kind == kinds[i] then
        return list[j]
      end
    end
  end
end

---Whether nothing is allowed by an option, or by none.
---@param option table?
function options.denies(option)
  return not option or option.kind == "reject_once" or option.kind == "reject_always"
end

---The option of an id, or the first of a kind.
---@param name any
function options.named(list, name)
  for i = 1, #list do
    if list[i].optionId == name then
      return list[i]
    end
  end
  return options.of_kinds(list, { name })
end

return options
