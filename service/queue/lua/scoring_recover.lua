-- Claims up to `count` pending entries that nobody touched for `idle` ms and returns {cursor, {entry, revision, deliveries, trace}...}.
-- XPENDING and XCLAIM answer alike on Redis 6.2 and later, which XAUTOCLAIM does not for entries that were deleted.
-- KEYS: stream. ARGV: group, consumer, count, idle, cursor, owner ('' for any).
local stream = KEYS[1]
local group, me, count, idle, cursor, owner = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]

local function pending(limit)
  if owner == '' then
    return redis.call('XPENDING', stream, group, 'IDLE', idle, cursor, '+', limit)
  end
  return redis.call('XPENDING', stream, group, 'IDLE', idle, cursor, '+', limit, owner)
end

local claimed = {}
while #claimed < count do
  local page = pending(count - #claimed)
  if #page == 0 then
    break
  end
  for _, item in ipairs(page) do
    local id, deliveries = item[1], item[4]
    cursor = '(' .. id
    local entry = redis.call('XCLAIM', stream, group, me, 0, id)[1]
    if entry then
      table.insert(claimed, {id, entry[2][2], deliveries + 1, entry[2][4] or ''})
    else
      redis.call('XACK', stream, group, id)
    end
  end
end
return {cursor, claimed}
