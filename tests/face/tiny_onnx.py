"""A network so small that it can be written by hand: it calls bright faces live (ONNX, as protobuf)."""

from __future__ import annotations

import struct
from typing import Final

FLOAT: Final = 1
INT: Final = 2
"""What an attribute's type is called."""


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def _whole(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value)


def _part(field: int, data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return _number(field << 3 | 2) + _number(len(raw)) + raw


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    named = b"".join(_part(1, one) for one in inputs)
    return _part(1, named + _part(2, output) + _part(3, output) + _part(4, kind))


def _tensor(name: str, dims: tuple[int, ...], values: tuple[float, ...]) -> bytes:
    shape = b"".join(_whole(1, one) for one in dims)
    return _part(5, shape + _whole(2, FLOAT) + _part(8, name) + _part(9, struct.pack(f"<{len(values)}f", *values)))


def _shaped(field: int, name: str, dims: tuple[int, ...]) -> bytes:
    shape = b"".join(_part(1, _whole(1, one)) for one in dims)
    kind = _part(1, _whole(1, FLOAT) + _part(2, shape))
    return _part(field, _part(1, name) + _part(2, kind))


def brightness(least: float) -> bytes:
    """The mean of 1 x 3 x 80 x 80 against `least`: three outputs, the second of which is high above it."""
    graph = b"".join(
        (
            _node("GlobalAveragePool", ("x",), "mean"),
            _node("Flatten", ("mean",), "flat"),
            _node("MatMul", ("flat", "weights"), "weighed"),
            _node("Add", ("weighed", "bias"), "y"),
            _part(2, "brightness"),
            _tensor("weights", (3, 3), (0.0, 0.1, 0.0) * 3),
            _tensor("bias", (1, 3), (0.0, -0.3 * least, 0.0)),
            _shaped(11, "x", (1, 3, 80, 80)),
            _shaped(12, "y", (1, 3)),
        )
    )
    return _whole(1, 7) + _part(7, graph) + _part(8, _part(1, "") + _whole(2, 11))
