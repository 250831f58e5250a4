-- Drops other consumers that hold nothing and were idle for that long; returns how many.
-- KEYS: stream. ARGV: group, consumer, idle ms.
local stream, group, me, idle = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

local dropped = 0
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local consumer = {}
  for i = 1, #flat, 2 do
    consumer[flat[i]] = flat[i + 1]
  end
  -- Deleting a consumer deletes its pending list, so one that holds anything stays until it was recovered.
  if consumer.name ~= me and consumer.pending == 0 and consumer.idle >= idle then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer.name)
    dropped = dropped + 1
  end
end
return dropped
