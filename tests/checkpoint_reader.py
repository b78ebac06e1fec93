#!/usr/bin/python3
"""checkpoint_reader.py FILE...: reads checkpoints as docs/checkpoints.md describes them, checks the
digests, and compares the tensors with what h5py reads."""

import struct
import sys

try:
    import h5py
    import numpy as np
except ImportError:
    print("h5py is not installed", file=sys.stderr)
    sys.exit(77)
try:
    from xxhash import xxh3_128_digest
except ImportError:
    xxh3_128_digest = None

TYPES = ["<f4", "<f8", "<i8"]


def read_index(file):
    """The header's fields, the metadata, the objects and the tensors of the bytes of a file."""
    magic, version, block, index, size, digest, rest = struct.unpack_from("<8sIIQQ16s16s", file)
    assert (magic, version, size) == (b"\x89REWIND\n", 1, len(file))
    position = 64

    def take(form):
        nonlocal position
        values = struct.unpack_from("<" + form, file, position)
        position += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def text():
        return take(f"{take('I')}s")

    def texts():
        return {text(): text() for _ in range(take("I"))}

    writer, metadata = text(), texts()
    objects = [(text(), text(), texts()) for _ in range(take("I"))]
    tensors = []
    for _ in range(take("I")):
        path, (kind, rank) = text(), take("BB")
        shape = struct.unpack_from(f"<{rank}Q", file, position)
        position += 8 * rank
        tensors.append((path, TYPES[kind], shape, *take("QQ16s")))
    assert position == 64 + index and not any(file[position:block])
    return block, digest, rest, writer, metadata, objects, tensors


def check(file_name):
    with open(file_name, "rb") as stream:
        file = stream.read()
    block, digest, rest, writer, metadata, objects, tensors = read_index(file)
    others, end = b"", block
    for _, _, _, offset, size, _ in sorted((t for t in tensors if t[4]), key=lambda t: t[3]):
        others, end = others + file[end:offset], offset + size
    others += file[end:]
    if xxh3_128_digest:
        assert digest == xxh3_128_digest(file[:32] + bytes(16) + file[48:block])
        assert rest == xxh3_128_digest(others)
    with h5py.File(file_name, "r") as hdf5:
        names = []
        hdf5.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        assert sorted(n.encode() for n in names) == [t[0] for t in tensors]
        for name, value in metadata.items():
            assert hdf5.attrs[name.decode()] in (value, value.decode())
        for path, kind, shape, offset, size, values_digest in tensors:
            values = file[offset:offset + size]
            assert not xxh3_128_digest or values_digest == xxh3_128_digest(values)
            other = hdf5[path.decode()]
            assert (other.dtype, other.shape) == (np.dtype(kind), shape)
            assert other[()].tobytes() == values
    print(f"{file_name}: {len(tensors)} tensors, {len(objects)} objects, by {writer.decode()}")


for argument in sys.argv[1:]:
    check(argument)
