-- What `metactl` has that is written in Lua.

-- `print` writes at once; what scripts write with `io` has to keep its place between its lines.
io.stdout:setvbuf("no")

-- A script that does not look whether stdout could be written fails all the same.
local unwritten, forever = ...
local stdout = io.stdout
local files = getmetatable(stdout).__index
local write = files.write
function files.write(file, ...)
    local called, written, message, code = pcall(write, file, ...)
    if not called then
        -- Of the line that has called it. The file is no argument to whoever writes `file:write()`.
        local function own(number) return "#" .. number - 1 end
        error((written:gsub("#(%d+)", own):gsub("'%?'", "'write'")), 2)
    end
    if not written and file == stdout then unwritten(code) end
    return written, message, code
end
function io.write(...) return files.write(io.output(), ...) end

-- What waits in a coroutine makes whoever has resumed it wait, up to the script or task, which is where
-- the waiting is done.
local resume, yield, close = coroutine.resume, coroutine.yield, coroutine.close
local _, pending = resume(coroutine.create(forever))
local function waited(thread, alive, first, ...)
    if alive and first == pending then
        return waited(thread, resume(thread, yield(pending)))
    end
    return alive, first, ...
end
function coroutine.resume(thread, ...) return waited(thread, resume(thread, ...)) end
local function unwrapped(thread, alive, first, ...)
    if alive then return first, ... end
    close(thread)
    error(first, 2)
end
function coroutine.wrap(called)
    local thread = coroutine.create(called)
    return function(...) return unwrapped(thread, waited(thread, resume(thread, ...))) end
end

-- Conditions and operations of a transaction are plain tables.
function metactl.eq_seq(key, seq)
    return { op = "eq_seq", key = key, value = seq }
end

function metactl.ge_seq(key, seq)
    return { op = "ge_seq", key = key, value = seq }
end

function metactl.eq_value(key, value)
    return { op = "eq_value", key = key, value = value }
end

function metactl.put_op(key, value, ttl)
    return { op = "put", key = key, value = value, ttl = ttl }
end

function metactl.get_op(key)
    return { op = "get", key = key }
end

function metactl.delete_op(key)
    return { op = "delete", key = key }
end

function metactl.new_txn(conditions, then_ops, else_ops)
    return { conditions = conditions or {}, ["then"] = then_ops or {}, ["else"] = else_ops or {} }
end

-- Indexes from 1 on, of which the low ones come up often: the inverse of the distribution function
-- of a power law on [1, num_keys] at a uniform number.
local Zipf = {}
Zipf.__index = Zipf

function Zipf:new(num_keys, alpha)
    return setmetatable({ num_keys = num_keys or 1000, alpha = alpha or 1.0 }, self)
end

function Zipf:generate_key_index(x)
    local index
    if self.alpha == 1 then
        index = self.num_keys ^ x
    else
        local power = 1 - self.alpha
        index = (1 + x * (self.num_keys ^ power - 1)) ^ (1 / power)
    end
    return math.floor(index + 0.5)
end

metactl.ZipfGenerator = Zipf
