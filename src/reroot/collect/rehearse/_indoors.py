"""
Runs inside a network namespace before the rehearsed program does: opens the stage's doors there and hands them to us.

A listening socket belongs to the network it was made in, so we can serve it from outside. Standard library only, no reroot.
REROOT_DOORS is ``FD ADDRESS:PORT …``; the rest of the command line is the program.
"""

import array
import fcntl
import os
import socket
import struct
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916
IFF_UP = 1
REQUEST = struct.Struct("16sH14s")


def bring_up(control: socket.socket) -> None:
    flags = fcntl.ioctl(control, SIOCGIFFLAGS, REQUEST.pack(b"lo", 0, b""))
    up = REQUEST.unpack(flags)[1] | IFF_UP
    fcntl.ioctl(control, SIOCSIFFLAGS, REQUEST.pack(b"lo", up, b""))


def own(control: socket.socket, number: int, address: str) -> None:
    """Gives the loopback device one more address."""
    where = struct.pack("!H4s8s", 0, socket.inet_aton(address), b"")
    fcntl.ioctl(control, SIOCSIFADDR, REQUEST.pack(f"lo:{number}".encode(), socket.AF_INET, where))


def main() -> None:
    fd, *places = os.environ.pop("REROOT_DOORS").split()
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bring_up(control)
    doors = []
    for number, place in enumerate(places):
        address, _, port = place.rpartition(":")
        if not address.startswith("127."):
            own(control, number, address)
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((address, int(port)))
        door.listen(1024)
        doors.append(door)
    outside = socket.socket(fileno=int(fd))
    fds = array.array("i", [door.fileno() for door in doors])
    outside.sendmsg([b"d"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    outside.recv(1)
    os.execvp(sys.argv[1], sys.argv[1:])


main()
