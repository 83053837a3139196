local lustache = require "lustache"
local said = lustache:render("{{#list}}<{{.}}>{{/list}}{{name}}", { list = { 1, 2 }, name = "a&b" })
assert(said == "<1><2>a&amp;b", said)
