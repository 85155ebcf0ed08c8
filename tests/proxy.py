"""A proxy in front of a database server: it counts commands, and can delay, silence or cut connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

NAMES = {1: "QUIT", 2: "INIT_DB", 3: "QUERY", 14: "PING", 22: "PREPARE", 31: "RESET"}


class Proxy:
    """Listens on a unix socket and forwards to the server's unix socket.

    `commands` are the names of the commands that clients sent, read from the packets: QUERY, PING, QUIT ...
    """

    def __init__(self, upstream: str, folder: Path):
        self.path = str(folder / "proxy.sock")
        self.commands: list[str] = []
        self.texts: list[str] = []
        self.delay = 0.0  # seconds before a command is passed on
        self.silent = False  # accept and never answer
        self.lost_at = ""  # if a statement begins like this, its answer and all later ones are lost
        self._upstream, self._pairs = upstream, []
        self._deaf: set[int] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        """Start counting from 0 again."""
        self.commands.clear()
        self.texts.clear()

    def cut(self) -> None:
        """Break all connections, as a pulled cable or a killed server would."""
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._pairs.clear()

    def lose_answers(self) -> None:
        """On existing connections, pass commands on but hold back the answers. New connections are not affected."""
        self._deaf.update(id(pair[0]) for pair in self._pairs)

    def close(self) -> None:
        """Refuse new connections and break the others."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.silent:
                    self._pairs.append((client,))
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._upstream)
                self._pairs.append((client, server))
                threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
                threading.Thread(target=self._to_client, args=(server, client), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                buffer += data
                while len(buffer) >= 4 and len(buffer) >= 4 + (size := int.from_bytes(buffer[:3], "little")):
                    sequence, payload, buffer = buffer[3], buffer[4 : 4 + size], buffer[4 + size :]
                    if sequence == 0 and payload:  # a command has number 0; the packets of the login have higher ones
                        self.commands.append(NAMES.get(payload[0], str(payload[0])))
                        self.texts.append(payload[1:].decode("utf-8", "replace"))
                        if self.lost_at and self.texts[-1].startswith(self.lost_at):
                            self._deaf.add(id(client))
                        time.sleep(self.delay)
                if not self.silent:
                    server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _to_client(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if not self.silent and id(client) not in self._deaf:
                    client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
