-- Forgets items. KEYS: ready (followed by `:queue`), leased, orders. ARGV: item...
for _, item in ipairs(ARGV) do
  local place = redis.call('HGET', KEYS[3], item)
  if place then
    redis.call('ZREM', KEYS[1] .. ':' .. string.match(place, '|(.*)$'), item)
  end
  redis.call('ZREM', KEYS[2], item)
  redis.call('HDEL', KEYS[3], item)
end
