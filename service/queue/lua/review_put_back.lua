-- Returns a leased item to its remembered place. KEYS: ready (followed by `:queue`), leased, orders. ARGV: item.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 1 then
  local place = redis.call('HGET', KEYS[3], ARGV[1])
  -- Without its place the item is dropped: SQL still owes it, and the sweep adds it again where it belongs.
  if place then
    local order, queue = string.match(place, '^(.-)|(.*)$')
    redis.call('ZADD', KEYS[1] .. ':' .. queue, order, ARGV[1])
  end
end
