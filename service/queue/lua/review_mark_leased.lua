-- Records a lease that SQL knows of; never shortens one.
-- KEYS: ready (followed by `:queue`), leased, orders. ARGV: item, order, queue, until ms.
local was = redis.call('HGET', KEYS[3], ARGV[1])
if was then
  redis.call('ZREM', KEYS[1] .. ':' .. string.match(was, '|(.*)$'), ARGV[1])
end
redis.call('ZREM', KEYS[1] .. ':' .. ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[2], 'GT', ARGV[4], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2] .. '|' .. ARGV[3])
