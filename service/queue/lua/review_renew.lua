-- Moves the end of a lease; an item that was ready again is leased again, because SQL says so.
-- KEYS: ready (followed by `:queue`), leased, orders. ARGV: item, until ms.
local place = redis.call('HGET', KEYS[3], ARGV[1])
local was_ready = place and redis.call('ZREM', KEYS[1] .. ':' .. string.match(place, '|(.*)$'), ARGV[1]) == 1
if was_ready or redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
end
