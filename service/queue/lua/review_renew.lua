-- Moves the end of a lease; an item that was ready again is leased again, because SQL says so.
-- KEYS: ready, leased. ARGV: item, until ms.
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 or redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
end
