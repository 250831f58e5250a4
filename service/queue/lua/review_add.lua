-- Adds each item that is neither ready nor leased and returns how many were added.
-- KEYS: ready, leased, orders. ARGV: (item, order)...
local ready, leased, orders = KEYS[1], KEYS[2], KEYS[3]

local added = 0
for i = 1, #ARGV, 2 do
  local item, order = ARGV[i], ARGV[i + 1]
  if not redis.call('ZSCORE', leased, item) and redis.call('ZADD', ready, 'NX', order, item) == 1 then
    added = added + 1
  end
  -- The order of an item that is here already is restored too, should that key alone have been lost.
  redis.call('HSETNX', orders, item, order)
end
return added
