"""Five GETs at once, to servers of which one does not answer."""

import select
import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_delay=400ms HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()

# Nobody takes connections here. Once the queue is full, there is no answer at all.
silent = socket.create_server((HOST, 0), backlog=0)
SILENT_PORT = silent.getsockname()[1]
queue = [socket.socket() for _ in range(3)]
for queued in queue:
    queued.setblocking(False)
    queued.connect_ex((HOST, SILENT_PORT))


def begin_to_connect(port: int) -> socket.socket:
    """Return a socket that connects meanwhile."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    connection.connect_ex((HOST, port))
    return connection


epoll = select.epoll()
connections = {}
for port in SILENT_PORT, PORT, PORT, PORT, PORT:
    connection = begin_to_connect(port)
    connections[connection.fileno()] = connection
    epoll.register(connection, select.EPOLLOUT)
# When nothing happens for two seconds, whoever is left does not answer.
while connections and (events := epoll.poll(2.0)):
    for fileno, event in events:
        if event & select.EPOLLOUT:  # it is connected
            connections[fileno].send(REQUEST)
            epoll.modify(fileno, select.EPOLLIN)
        elif piece := connections[fileno].recv(4096):
            print(f"fileno:{fileno}  {piece.decode().splitlines()[-1]}")
        else:
            connections.pop(fileno).close()
for _ in connections:
    print("a server did not answer")
