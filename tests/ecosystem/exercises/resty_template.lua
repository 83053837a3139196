local template = require "resty.template"
local page = template.compile "{% for _, item in ipairs(items) do %}{{item}};{% end %}{* raw *}"
assert(page { items = { "a", "<" }, raw = "<b>" } == "a;&lt;;<b>")
