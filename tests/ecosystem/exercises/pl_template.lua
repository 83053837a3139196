local template = require "pl.template"
local text = "# for i = 1, 2 do\n$(i)\n# end\n"
assert(template.substitute(text, { _parent = _G }) == "1\n2\n")
