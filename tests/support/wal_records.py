"""Where the records of a WAL segment are (etcd's frames: a length field of 8 bytes, whose top byte
tells the padding, the record, the padding)."""


def used_bytes(path):
    """Where the zeros of the preallocation begin."""
    with open(path, "rb") as log:
        return len(log.read().rstrip(b"\0"))


def records(path):
    """[(offset of the length field, offset of the record, its end, end of its padding)]"""
    with open(path, "rb") as log:
        data = log.read()
    out, at = [], 0
    while at + 8 <= len(data):
        field = int.from_bytes(data[at:at + 8], "little")
        if field == 0:
            break
        padding = (field >> 56) & 7 if field >> 63 else 0
        end = at + 8 + (field & ((1 << 56) - 1))
        out.append((at, at + 8, end, end + padding))
        at = end + padding
    return out


def is_padding(path, offset):
    """Padding is covered by no checksum, and means nothing."""
    return any(end <= offset < padded for _, _, end, padded in records(path))
