-- Returns a leased item to the queue at its remembered order. KEYS: ready, leased, orders. ARGV: item.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 1 then
  local order = redis.call('HGET', KEYS[3], ARGV[1])
  -- Without its order the item is dropped: SQL still owes it, and the sweep adds it again where it belongs.
  if order then
    redis.call('ZADD', KEYS[1], order, ARGV[1])
  end
end
