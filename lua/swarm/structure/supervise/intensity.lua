-- How often a supervisor has restarted lately: the times of its restarts within the last `period`
-- seconds, in a ring that has room for one more than it allows. Counting costs the same however
-- many there are.
local intensity = {}

intensity.MOST = 100000 -- restarts that a supervisor may allow within a period

---@param most integer restarts allowed within the period
---@param period number seconds
---@return table
function intensity.new(most, period)
  return { most = most, period = period, times = {}, first = 0, count = 0 }
end

---Counts a restart. Once there is one too many the supervisor is at its end, and nobody counts on.
---@param limit table
---@param now number seconds
---@return integer restarts within the period, this one among them
function intensity.count(limit, now)
  local times, first, count, room = limit.times, limit.first, limit.count, limit.most + 1
  while count > 0 and times[first] < now - limit.period do
    first = (first + 1) % room
    count = count - 1
  end
  times[(first + count) % room] = now
  limit.first, limit.count = first, count + 1
  return count + 1
end

return intensity
