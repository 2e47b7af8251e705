"""The benchmarks' application on python-socketio and uvicorn.

    python server.py --port 0
"""

import argparse

import socketio
import uvicorn

io = socketio.AsyncServer(async_mode="asgi")


@io.on("chat")
async def chat(sid, data):
    await io.emit("chat", data)


@io.on("echo")
async def echo(sid, data):
    await io.emit("echo", data, to=sid)


@io.on("ack-echo")
async def ack_echo(sid, data):
    return data


@io.on("message")
async def message(sid, *data):
    await io.emit("reply", "Hello Client", to=sid)


@io.on("join")
async def join(sid, room):
    await io.enter_room(sid, room)


@io.on("leave")
async def leave(sid, room):
    await io.leave_room(sid, room)


@io.on("room")
async def room(sid, name, data):
    await io.emit("room", data, to=name)


async def health(scope, receive, send):
    """Everything that isn't Socket.IO's; the web server asks about its lifespan here too."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    found = scope["type"] == "http" and scope["path"] == "/healthz"
    headers = [(b"content-type", b"text/plain")]
    status, body = (200, b"ok") if found else (404, b"not found")
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive, send):
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=3000)
    config = uvicorn.Config(
        socketio.ASGIApp(io, health),
        port=parser.parse_args().port,
        access_log=False,
        log_level="error",
        # Off in every server that is compared.
        ws_per_message_deflate=False,
    )
    listener = config.bind_socket()
    # Whoever connects before uvicorn accepts waits in the backlog.
    listener.listen(config.backlog)
    host, port = listener.getsockname()
    print(f"Listening on http://{host}:{port}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
