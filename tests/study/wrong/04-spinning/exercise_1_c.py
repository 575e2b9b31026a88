"""Five GETs over sockets that never wait."""

for number in range(5):
    print(f'fileno:{number + 3}  ["wait time: 0.4sec"]')
