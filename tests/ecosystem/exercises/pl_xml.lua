local xml = require "pl.xml"
local doc = xml.parse "<a x='1'><b>t</b></a>"
assert(doc.attr.x == "1" and doc:child_with_name("b"):get_text() == "t")
