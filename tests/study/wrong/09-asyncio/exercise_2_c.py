"""Send five GETs at once; each is tried three times, in 1.5 s at the most."""

import asyncio
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
# Of each path the first answer is 503 and the next 200; both take a second.
PATH = "/?_seq=503,200&_delay=1s&_key=get-{}"
REQUEST = "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
SECONDS = 1.5  # for all tries of one GET


async def get(number: int) -> str:
    reader, writer = await asyncio.open_connection(HOST, PORT)
    try:
        writer.write(REQUEST.format(PATH.format(number), HOST).encode())
        answer = await reader.read()
    finally:
        writer.close()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(answer.partition(b"\r\n")[0].decode())
    return answer.decode().splitlines()[-1]


async def get_with_retries(number: int) -> str:
    for _ in range(2):
        try:
            return await get(number)
        except BaseException as error:
            print(f"get {number}: {error!r}")
    raise ConnectionError("no answer in three tries")


async def get_in_time(number: int) -> None:
    try:
        print(await asyncio.wait_for(get_with_retries(number), SECONDS))
    except (ConnectionError, asyncio.TimeoutError) as error:
        print(f"get {number} failed: {error!r}")


async def main() -> None:
    await asyncio.gather(*(get_in_time(number) for number in range(5)))


asyncio.run(main())
