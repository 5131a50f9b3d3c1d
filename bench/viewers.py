"""Open maps without a browser: what a page keeps asking of the dashboard while somebody looks at it.

Run as `python -m bench.viewers URL AREA_SET NUMBER SECONDS`. Each viewer holds the live stream of the area
set, with the headers of a browser, reads all that comes, and asks every minute, on another connection, for
alerts and area sets, as the page does. It prints `open` when all have their snapshot, and in the end what
they got.
"""

import asyncio
import json
import random
import sys
import time
import zlib
from dataclasses import dataclass
from urllib.parse import urlsplit

_HEADERS = (
    "Host: {host}\r\nAccept: {accept}\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: ja,en;q=0.9\r\nCache-Control: no-cache\r\nConnection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0\r\n\r\n"
)
_AGAIN_S = 60.0
"""How often a page asks for alerts and area sets."""


@dataclass(slots=True)
class _Got:
    bytes: int = 0
    events: int = 0
    lost: int = 0
    ready: int = 0


async def _stream(host: str, port: int, area_set: str, got: _Got) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    head = _HEADERS.format(host=f"{host}:{port}", accept="text/event-stream")
    writer.write(f"GET /hub/live?area_set={area_set} HTTP/1.1\r\n{head}".encode())
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress
    while (line := await reader.readline()) != b"\r\n":  # the head
        if line.lower().startswith(b"transfer-encoding"):
            assert b"chunked" in line.lower()
    waiting = True
    while size := int(await reader.readline() or b"0", 16):
        chunk = await reader.readexactly(size + 2)
        got.bytes += len(chunk)
        data = unpack(chunk[:-2])
        got.events += data.count(b"event: change") + data.count(b"event: derived")
        if waiting and b"event: snapshot" in data:
            waiting = False
            got.ready += 1
    got.lost += 1


async def _ask(host: str, port: int) -> None:
    chance = random.Random()
    await asyncio.sleep(chance.uniform(0, _AGAIN_S))
    head = _HEADERS.format(host=f"{host}:{port}", accept="*/*")
    while True:
        reader, writer = await asyncio.open_connection(host, port)
        for path in ("/hub/alerts", "/hub/area-sets"):
            writer.write(f"GET {path} HTTP/1.1\r\n{head}".encode())
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                name, _, value = line.decode().partition(":")
                length = int(value) if name.lower() == "content-length" else length
            await reader.readexactly(length)
        writer.close()
        await asyncio.sleep(_AGAIN_S)


async def _watch(url: str, area_set: str, number: int, seconds: float) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    got = _Got()
    tasks = []
    for _ in range(number):
        tasks.append(asyncio.create_task(_stream(host, port, area_set, got)))
        tasks.append(asyncio.create_task(_ask(host, port)))
    while got.ready < number:
        await asyncio.sleep(0.05)
        for task in tasks:
            if task.done():
                task.result()
    await asyncio.sleep(2)  # what opening them has cost is over
    got.bytes = got.events = 0
    print("open", flush=True)
    begun = time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - begun
    print(
        json.dumps(
            {
                "events_per_s": got.events / number / took,
                "bytes_per_s": got.bytes / number / took,
                "lost": got.lost,
            }
        ),
        flush=True,
    )
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_watch(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
