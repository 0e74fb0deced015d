"""A file system that takes every question and answers none, as NFS and EFS do when their server is away.

`frozen.py DIRECTORY` mounts it with FUSE and prints `ready`. Whoever asks it for anything then sleeps in the
kernel, where no signal reaches him, until this process ends. To be run in a mount namespace of its own.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_IN_HEADER, _OUT_HEADER = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ")
_INIT_OUT = struct.Struct("<IIIIHHIIHHI28x")
INIT, MAJOR, MINOR, LARGEST = 26, 7, 31, 1 << 17


def main(directory: str) -> None:
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40755,user_id=0,group_id=0,allow_other"
    if libc.mount(b"frozen", directory.encode(), b"fuse", 0, options.encode()) != 0:
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
    _, code, number, *_ = _IN_HEADER.unpack_from(os.read(device, LARGEST))
    assert code == INIT, code
    answer = _INIT_OUT.pack(MAJOR, MINOR, 4096, 0, 12, 9, 4096, 1, 1, 0, 0)
    os.write(device, _OUT_HEADER.pack(_OUT_HEADER.size + len(answer), 0, number) + answer)
    print("ready", flush=True)
    while True:
        os.read(device, LARGEST)


if __name__ == "__main__":
    main(sys.argv[1])
