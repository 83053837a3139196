local markdown = require "ldoc.markdown"
assert((markdown "*x*"):find "<em>x</em>")
