local htmlparser = require "htmlparser"
local root = htmlparser.parse '<div id="a"><p class="x">one</p><p>two</p></div>'
assert(#root:select "p" == 2 and root:select("#a > .x")[1]:getcontent() == "one")
