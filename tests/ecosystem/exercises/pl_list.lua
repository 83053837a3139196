local List = require "pl.List"
assert(List({ 3, 1, 2 }):sort():concat "," == "1,2,3")
