local matrix = require "matrix"
local m = matrix { { 1, 2 }, { 3, 4 } }
assert(matrix.det(m) == -2 and (m * m)[1][1] == 7)
assert(matrix.transpose(m)[1][2] == 3)
