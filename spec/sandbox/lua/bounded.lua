-- What the specs of section 8 share: workers of roles that may do little, and files that go.
local swarm = require "swarm"

local bounded = {}

function bounded.unknown(fn, text)
  local err = assert.has_error(fn, { code = "unknown_name" })
  assert.matches(text, err.message)
end

local todo = {}
swarm.role "nothing" { allow = { "start_task", "poll_task" } }
swarm.role "reader" {
  extends = "worker",
  deny = { "write_files" },
  allow = { read_files = { "in/**" } },
}
swarm.role "shell_less" { extends = "worker", allow = { run_process = { "cat" } } }
for _, role in ipairs { "nothing", "reader", "shell_less" } do
  swarm.worker(role, {
    role = role,
    run = function()
      return todo[role]()
    end,
  })
end

---Runs fn in a worker of that role.
local function as(role, fn)
  todo[role] = fn
  return swarm.call(role, nil, { detached = true })
end

function bounded.refused(role, verb, fn)
  local err = assert.has_error(function()
    as(role, fn)
  end, { code = "role_violation" })
  assert.equal(verb, err.verb)
end

---Runs fn with the name of a file in a folder that goes with it.
function bounded.with_file(fn)
  swarm.fs.temp_dir(function(dir)
    fn(dir .. "/file.txt", dir)
  end)
end

return bounded
