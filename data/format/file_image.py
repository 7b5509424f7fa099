"""A file in memory that is filled again and again: what HDF5 writes, before it is hashed and put on the disk.

HDF5's own files in memory are allocated anew for each shard and copied once more to be read. Memory that is touched for
the first time costs more than what is then written to it, so the pages here are kept from one shard to the next.
"""

from __future__ import annotations

import mmap
import os

import numpy as np

__all__ = ["FileImage"]

_KEPT = 1 << 26  # bytes that are kept between two files


class FileImage:
    """What h5py wants of a file object, on pages of memory. One file and one thread at a time."""

    def __init__(self) -> None:
        self._memory = _whole_pages(1 << 20)
        self._size = self._at = 0

    def clear(self) -> None:
        """Begin a new file. Views of the last one must be gone."""
        if len(self._memory) > _KEPT:
            self._memory = _whole_pages(1 << 20)
        self._size = self._at = 0

    @property
    def content(self) -> memoryview:
        """The bytes of the file, until `clear`."""
        return self._memory[: self._size]

    @property
    def pages(self) -> memoryview:
        """The content in whole pages of memory, with zeros behind it."""
        end = -(-self._size // mmap.PAGESIZE) * mmap.PAGESIZE
        self._memory[self._size : end] = bytes(end - self._size)
        return self._memory[:end]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, data: memoryview) -> int:
        end = self._at + len(data)
        if self._at > self._size or end > len(self._memory):
            self.truncate(max(self._at, self._size))
            self._make_room(end)
        self._memory[self._at : end] = data
        self._size = max(self._size, end)
        self._at = end
        return len(data)

    def read(self, size: int) -> bytes:
        data = bytearray(size)
        return bytes(data[: self.readinto(memoryview(data))])

    def readinto(self, target: memoryview) -> int:
        count = max(min(len(target), self._size - self._at), 0)
        target[:count] = self._memory[self._at : self._at + count]
        self._at += count
        return count

    def truncate(self, size: int) -> int:
        self._make_room(size)
        if size > self._size:  # the pages may hold what an earlier file left
            self._memory[self._size : size] = bytes(size - self._size)
        self._size = size
        return size

    def _make_room(self, size: int) -> None:
        if size > len(self._memory):
            larger = _whole_pages(max(size, 2 * len(self._memory)))
            larger[: self._size] = self._memory[: self._size]
            self._memory = larger

    def flush(self) -> None:
        pass


def _whole_pages(size: int) -> memoryview:
    """At least so many bytes of memory, from the beginning of a page to the end of one."""
    size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = np.empty(size + mmap.PAGESIZE, dtype=np.uint8)
    start = -memory.ctypes.data % mmap.PAGESIZE
    return memory[start : start + size].data
