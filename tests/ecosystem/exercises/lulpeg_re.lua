local re = require "lulpeg".re
assert(re.match("ab12", "{[a-z]+} [0-9]+") == "ab")
local words = re.compile "{| ({%w+} %W*)* |}"
assert(#words:match "one two, three" == 3)
