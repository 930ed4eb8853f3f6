"""A relay before a real service: it notes the requests, counts the bytes, and can break off."""

from __future__ import annotations

import dataclasses
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from lading.testing.servers_s3 import S3Facts

_HEAD = re.compile(rb"(?:^|\n)(GET|PUT|POST|HEAD|DELETE) (/\S*) HTTP/1\.1\r\n")


class Relay:
    """Passes connections on to the service of `facts`; its own facts lead through it."""

    def __init__(self, facts: S3Facts, listener: socket.socket) -> None:
        behind = urlsplit(facts.endpoint)
        self._address = (behind.hostname, behind.port)
        self._listener = listener
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._breaks_after: int | None = None
        self._once = False
        self.facts = dataclasses.replace(
            facts, endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}"
        )
        self.verbs: list[str] = []
        self.heads = b""
        self.bytes_up = 0

    def forget(self) -> None:
        """Count from the beginning again."""
        with self._lock:
            self.verbs, self.heads, self.bytes_up = [], b"", 0

    def breaks_after(self, size_bytes: int | None, *, once: bool = False) -> None:
        """From so many bytes on, counted from now, no connection lives; None heals it.

        With `once`, only those that were open then are broken off.
        """
        self.forget()
        self._breaks_after = size_bytes
        self._once = once

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_broken():
                near.close()
                continue
            far = socket.create_connection(self._address)
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._pass_on, args=(near, far)).start()

    def close(self) -> None:
        """Break all connections off."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _is_broken(self) -> bool:
        return self._breaks_after is not None and self.bytes_up >= self._breaks_after

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        back = threading.Thread(target=self._pump, args=(far, near, False))
        back.start()
        self._pump(near, far, is_up=True)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()

    def _pump(self, source: socket.socket, target: socket.socket, is_up: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if is_up:
                    self._note(data)
                if self._is_broken():
                    if self._once:
                        self._breaks_after = None
                    self.close()
                target.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, target):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _note(self, data: bytes) -> None:
        with self._lock:
            self.bytes_up += len(data)
            for found in _HEAD.finditer(data):
                self.verbs.append(found[1].decode())
                self.heads += data[found.start() : found.start() + 2000]


@contextmanager
def running_relay(facts: S3Facts) -> Iterator[Relay]:
    """A relay to the service of `facts`, ended with the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(facts, listener)
        serving = threading.Thread(target=relay.serve)
        serving.start()
        try:
            yield relay
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            relay.close()
            serving.join()
