#!/usr/bin/python3
"""hostile_checkpoints.py FOLDER: writes HDF5 files that are no valid checkpoints, one for each
reason, and some valid ones, whose names begin with "good"."""

import os
import sys

try:
    import h5py
    import numpy as np
except ImportError:
    print("h5py is not installed", file=sys.stderr)
    sys.exit(77)

folder = sys.argv[1]
values = np.arange(20, dtype="<f4").reshape(4, 5)
secret = os.path.join(folder, "secret")
with open(secret, "wb") as file:
    file.write(b"s" * 4096)
with h5py.File(os.path.join(folder, "secret.hdf5"), "w") as file:
    file["x"] = values


def good(file):
    file["x"] = values


def good_checksums(file):
    file.create_dataset("x", data=values, chunks=(2, 5), fletcher32=True)


def good_attributes(file):
    good(file)
    file.attrs["text of any length"] = "left out"
    file.attrs["number"] = 3.5


def external_link(file):
    file["x"] = h5py.ExternalLink("secret.hdf5", "x")


def external_link_in_a_group(file):
    good(file)
    file["group/y"] = h5py.ExternalLink(os.path.join(folder, "secret.hdf5"), "/x")


def soft_link(file):
    file["y"] = values
    file["x"] = h5py.SoftLink("/y")


def dangling_link(file):
    file["x"] = h5py.SoftLink("/nowhere")


def link_to_itself(file):
    file["x"] = h5py.SoftLink("/x")


def link_to_a_group_above(file):
    good(file)
    file["group/again"] = h5py.SoftLink("/")


def cycle(file):
    good(file)
    file["group/again"] = file["/"]


def external_storage(file):
    file.create_dataset("x", shape=(4, 5), dtype="<f4", external=[(secret, 0, 80)])


def external_storage_of_several_files(file):
    file.create_dataset("x", shape=(4, 5), dtype="<f4",
                        external=[(secret, 0, 40), (secret, 100, 40)])


def virtual_dataset_of_itself(file):
    file["y"] = values
    layout = h5py.VirtualLayout(shape=(4, 5), dtype="<f4")
    layout[:] = h5py.VirtualSource(".", "y", shape=(4, 5))
    file.create_virtual_dataset("x", layout)


def virtual_dataset(file):
    layout = h5py.VirtualLayout(shape=(4, 5), dtype="<f4")
    layout[:] = h5py.VirtualSource(os.path.join(folder, "secret.hdf5"), "x", shape=(4, 5))
    file.create_virtual_dataset("x", layout)


def compressed(file):
    file.create_dataset("x", data=values, compression="gzip")


def shuffled(file):
    file.create_dataset("x", data=values, shuffle=True, fletcher32=True)


def checksums_twice(file):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4, 5))
    plist.set_fletcher32()
    plist.set_fletcher32()
    space = h5py.h5s.create_simple((4, 5))
    h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, plist).write(
        h5py.h5s.ALL, h5py.h5s.ALL, values)


def fast_compressed(file):
    file.create_dataset("x", data=values, compression="lzf")


def compressed_with_checksums(file):
    file.create_dataset("x", data=values, compression="gzip", fletcher32=True)


def rounded(file):
    file.create_dataset("x", data=values.astype("<i8"), scaleoffset=0)


def big_endian_in_chunks(file):
    file.create_dataset("x", data=values.astype(">f8"), chunks=(2, 5))


def flags(file):
    file["x"] = values > 2


def enumeration(file):
    file.create_dataset("x", data=values.astype("<i8"),
                        dtype=h5py.enum_dtype({"a": 0, "b": 1}, basetype="<i8"))


def opaque(file):
    file["x"] = np.void(b"s" * 80)


def lists_of_any_length(file):
    data = file.create_dataset("x", shape=(2,), dtype=h5py.vlen_dtype(np.dtype("<f4")))
    data[0] = [1, 2, 3]


def arrays_as_elements(file):
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(file.id, b"x", h5py.h5t.array_create(h5py.h5t.IEEE_F32LE, (5,)), space)


def fixed_text(file):
    file["x"] = np.bytes_(b"s" * 80)


def text(file):
    file["x"] = "text"


def references(file):
    file["y"] = values
    file["x"] = file["y"].ref


def references_to_regions(file):
    file["y"] = values
    file["x"] = file["y"].regionref[0:2]


def compound(file):
    file["x"] = np.zeros(3, dtype=[("a", "<f4"), ("b", "<i8")])


def six_axes(file):
    file["x"] = np.zeros((1, 1, 1, 1, 1, 1), dtype="<f4")


def no_space(file):
    file["x"] = h5py.Empty("<f4")


def committed_type(file):
    good(file)
    file["type"] = np.dtype("<f4")


def declares_petabytes(file):
    file.create_dataset("x", shape=(2**50,), dtype="<f8", chunks=(2**20,))


def declares_what_is_not_there(file):
    file.create_dataset("x", shape=(4, 5), dtype="<f4", chunks=(2, 5))


def overflow(file):
    file.create_dataset("x", shape=(2**31, 2**31, 2**31), dtype="<f4", chunks=(1, 1, 1))


def chunk_larger_than_shape(file):
    file.create_dataset("x", shape=(4, 5), dtype="<f4", maxshape=(None, None), chunks=(64, 64))
    file["x"][:] = values


def chunk_without_checksum(file):
    data = file.create_dataset("x", shape=(4, 5), dtype="<f4", chunks=(4, 5), fletcher32=True)
    data.id.write_direct_chunk((0, 0), values.tobytes(), filter_mask=1)


def short_chunk(file):
    data = file.create_dataset("x", shape=(4, 5), dtype="<f4", chunks=(4, 5), fletcher32=True)
    data.id.write_direct_chunk((0, 0), b"123456789012")


def too_deep(file):
    file["/".join(["a"] * 40) + "/x"] = values


def unfit_name(file):
    file["a\nb"] = values


def same_values_many_times(file):
    good(file)
    file["y"] = np.zeros(10000, dtype="<f4")
    for i in range(100):
        file[f"group/{i}"] = file["y"]


def long_attribute(file):
    good(file)
    file.attrs.create("long", np.bytes_(b"x" * 64000))


def no_version(file):
    good(file)
    del file.attrs["rewind:format_version"]


def other_version(file):
    good(file)
    file.attrs["rewind:format_version"] = np.int64(2)


def number_as_version(file):
    good(file)
    file.attrs["rewind:format_version"] = 1.0


def several_versions(file):
    good(file)
    file.attrs["rewind:format_version"] = np.array([1, 1], dtype="<i8")


def short_version(file):
    good(file)
    file.attrs["rewind:format_version"] = np.int32(1)


def no_version_at_all(file):
    good(file)
    file.attrs["rewind:format_version"] = h5py.Empty("<i8")


def text_as_version(file):
    good(file)
    file.attrs["rewind:format_version"] = "1"


makers = {
    name: maker for name, maker in list(globals().items())
    if callable(maker) and getattr(maker, "__module__", "") == "__main__"
}


def of_type(dtype):
    def maker(file):
        file["x"] = values.astype(dtype)
    return maker


makers |= {name: of_type(dtype) for name, dtype in {
    "big_endian": ">f4",
    "big_endian_integers": ">i8",
    "complex_numbers": "<c8",
    "half_precision": "<f2",
    "long_double": np.longdouble,
    "signed_8": "i1",
    "signed_16": "<i2",
    "signed_32": "<i4",
    "unsigned": "<u8",
    "unsigned_8": "u1",
}.items()}
for name, maker in makers.items():
    # Attributes of 64 KB need the newer layout.
    for libver in ("earliest", ("v108", "v110"), "latest"):
        if maker is long_attribute and libver == "earliest":
            continue
        path = os.path.join(folder, f"{name} {''.join(libver)}.h5")
        with h5py.File(path, "w", libver=libver) as file:
            file.attrs["rewind:format_version"] = np.int64(1)
            maker(file)
