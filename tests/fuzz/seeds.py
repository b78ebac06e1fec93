#!/usr/bin/env python3
"""seeds.py FOLDER FILE...: writes the indexes of checkpoints as inputs for the fuzzer."""
import pathlib
import struct
import sys

folder = pathlib.Path(sys.argv[1])
for name in sys.argv[2:]:
    content = pathlib.Path(name).read_bytes()
    user_block, index_bytes = struct.unpack_from("<IQ", content, 12)
    behind = min(len(content) - user_block, 0xFFFF)
    index = content[64:64 + index_bytes]
    (folder / pathlib.Path(name).stem).write_bytes(struct.pack("<H", behind) + index)
