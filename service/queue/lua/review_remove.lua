-- Forgets items. KEYS: ready, leased, orders. ARGV: item...
for _, item in ipairs(ARGV) do
  redis.call('ZREM', KEYS[1], item)
  redis.call('ZREM', KEYS[2], item)
  redis.call('HDEL', KEYS[3], item)
end
