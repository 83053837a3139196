local xml2lua = require "xml2lua"
local tree = require("xmlhandler.tree"):new()
xml2lua.parser(tree):parse '<list n="2"><item>a</item><item>b</item></list>'
assert(tree.root.list._attr.n == "2" and tree.root.list.item[2] == "b")
assert(xml2lua.toXml({ a = { b = 1 } }):find "<b>1</b>")
