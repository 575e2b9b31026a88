-- No request comes again: each has a number of its own.
local number = 0

request = function()
  number = number + 1
  return wrk.format("GET", wrk.path .. "&n=" .. number)
end
