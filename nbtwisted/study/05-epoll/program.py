"""Send five GETs at once; sleep until the kernel names a ready socket."""

import select
import socket
import sys
from dataclasses import dataclass

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"


@dataclass
class Exchange:
    """One request, and what has come of its answer."""

    connection: socket.socket
    unsent: bytes = REQUEST.encode()
    answer: bytes = b""


def begin_to_connect() -> socket.socket:
    """Return a socket that connects meanwhile, and never waits."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    connection.connect_ex((HOST, PORT))  # EINPROGRESS: it has only begun
    return connection


def print_answer(fileno: int, answer: bytes) -> None:
    """Print the socket's number, and an answer's first line and body."""
    head, _, body = answer.decode().partition("\r\n\r\n")
    status_line, _, _ = head.partition("\r\n")
    print(f"fileno:{fileno}  {status_line}  {body}")


epoll = select.epoll()
exchanges = {}
for _ in range(5):
    connection = begin_to_connect()
    exchanges[connection.fileno()] = Exchange(connection)
    epoll.register(connection, select.EPOLLOUT)  # wake us when it can send
while exchanges:
    for fileno, _ in epoll.poll():  # sleeps until some socket is ready
        exchange = exchanges[fileno]
        if exchange.unsent:
            sent = exchange.connection.send(exchange.unsent)  # maybe a part
            exchange.unsent = exchange.unsent[sent:]
            if not exchange.unsent:
                epoll.modify(fileno, select.EPOLLIN)  # when bytes come
        elif piece := exchange.connection.recv(4096):
            exchange.answer += piece
        else:  # the server has closed: the answer is whole
            print_answer(fileno, exchange.answer)
            exchange.connection.close()  # which also takes it out of epoll
            del exchanges[fileno]
