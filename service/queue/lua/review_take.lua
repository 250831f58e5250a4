-- Returns expired leases to their queues, then leases up to `limit` items, the lowest order of all the queues first.
-- KEYS: ready (followed by `:queue`), leased, orders. ARGV: limit, now ms, until ms, queue...
local ready, leased, orders = KEYS[1], KEYS[2], KEYS[3]
local limit = tonumber(ARGV[1])

for _, item in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', ARGV[2])) do
  local place = redis.call('HGET', orders, item)
  redis.call('ZREM', leased, item)
  -- Without its place the item is dropped: SQL still owes it, and the sweep adds it again where it belongs.
  if place then
    local order, queue = string.match(place, '^(.-)|(.*)$')
    redis.call('ZADD', ready .. ':' .. queue, order, item)
  end
end

local taken = {}
while #taken < limit do
  local first, lowest, at = nil, nil, nil
  for i = 4, #ARGV do
    local key = ready .. ':' .. ARGV[i]
    local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if head[1] and (not lowest or tonumber(head[2]) < lowest
        or (tonumber(head[2]) == lowest and head[1] < first)) then
      first, lowest, at = head[1], tonumber(head[2]), i
    end
  end
  if not first then
    break
  end
  local key = ready .. ':' .. ARGV[at]
  redis.call('HSETNX', orders, first, redis.call('ZSCORE', key, first) .. '|' .. ARGV[at])
  redis.call('ZREM', key, first)
  redis.call('ZADD', leased, ARGV[3], first)
  taken[#taken + 1] = first
end
return taken
