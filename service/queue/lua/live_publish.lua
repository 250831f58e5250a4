-- Keeps news for a while and tells them at once, each under the id that it is kept under.
-- KEYS: stream. ARGV: channel, how many are kept, for how many ms, then (topic, event, data)...
local stream, channel, kept, ms = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

for i = 4, #ARGV, 3 do
  local topic, event, data = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local id = redis.call('XADD', stream, 'MAXLEN', '~', kept, '*', 'topic', topic, 'event', event, 'data', data)
  redis.call('PUBLISH', channel, id .. '\n' .. topic .. '\n' .. event .. '\n' .. data)
end
redis.call('PEXPIRE', stream, ms)
