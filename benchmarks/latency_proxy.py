"""A TCP proxy that makes every request wait: what a network adds to a call, on loopback.

Bytes towards the server are held back for a fixed time, bytes towards the client pass at once: a round trip costs the
added time once, connections set up by it included.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def delayed(target_port: int, seconds: float) -> Iterator[int]:
    """The port of a proxy in front of `target_port` on loopback that adds `seconds` to each request."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_serve(target_port, seconds), loop).result()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        asyncio.run_coroutine_threadsafe(_hang_up(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _hang_up() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _serve(target_port: int, seconds: float) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # the proxy hangs up while bytes may still come
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", target_port)
            await asyncio.gather(_late(reader, up_writer, seconds), _late(up_reader, writer, 0))

    return await asyncio.start_server(connected, "127.0.0.1", 0)


async def _late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    while data := await reader.read(65_536):
        if seconds:
            loop.call_later(seconds, _write, writer, data)
        else:
            _write(writer, data)
    loop.call_later(seconds, writer.close)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)
