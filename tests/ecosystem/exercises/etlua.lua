local etlua = require "etlua"
local page = etlua.compile "<% for i, item in ipairs(items) do %><%= i %>:<%- item %>;<% end %>"
assert(page { items = { "a", "<b>" } } == "1:a;2:<b>;")
assert(not pcall(etlua.render, "<%= nothing.at_all %>", {}))
