"""Five GETs at once, of which the program prints how long each answer is."""

import select
import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = f"""\
GET /?_delay=600ms HTTP/1.0
Host: {HOST}:{PORT}
Connection: close

""".encode()


def begin_to_connect() -> socket.socket:
    """Return a socket that connects meanwhile, and never waits."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    connection.connect_ex((HOST, PORT))
    return connection


epoll = select.epoll()
connections = {}
answers = {}
for _ in range(5):
    connection = begin_to_connect()
    connections[connection.fileno()] = connection
    answers[connection.fileno()] = b""
    epoll.register(connection, select.EPOLLOUT)
while connections:
    for fileno, event in epoll.poll():
        if event & select.EPOLLOUT:
            connections[fileno].send(REQUEST)
            epoll.modify(fileno, select.EPOLLIN)
        elif piece := connections[fileno].recv(4096):
            answers[fileno] += piece
        else:
            print(f"fileno:{fileno}  {len(answers[fileno])} bytes")
            connections.pop(fileno).close()
