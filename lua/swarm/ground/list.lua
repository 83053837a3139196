-- Doubly linked lists through their members: `queue` is the list that a member is in (false: none),
-- `queue_prev` and `queue_next` its neighbours. Every move is O(1) and allocates nothing. A member
-- is in one list at a time; a list is { head = nil, tail = nil }.
local list = {}

---Puts a member at the end.
function list.push_back(of, member)
  local tail = of.tail
  member.queue, member.queue_prev, member.queue_next = of, tail, nil
  if tail then
    tail.queue_next = member
  else
    of.head = member
  end
  of.tail = member
end

function list.push_front(of, member)
  local head = of.head
  member.queue, member.queue_prev, member.queue_next = of, nil, head
  if head then
    head.queue_prev = member
  else
    of.tail = member
  end
  of.head = member
end

---Puts a member behind another one, into the list that this one is in.
function list.insert_after(before, member)
  local of, after = before.queue, before.queue_next
  member.queue, member.queue_prev, member.queue_next = of, before, after
  before.queue_next = member
  if after then
    after.queue_prev = member
  else
    of.tail = member
  end
end

---Takes a member out of the list that it is in.
function list.remove(member)
  local of, before, after = member.queue, member.queue_prev, member.queue_next
  if before then
    before.queue_next = after
  else
    of.head = after
  end
  if after then
    after.queue_prev = before
  else
    of.tail = before
  end
  member.queue, member.queue_prev, member.queue_next = false, nil, nil
end

return list
