-- Adds each revision that has no entry yet and returns how many were added.
-- KEYS: stream, markers (revision -> entry). ARGV: group, trace ('' for none), revision...
local stream, markers, group, trace = KEYS[1], KEYS[2], ARGV[1], ARGV[2]

-- Entries and markers come and go together, so unequal counts mean that one of the two keys was lost.
local function rebuild_markers()
  redis.call('UNLINK', markers)
  local start = '-'
  while true do
    local page = redis.call('XRANGE', stream, start, '+', 'COUNT', 1000)
    if #page == 0 then
      return
    end
    for _, entry in ipairs(page) do
      start = '(' .. entry[1]
      if redis.call('HSETNX', markers, entry[2][2], entry[1]) == 0 then
        redis.call('XACK', stream, group, entry[1])
        redis.call('XDEL', stream, entry[1])
      end
    end
  end
end

if redis.call('XLEN', stream) ~= redis.call('HLEN', markers) then
  rebuild_markers()
end

local added = 0
for i = 3, #ARGV do
  local marked = redis.call('HGET', markers, ARGV[i])
  if not marked or #redis.call('XRANGE', stream, marked, marked) == 0 then
    -- The revision stays the first field: others read it by its place.
    local fields = {'revision_id', ARGV[i]}
    if trace ~= '' then
      fields = {'revision_id', ARGV[i], 'trace', trace}
    end
    redis.call('HSET', markers, ARGV[i], redis.call('XADD', stream, '*', unpack(fields)))
    added = added + 1
  end
end
return added
