-- What overload.sh has wrk ask for, and what it keeps of the outcome.

-- The host refuses handshakes without a known name, so the URL has to hold the site's name, which no resolver knows.
function wrk.resolve(_, service)
  wrk.addrs = wrk.lookup(os.getenv("OVERLOAD_ADDRESS"), service)
end

local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("seed", threads)
end

-- The same seed for every configuration: each is asked for the same sequence of pages.
function init()
  math.randomseed(seed)
end

local function word()
  local letters = {}
  for index = 1, math.random(4, 9) do
    letters[index] = string.char(math.random(97, 122))
  end
  return table.concat(letters)
end

function request()
  local kind = math.random(3)
  if kind == 1 then
    return wrk.format("GET", "/")
  elseif kind == 2 then
    return wrk.format("GET", "/?s=" .. word())
  end
  return wrk.format("GET", "/?p=" .. math.random(1, 50))
end

function done(summary, latency)
  local file = assert(io.open(os.getenv("OVERLOAD_RESULT"), "w"))
  local errors = summary.errors
  file:write(string.format(
    '{"requests": %d, "seconds": %.3f, "p50_ms": %.1f, "p99_ms": %.1f, "connect": %d, "read": %d, "write": %d, "timeout": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect, errors.read, errors.write, errors.timeout))
  file:close()
end
