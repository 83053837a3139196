local csv = require "ftcsv"
local name = os.tmpname()
local file = io.open(name, "w")
file:write "a,b\n1,2\n3,4\n"
file:close()
local rows = csv.parse(name, ",")
assert(#rows == 2 and rows[2].b == "4")
local seen = 0
for _, row in csv.parseLine(name, ",") do
  seen = seen + tonumber(row.a)
end
os.remove(name)
assert(seen == 4)
