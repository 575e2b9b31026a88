"""`held.py PORT PATH NUMBER SECONDS`: so many GETs at once, each held for a time.

A client of its own, which shares no code with any that is compared: sockets and epoll.
Prints a JSON object: seconds from the first connection to the last answer, past the
time; how late answers were, by percentiles; and how many came.
"""

import json
import resource
import select
import socket
import sys
import time


def main(port: int, path: str, number: int, seconds: float) -> None:
    """Ask, wait, print."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    poller = select.epoll()
    asked: dict[int, float] = {}
    sockets: dict[int, socket.socket] = {}
    late: list[float] = []
    lost = 0
    began = time.perf_counter()
    left = number
    ends = began + seconds + 60
    while (left or sockets) and time.perf_counter() < ends:
        # Some at a time, so that what was connected is asked before more are.
        for _ in range(min(left, 100)):
            left -= 1
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
            sockets[each.fileno()] = each
            poller.register(each.fileno(), select.EPOLLOUT)
        for fd, event in poller.poll(0 if left else 1, 4096):
            each = sockets[fd]
            if fd not in asked and event & select.EPOLLOUT and not event & ~4:
                each.send(request)
                asked[fd] = time.perf_counter()
                poller.modify(fd, select.EPOLLIN)
                continue
            try:
                answer = each.recv(65536)
            except OSError:
                answer = b""
            if b" 200 " in answer[:20]:
                late.append(time.perf_counter() - asked[fd] - seconds)
            else:
                lost += 1
            poller.unregister(fd)
            each.close()
            del sockets[fd]
            asked.pop(fd, None)
    wall = time.perf_counter() - began
    late.sort()
    print(
        json.dumps(
            {
                "past": wall - seconds,
                "p50": late[len(late) // 2] if late else None,
                "p99": late[len(late) * 99 // 100] if late else None,
                "answered": len(late),
                "lost": lost + len(sockets),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
