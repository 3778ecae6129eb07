"""Messages between processes: length-checked JSON, never pickle."""

import json
import socket
import threading
from collections.abc import Mapping
from typing import Any, Final

MAX_MESSAGE_BYTES: Final = 16 << 20
_LENGTH_BYTES: Final = 4


class Channel:
    """One end of a stream socket that carries JSON objects. Sending is thread-safe."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lock = threading.Lock()
        self._buffer = bytearray()

    def fileno(self) -> int:
        """Return the descriptor, for ``select``."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message.

        Raises:
            OSError: the other end is gone.
            ValueError: the message is larger than ``MAX_MESSAGE_BYTES``.
        """
        body = json.dumps(message, allow_nan=False).encode()
        if len(body) > MAX_MESSAGE_BYTES:
            raise ValueError(f"message of {len(body)} bytes is too large")
        with self._lock:
            self._socket.sendall(len(body).to_bytes(_LENGTH_BYTES, "big") + body)

    def receive(self) -> list[dict[str, Any]] | None:
        """Read once; return the messages that are complete by now, ``None`` at the end.

        Raises:
            ValueError: the other end does not keep to the protocol.
        """
        part = self._socket.recv(1 << 18)
        if not part:
            return None
        self._buffer += part
        messages = []
        while len(self._buffer) >= _LENGTH_BYTES:
            length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            if length > MAX_MESSAGE_BYTES:
                raise ValueError(f"message of {length} bytes announced")
            if len(self._buffer) < _LENGTH_BYTES + length:
                break
            message = json.loads(self._buffer[_LENGTH_BYTES : _LENGTH_BYTES + length])
            if not isinstance(message, dict):
                raise TypeError("a message must be an object")
            messages.append(message)
            del self._buffer[: _LENGTH_BYTES + length]
        return messages

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
