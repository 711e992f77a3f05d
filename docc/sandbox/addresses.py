"""Loopback addresses for pods: each sandbox has a block 127.N.0.0/16 of its own, each pod an address in it.

The block is claimed by an abstract Unix socket of its name: like loopback addresses those belong to the network namespace, and
the kernel takes the claim back with the process, however it ends.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

BLOCKS = range(10, 250)
PRIVILEGED_PORTS = 1024
PORT_SHIFTS = range(20000, 30000, 1000)


class Addresses:
    """Raises OSError when all blocks are taken."""

    def __init__(self) -> None:
        self._claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.block: int = self._claimed()
        self._numbers = itertools.count()

    def close(self) -> None:
        self._claim.close()

    def next(self) -> str:
        """An address that no living pod of this sandbox has (there are 62500; then they come round again)."""
        number = next(self._numbers) % (250 * 250)
        return f"127.{self.block}.{1 + number // 250}.{1 + number % 250}"

    def _claimed(self) -> int:
        first = os.getpid() % len(BLOCKS)  # only to begin at different ones
        blocks: list[int] = [*BLOCKS[first:], *BLOCKS[:first]]
        for block in blocks:
            try:
                self._claim.bind(f"\0docc-sandbox-127.{block}")
                return block
            except OSError:
                continue
        self._claim.close()
        raise OSError(f"{len(BLOCKS)} sandboxes run on this machine: there are no more loopback addresses")


def listenable(address: str, port: int) -> int:
    """Where a container that wants `port` can listen: there, if that needs no root and nobody holds it on all addresses, else
    20000 higher, 21000, ... (lower where there is no such port). The same for all pods of a Service in the usual case, because
    an EndpointSlice has one port for all."""
    for candidate in _candidates(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections are in nobody's way
            try:
                probe.bind((address, candidate))
                return candidate
            except OSError:
                continue
    return free_port(address)


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _candidates(port: int) -> Iterator[int]:
    if port >= PRIVILEGED_PORTS:
        yield port
    yield from (port + shift if port + shift < 65536 else port - shift for shift in PORT_SHIFTS)
