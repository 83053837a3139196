local markdown = require "markdown"
local html = (type(markdown) == "function" and markdown or _G.markdown) "# Title\n\ntext *em*\n"
assert(html:find "<h1>Title</h1>" and html:find "<em>em</em>")
