-- The wiring: the one file that fills what another file left open, because what fills it stands on
-- a higher storey.
local attempts = require "swarm.worker.attempts"
local blocks = require "swarm.structure.blocks"
local cancel_token = require "swarm.worker.cancel_token"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local fields = require "swarm.worker.fields"
local graph = require "swarm.structure.graph"
local handles = require "swarm.worker.handle"
local held_open = require "swarm.structure.held_open"
local json = require "swarm.values.json"
local joining = require "swarm.worker.join"
local life = require "swarm.worker.life"
local opaque = require "swarm.ground.opaque"
local loop = require "swarm.structure.loop"
local output = require "swarm.worker.output.say"
local reading = require "swarm.worker.output.read"
local retry = require "swarm.structure.retry"
local S = require "swarm.scheduler.scheduler"
local settling = require "swarm.worker.settle"
local supervisors = require "swarm.structure.supervise.calls"
local tokens = require "swarm.outside.tokens"
local values = require "swarm.values.values"
local verdicts = require "swarm.people.verdicts"
local worktree = require "swarm.outside.worktree"

-- Slots: the scheduler begins workers, a cancel ends those that never began, an end asks for
-- another attempt, which begins anew; JSON for people shows what cannot cross.
S.begin = life.begin
cancelling.settle_pending = settling.pending
settling.again = retry.again
attempts.renew = retry.renew

function json.stand_in(value)
  if handles.is(value) then
    return "T-" .. debug.getmetatable(value).id
  end
  return (cancel_token.is(value) or opaque.name_of(value)) and tostring(value) or nil
end

-- What crosses a worker's boundary as it is.
-- (A worker may return what went wrong as a part of its result.)
values.keep(errors.metatable, function(err, copied)
  errors.known[copied] = errors.known[err]
end)
values.keep(output.Usage)
values.register_opaque(function(value)
  return handles.is(value) and "worker handle"
    or cancel_token.is(value) and "cancel token"
    or opaque.name_of(value)
end)

-- What a handle, and a ctx, has.
handles.offer({
  join = joining.join,
  result = joining.result,
  cancel = joining.cancel,
  output_tail = reading.output_tail,
  follow = reading.follow,
}, fields)
handles.offer(output.methods)
handles.offer(tokens.methods)
handles.offer(loop.methods)
handles.offer(nil, cancel_token.getters)
handles.offer(nil, blocks.getters)
handles.offer(nil, graph.getters)
handles.offer(nil, verdicts.getters)
handles.offer(nil, worktree.getters)
handles.offer(held_open.methods, held_open.getters)
handles.offer(supervisors.methods)
