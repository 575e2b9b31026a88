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


def connect(port: int) -> socket.socket:
    """Return a socket that is connected; two seconds should be enough for that."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.settimeout(2.0)
    connection.connect((HOST, port))
    connection.setblocking(False)
    return connection


epoll = select.epoll()
connections = {}
for port in SILENT_PORT, PORT, PORT, PORT, PORT:
    try:
        connection = connect(port)
    except TimeoutError:
        print("a server did not answer")
        continue
    connection.send(REQUEST)
    connections[connection.fileno()] = connection
    epoll.register(connection, select.EPOLLIN)
while connections:
    for fileno, _ in epoll.poll():
        if piece := connections[fileno].recv(4096):
            print(f"fileno:{fileno}  {piece.decode().splitlines()[-1]}")
        else:
            connections.pop(fileno).close()
