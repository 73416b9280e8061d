"""A peer of channels, written from docs/wire/channel.md alone, with Python's own sockets.

peer.py send PORT NAME FIRST COUNT     publishes COUNT payloads "py N", numbered from FIRST modulo 2^32
peer.py receive PORT NAME COUNT        prints "sequence lead payload" of COUNT messages, after a line "ready"

Everything goes by loopback.
"""

import socket
import struct
import sys


def group_of(name):
    h = 0
    for c in name:
        h = ord(c) + (h << 6) + (h << 16) - h
    return socket.inet_ntoa(struct.pack(">I", 0xEF000000 + h % 2**23))


def send(port, name, first, count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    for i in range(count):
        sequence = (first + i) % 2**32
        header = b"PULI" + bytes([len(name)]) + name.encode("ascii") + struct.pack(">I", sequence)
        s.sendto(header + b"py %d" % sequence, (group_of(name), port))


def receive(port, name, count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", port))
    membership = socket.inet_aton(group_of(name)) + socket.inet_aton("127.0.0.1")
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    print("ready", flush=True)
    highest = {}
    while count > 0:
        datagram, source = s.recvfrom(65536)
        if len(datagram) < 9 or datagram[:4] != b"PULI":
            continue
        n = datagram[4]
        if len(datagram) < 9 + n or datagram[5 : 5 + n] != name.encode("ascii"):
            continue
        (sequence,) = struct.unpack(">I", datagram[5 + n : 9 + n])
        lead = sequence - highest[source] if source in highest else 1
        highest[source] = max(sequence, highest.get(source, 0))
        print(sequence, lead, datagram[9 + n :].decode(), flush=True)
        count -= 1


if __name__ == "__main__":
    command, port, name, *numbers = sys.argv[1:]
    (send if command == "send" else receive)(int(port), name, *map(int, numbers))
