-- Returns {entries, in flight, dead, oldest entry or false}. KEYS: stream, dead. ARGV: group.
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
local in_flight = pending.err and 0 or pending[1]
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
-- A nil would end the list early.
return {redis.call('XLEN', KEYS[1]), in_flight, redis.call('XLEN', KEYS[2]), oldest and oldest[1] or false}
