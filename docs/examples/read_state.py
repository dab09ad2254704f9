#!/usr/bin/env python3
"""Prints files of state of a Watershed checkpoint, and checks their checksums.

    pip install pyarrow
    python read_state.py checkpoint/state/counts/0/groups.00000012.delta …

See docs/checkpoint-format.md. Nothing of Watershed is needed.
"""

import json
import sys
import zlib
from datetime import datetime, timedelta, timezone

import pyarrow as pa

TRAILER = 12  # "watershd" and four bytes of CRC-32, little endian
FORMAT = 1


def read(path):
    """The header and the rows of a file of state, which must be whole."""
    with open(path, "rb") as file:
        content = file.read()
    stream, trailer = content[:-TRAILER], content[-TRAILER:]
    if trailer[:8] != b"watershd":
        raise ValueError(f"{path}: it ends too early, or is no file of state")
    if zlib.crc32(stream) != int.from_bytes(trailer[8:], "little"):
        raise ValueError(f"{path}: its checksum does not fit its content")
    # A reader of streams stops at the stream's own end: it would take the whole file as well.
    table = pa.ipc.open_stream(stream).read_all()
    header = json.loads(table.schema.metadata[b"watershed"])
    if header["format"] > FORMAT:
        raise ValueError(f"{path}: it is of format {header['format']}, and this script knows {FORMAT}")
    return header, table


def slot_name(micros):
    if micros is None:
        return "never"
    try:
        instant = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=micros)
    except OverflowError:
        return f"{micros} µs"
    return instant.isoformat().replace("+00:00", "Z")


def show(path):
    header, table = read(path)
    keys = header["key_columns"]
    print(f"{path}: whole")
    print(f"  {header['content']} of `{header['node']}`, table `{header['table']}`, after epoch {header['epoch']},")
    print(f"  partition {header['partition']} of {header['partitions']}; {table.num_rows} rows")
    for place, field in enumerate(table.schema):
        print(f"  {'key  ' if place < keys else 'value'} {field.name}: {field.type}")
    first = 0
    for action, slot, rows in header["entries"]:
        print(f"  {action} in slot {slot_name(slot)}")
        # The rows of the entries follow one another, across batches.
        columns = table.slice(first, rows)
        if action == "remove":
            columns = columns.select(list(range(keys)))
        for row in zip(*(column.to_pylist() for column in columns.columns)):
            print("    " + ", ".join(f"{name}={value}" for name, value in zip(columns.column_names, row)))
        first += rows


def main(paths):
    if not paths:
        sys.exit(__doc__)
    failed = False
    for path in paths:
        try:
            show(path)
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            failed = True
            print(error, file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
