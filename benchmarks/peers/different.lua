-- `wrk -s different.lua URL -- FIRST [BODY]`: no request comes again. Each has a number
-- of its own in its target, from FIRST on, and in the JSON that it posts, if there is a
-- BODY, which has a %010d for it.
local number, separator, body

init = function(arguments)
  number = tonumber(arguments[1])
  body = arguments[2]
  separator = wrk.path:find("?", 1, true) and "&n=" or "?n="
  if body then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
  end
end

request = function()
  number = number + 1
  local digits = string.format("%010d", number)
  local posted = body and string.format(body, number)
  return wrk.format(nil, wrk.path .. separator .. digits, nil, posted)
end
