-- Puts items where SQL says they stand, unless they are leased; returns how many were neither ready nor leased.
-- KEYS: ready (followed by `:queue`), leased, orders. ARGV: (item, order, queue)...
local ready, leased, orders = KEYS[1], KEYS[2], KEYS[3]

local added = 0
for i = 1, #ARGV, 3 do
  local item, order, queue = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local was = redis.call('HGET', orders, item)
  local from = was and string.match(was, '|(.*)$')
  local moved = from and from ~= queue and redis.call('ZREM', ready .. ':' .. from, item) == 1
  -- A leased one comes back to the place that is remembered here.
  redis.call('HSET', orders, item, order .. '|' .. queue)
  if not redis.call('ZSCORE', leased, item) then
    if redis.call('ZADD', ready .. ':' .. queue, order, item) == 1 and not moved then
      added = added + 1
    end
  end
end
return added
