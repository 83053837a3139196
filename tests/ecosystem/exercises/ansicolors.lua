local colors = require "ansicolors"
assert(colors "%{red}x" == "\27[0m\27[31mx\27[0m")
