-- Returns expired leases to the queue, then leases up to `limit` items in order and returns them.
-- KEYS: ready, leased, orders. ARGV: limit, now ms, until ms.
local ready, leased, orders = KEYS[1], KEYS[2], KEYS[3]
local limit = tonumber(ARGV[1])

for _, item in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', ARGV[2])) do
  local order = redis.call('HGET', orders, item)
  redis.call('ZREM', leased, item)
  -- Without its order the item is dropped: SQL still owes it, and the sweep adds it again where it belongs.
  if order then
    redis.call('ZADD', ready, order, item)
  end
end

if limit < 1 then
  return {}
end
local taken = redis.call('ZRANGE', ready, 0, limit - 1)
for _, item in ipairs(taken) do
  redis.call('HSETNX', orders, item, redis.call('ZSCORE', ready, item))
  redis.call('ZREM', ready, item)
  redis.call('ZADD', leased, ARGV[3], item)
end
return taken
