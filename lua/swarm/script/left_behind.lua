-- What a reload leaves behind: channels, semaphores, locks and events that the old generation made
-- while it loaded and that its workers still use, where the new one has made others in their place.
-- The two do not know each other: who waits on one is never woken through the other.
local log = require "swarm.events.log"
local made = require "swarm.sharing.made"
local opaque = require "swarm.ground.opaque"
local S = require "swarm.scheduler.scheduler"
local site = require "swarm.ground.site"
local states = require "swarm.script.state"
local match, pairs = string.match, pairs

local left_behind = {}

---The objects of a generation by place: lines move as a file is edited, so a place is the how
---manieth object of its kind a file has made.
---@return table place → record
local function by_place(generation)
  local counts, places = {}, {}
  for i = 1, #generation.made do
    local object = generation.made[i]
    local file = match(site.place(object.site) or "", "^(.*):%d+$") or ""
    local key = object.kind.name .. " " .. file
    counts[key] = (counts[key] or 0) + 1
    places[key .. " " .. counts[key]] = object
  end
  return places
end

---@param old table the generation that is replaced
---@param new table the one that takes over
---@return table list of { object, use }: the record, and who uses it, in words
function left_behind.by(old, new)
  local list = {}
  if #old.made == 0 or #new.made == 0 then
    return list
  end
  local lasting, others, replaced = states.paths(old.line), by_place(new), {}
  for place, object in pairs(by_place(old)) do
    replaced[object] = others[place] ~= nil
  end
  for i = 1, #old.made do
    local object = old.made[i]
    local use = replaced[object] and not lasting[object] and made.in_use(object)
    if use then
      list[#list + 1] = { object = object, use = use }
    end
  end
  return list
end

---Says so, object by object, and what to do.
---@param list table as left_behind.by has it
---@param new table the generation that has taken over
function left_behind.warn(list, new)
  for i = 1, #list do
    local left = list[i]
    local kind = left.object.kind.name
    log.entry(
      "warn",
      "the "
        .. opaque.with_generation(left.object, opaque.describe(left.object))
        .. " is left behind: "
        .. left.use
        .. ", and generation "
        .. new.number
        .. " has made another; to have one for the whole run, write swarm.state(name, function()"
        .. " return swarm."
        .. kind
        .. "(...) end)",
      nil,
      S.current.task
    )
  end
end

return left_behind
