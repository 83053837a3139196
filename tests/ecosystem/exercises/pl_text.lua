local text = require "pl.text"
local filled = text.Template("hello ${name}"):substitute { name = "you" }
assert(filled == "hello you")
