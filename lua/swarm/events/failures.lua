-- Errors that no worker can be given: what settled hooks and on_dispose raised. They fail the run
-- at its end.
local failures = {
  list = {}, -- of the run
}

local MOST = 100 -- kept; each was logged as it came

function failures.add(err)
  local list = failures.list
  if #list < MOST then
    list[#list + 1] = err
  end
end

return failures
