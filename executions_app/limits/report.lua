-- What became of a call, as far as others should know.
--
-- KEYS  pauses, record (a breaker, a streak of pauses, or a count of failures)
-- ARGV  1 what, 2 the name of the pause, 3… numbers, by what it is
--   "fine"   the provider answered
--   "failed" 3 failures that open the circuit, 4 first and 5 longest opening in ms, 6 ms for others to object
--   "pause"  3 reason, 4 ms asked for, 5 first and 6 longest pause in ms
--   "count"  3 most failures, 4 in so many ms, 5 pause in ms
-- Returns {reason, milliseconds} of a pause that begins with this report, else {"", 0}.

local time = redis.call('TIME')
local now = math.floor((time[1] * 1000000 + time[2]) / 1000)
local what, name = ARGV[1], ARGV[2]
local MEMORY = 600000

local function number(field)
    return tonumber(redis.call('HGET', KEYS[2], field) or 0)
end

local function pause(reason, wait)
    redis.call('HSET', KEYS[1], name, reason .. ':' .. string.format('%.0f', now + wait))
    return {reason, math.ceil(wait)}
end

local function ends_at()
    local known = redis.call('HGET', KEYS[1], name)
    return known and tonumber(string.match(known, ':(%d+)$')) or 0
end

if what == 'fine' then
    -- A call that began before the pause says nothing of what follows it.
    if now < ends_at() then
        return {'', 0}
    end
    redis.call('DEL', KEYS[2])
    redis.call('HDEL', KEYS[1], name)
    return {'', 0}
end

if what == 'failed' then
    local failures, first = redis.call('HINCRBY', KEYS[2], 'failures', 1), number('first')
    redis.call('PEXPIRE', KEYS[2], MEMORY)
    if first == 0 then
        first = now
        redis.call('HSET', KEYS[2], 'first', now)
        -- Holds nobody up, whatever the clock of the server says that takes over; tells others to report success.
        redis.call('HSET', KEYS[1], name, 'failing:0')
    end
    local opens, open_until = number('opens'), number('open_until')
    local failed_probe = open_until > 0 and now >= open_until
    if failed_probe or (open_until == 0 and failures >= tonumber(ARGV[3]) and now - first >= tonumber(ARGV[6])) then
        local wait = math.min(tonumber(ARGV[5]), tonumber(ARGV[4]) * 2 ^ math.min(opens, 20))
        redis.call('HSET', KEYS[2], 'opens', opens + 1, 'open_until', string.format('%.0f', now + wait))
        redis.call('HDEL', KEYS[2], 'probe', 'probe_until')
        redis.call('PEXPIRE', KEYS[2], MEMORY + wait)
        return pause('circuit_open', wait)
    end
    return {'', 0}
end

if what == 'pause' then
    local known, asked = ends_at(), tonumber(ARGV[4])
    if now < known then
        -- Of many calls that were in the air together only the first makes the pause longer by itself.
        if now + asked > known then
            return pause(ARGV[3], asked)
        end
        return {'', 0}
    end
    local streak = redis.call('HINCRBY', KEYS[2], 'streak', 1)
    local wait = math.min(tonumber(ARGV[6]), tonumber(ARGV[5]) * 2 ^ math.min(streak - 1, 20))
    wait = math.max(wait, asked)
    redis.call('PEXPIRE', KEYS[2], string.format('%.0f', wait + MEMORY))
    return pause(ARGV[3], wait)
end

local failures = redis.call('INCR', KEYS[2])
if failures == 1 then
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
if failures >= tonumber(ARGV[3]) and now >= ends_at() then
    redis.call('DEL', KEYS[2])
    return pause('quarantined', tonumber(ARGV[5]))
end
return {'', 0}
