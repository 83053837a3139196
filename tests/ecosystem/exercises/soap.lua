local soap = require "soap"
local text = soap.encode { namespace = "ns", method = "m", entries = { { tag = "a", "x" } } }
assert(text:find "<a>x</a>")
