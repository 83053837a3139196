local heap = require("binaryheap").minUnique()
heap:insert(3, "c")
heap:insert(1, "a")
assert(heap:pop() == "a" and heap:size() == 1)
