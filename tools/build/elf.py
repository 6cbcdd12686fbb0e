"""Reads the libraries that an ELF file needs: the dynamic section of the System V ABI, for 64 bits, little-endian."""

import struct

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB = 1, 5


def find_needed_libraries(elf: bytes) -> list[str]:
    """Return the names in an ELF file's ``DT_NEEDED`` entries."""
    (table,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    # Type, flags, offset, address, physical address and size of each segment.
    segments = [struct.unpack_from("<IIQQQQ", elf, table + index * size) for index in range(count)]
    entries = [
        struct.unpack_from("<QQ", elf, at)
        for kind, _, offset, _, _, length in segments
        if kind == PT_DYNAMIC
        for at in range(offset, offset + length, 16)
    ]
    names = [
        strings - address + offset
        for tag, strings in entries
        if tag == DT_STRTAB
        for kind, _, offset, address, _, length in segments
        if kind == PT_LOAD and address <= strings < address + length
    ]
    return [_read_name(elf, names[0] + index) for tag, index in entries if tag == DT_NEEDED]


def _read_name(elf: bytes, start: int) -> str:
    return elf[start : elf.index(b"\0", start)].decode()
