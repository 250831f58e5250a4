-- Records a lease that SQL knows of; never shortens one. KEYS: ready, leased, orders. ARGV: item, order, until ms.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], 'GT', ARGV[3], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
