local date = require "date"
local day = date(2024, 2, 28):adddays(2)
assert(day:fmt "%Y-%m-%d" == "2024-03-01")
assert(date.diff("2024-03-01", "2024-02-28"):spandays() == 2)
