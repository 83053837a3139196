local fifo = require("fifo")(1, 2)
fifo:push(3)
assert(fifo:pop() == 1 and fifo:length() == 2)
