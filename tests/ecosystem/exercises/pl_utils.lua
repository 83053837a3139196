local utils = require "pl.utils"
assert(utils.string_lambda "|x| x + 1"(1) == 2)
assert(#utils.split "a b c" == 3)
