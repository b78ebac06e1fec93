"""Pretty printers for gdb: tensors, parameters and shapes as rw::to_string writes them.

    (gdb) source <prefix>/share/rewind/gdb/rewind_printers.py
    (gdb) print x
    $1 = float32 [2, 3] [[1, 0.5, nan], [4, 5, 6]]

That line may stand in ~/.gdbinit. The program must have been compiled with -g (by clang: with
-g -fstandalone-debug); the library need not be. Nothing is called in the program, so that a core
file will do.
"""

import math

import gdb
import gdb.printing
import gdb.types

# In the order of rw::DType: name, type in memory.
TYPES = [("float32", "float"), ("float64", "double"), ("int64", "long")]


def sizes_of(shape):
    array = shape["sizes_"]
    sizes = array[array.type.fields()[0]]
    return [int(sizes[i]) for i in range(int(shape["rank_"]))]


def text_of_shape(sizes):
    return "[" + ", ".join(str(size) for size in sizes) + "]"


def text_of_number(value, is_integer):
    if is_integer:
        return str(int(value))
    number = float(value)
    if math.isnan(number):
        return "nan"
    if abs(number) < 1e7 and number == int(number):
        return "%.0f" % number
    return "%.5g" % number


def text_of_axis(data, sizes, axis, row, stride, is_integer):
    """Elements of the rows from `row` on; the middle of a long axis is left out."""
    size = sizes[axis]
    ends = 4 if axis + 2 >= len(sizes) else 2
    parts = []
    for i in range(size):
        if size > 2 * ends and ends <= i < size - ends:
            if i == ends:
                parts.append("...")
        elif axis + 1 == len(sizes):
            parts.append(text_of_number(data[row * stride + i], is_integer))
        else:
            parts.append(text_of_axis(data, sizes, axis + 1, row * size + i, stride, is_integer))
    return "[" + ", ".join(parts) + "]"


def text_of_tensor(tensor):
    pointer = tensor["body_"]
    if int(pointer) == 0:
        return "undefined tensor"
    body = pointer.dereference()
    if not gdb.types.has_field(body.type, "dtype"):
        return "tensor, shown by a program compiled with -g (by clang: -g -fstandalone-debug)"
    dtype = int(body["dtype"])
    if dtype >= len(TYPES):
        return "tensor of unknown type"
    name, element = TYPES[dtype]
    sizes = sizes_of(body["shape"])
    data = body["data"].cast(gdb.lookup_type(element).pointer())
    if 0 in sizes:
        values = "[]"
    elif not sizes:
        values = text_of_number(data[0], name == "int64")
    else:
        values = text_of_axis(data, sizes, 0, 0, int(body["row_stride"]), name == "int64")
    return "%s %s %s" % (name, text_of_shape(sizes), values)


class ShapePrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return text_of_shape(sizes_of(self.value))


class TensorPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return text_of_tensor(self.value)


class ParameterPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        if int(self.value["body_"]) == 0:
            return "empty parameter"
        body = self.value["body_"].dereference()
        return "parameter %s %s" % (body["name"], text_of_tensor(body["value"]))


printers = gdb.printing.RegexpCollectionPrettyPrinter("rewind")
printers.add_printer("Shape", "^rw::Shape$", ShapePrinter)
printers.add_printer("Tensor", "^rw::Tensor$", TensorPrinter)
printers.add_printer("Parameter", "^rw::Parameter$", ParameterPrinter)
gdb.printing.register_pretty_printer(None, printers, replace=True)
