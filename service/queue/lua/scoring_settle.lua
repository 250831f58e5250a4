-- Takes entries out of the stream for good; with a reason, records them among the dead first.
-- KEYS: stream, markers, dead. ARGV: group, reason ('' when scored), dead limit, (entry, revision, deliveries)...
local stream, markers, dead = KEYS[1], KEYS[2], KEYS[3]
local group, reason, limit = ARGV[1], ARGV[2], ARGV[3]

for i = 4, #ARGV, 3 do
  local id, revision, deliveries = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local found = redis.call('XRANGE', stream, id, id)[1]
  -- Only an entry that is still there is buried, so a repeated call buries nothing twice.
  if found and found[2][2] == revision and reason ~= '' then
    redis.call('XADD', dead, 'MAXLEN', limit, '*',
      'revision_id', revision, 'reason', reason, 'deliveries', deliveries)
  end
  -- After a flush and a step of the clock another revision may live under this id: leave it alone.
  if not found or found[2][2] == revision then
    redis.call('XACK', stream, group, id)
    redis.call('XDEL', stream, id)
  end
  if redis.call('HGET', markers, revision) == id then
    redis.call('HDEL', markers, revision)
  end
end
