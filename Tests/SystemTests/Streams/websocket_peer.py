"""Both ends of streams, played by another implementation (PyPI websockets).

serve: prints {"websocket": PORT, "events": PORT}, serves until its input ends.
visit WEBSOCKET_URL PORT EVENTS_PATH FIELDS: opens one of each with these fields, an object, prints "ready", then one line for each that ends.
"""

import asyncio
import json
import sys
import time

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


def say(message):
    print(json.dumps(message), flush=True)


async def echo(socket):
    await socket.send(json.dumps([socket.request.headers.get(name) for name in ("Authorization", "Cookie")]))
    try:
        async for message in socket:
            await socket.send(message)
    except ConnectionClosed:
        # The gateway ends this side without a word when it ends the other.
        pass


async def events(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    last = int(next(line for line in head if line.startswith("last-event-id:")).split(":")[1])
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        while True:
            last += 1
            event = b"id: %d\n\n" % last
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(0.1)
    except ConnectionError:
        writer.close()


async def serve_both():
    async with serve(echo, "127.0.0.1", 0, max_size=None) as sockets:
        server = await asyncio.start_server(events, "127.0.0.1", 0)
        say({"websocket": sockets.sockets[0].getsockname()[1], "events": server.sockets[0].getsockname()[1]})
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def hold_websocket(url, fields, ready):
    async with connect(url, additional_headers=fields, max_size=None, proxy=None) as socket:
        assert json.loads(await socket.recv()) == [None, None]
        for message in ["", "text", "é" * 1000, b"\x00" * 70_000, b"\xff" * (3 << 20)]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["in ", "several ", "frames"])
        assert await socket.recv() == "in several frames"
        await (await socket.ping())
        ready.set_result(None)
        try:
            await socket.recv()
        except ConnectionClosed as ended:
            received = ended.rcvd
            say({"websocket": received.code if received else None, "at": time.time()})


async def hold_events(port, path, fields, ready):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n{lines}Last-Event-ID: 41\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    # The first one comes while the second is not there yet: nothing is held back.
    assert await reader.readuntil(b"\n\n\r\n") == b"8\r\nid: 42\n\n\r\n"
    ready.set_result(None)
    body = b""
    try:
        while received := await reader.read(65536):
            body += received
    except ConnectionError:
        pass
    say({"events_complete": body.endswith(b"0\r\n\r\n"), "at": time.time()})


async def visit(url, port, path, fields):
    fields = json.loads(fields)
    ready = [asyncio.get_running_loop().create_future() for _ in range(2)]
    streams = [
        asyncio.create_task(hold_websocket(url, fields, ready[0])),
        asyncio.create_task(hold_events(int(port), path, fields, ready[1]))]
    await asyncio.wait([asyncio.gather(*ready), *streams], return_when=asyncio.FIRST_COMPLETED)
    if all(future.done() for future in ready):
        say("ready")
    await asyncio.gather(*streams)


asyncio.run(serve_both() if sys.argv[1] == "serve" else visit(*sys.argv[2:]))
