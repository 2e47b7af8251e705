"""Speaks to a running server with python-socketio, in one of three modes.

    python suite.py http://127.0.0.1:40123 polling,websocket

Prints one line per case and ends with 1 at the first that fails.
"""

import queue
import sys

from client import BOUND_SECONDS, Client, InOrderClient
from socketio.exceptions import ConnectionError as Refused

EVENTS = ("chat", "echo", "reply", "room", "users")
PAYLOAD_BYTES_MAX = 1_000_000


def reply_to_a_message(connect):
    with connect() as client:
        client.emit("message", "Hi")
        assert client.next("reply") == "Hello Client"


def two_clients_chat(connect):
    with connect() as first:
        with connect() as second:
            first.emit("join", "users")
            first.until("users", 2)
            first.emit("chat", "Hello!")
            assert second.next("chat") == "Hello!"
            second.emit("chat", "Hi!")
            assert [first.next("chat"), first.next("chat")] == ["Hello!", "Hi!"]
            assert second.next("chat") == "Hi!"
        first.until("users", 1)


def values_and_text(connect):
    with connect() as client:
        for value in (0, 1.5, True, [None], [], {"a": [None]}, "你好 👋🏽", "\x00\x1e\u2028"):
            assert client.ask("ack-echo", value) == value, value


def binary(connect):
    value = {"parts": [b"\x00\xff", {"deep": bytes(range(256)) * 20}], "empty": b""}
    with connect() as client:
        assert client.ask("ack-echo", value) == value
        client.emit("echo", value)
        assert client.next("echo") == value


def order(connect):
    with connect() as client:
        # In slices, for this client refuses a polling payload of more than 16 packets.
        for start in range(0, 1_000, 10):
            for index in range(start, start + 10):
                client.emit("echo", index)
            for index in range(start, start + 10):
                assert client.next("echo") == index


def rooms(connect):
    with connect() as member, connect() as other:
        member.emit("join", "blue")
        member.ask("ack-echo", "joined")
        other.emit("room", "blue", "to blue")
        assert member.next("room") == "to blue"
        member.emit("leave", "blue")
        member.ask("ack-echo", "left")
        other.emit("room", "blue", "unheard")
        other.ask("ack-echo", "said")
        member.ask("ack-echo", "still here")
        assert not member.heard("room")


def limit(connect):
    text = "x" * (PAYLOAD_BYTES_MAX - len('42["echo",""]'))
    with connect() as client:
        client.emit("echo", text)
        assert client.next("echo") == text
        client.emit("echo", text + "x")
        # After a 413 this client stops writing, but it only leaves once its pings run out.
        if "websocket" in transports:
            assert client.disconnected.wait(BOUND_SECONDS), "still connected beyond the limit"
    with connect() as client:
        assert client.ask("ack-echo", "served") == "served"


def unknown_namespace(connect):
    io = InOrderClient(reconnection=False)
    refusals = queue.Queue()
    io.on("connect_error", refusals.put, namespace="/nope")
    try:
        io.connect(url, transports=transports, namespaces=["/nope"])
        raise AssertionError("the namespace was not refused")
    except Refused:
        assert "Invalid namespace" in str(refusals.get(timeout=BOUND_SECONDS))
    finally:
        io.disconnect()


CASES = (
    reply_to_a_message,
    two_clients_chat,
    values_and_text,
    binary,
    order,
    rooms,
    limit,
    unknown_namespace,
)

if __name__ == "__main__":
    url, transports = sys.argv[1], sys.argv[2].split(",")
    for case in CASES:
        print(case.__name__.replace("_", " "), flush=True)
        case(lambda: Client(url, transports, EVENTS))
