-- Resets the idle time of entries that this consumer still holds; never takes one back from another consumer.
-- KEYS: stream. ARGV: group, consumer, entry...
local stream, group, me = KEYS[1], ARGV[1], ARGV[2]

for i = 3, #ARGV do
  if #redis.call('XPENDING', stream, group, ARGV[i], ARGV[i], 1, me) == 1 then
    redis.call('XCLAIM', stream, group, me, 0, ARGV[i], 'JUSTID')
  end
end
