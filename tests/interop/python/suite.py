"""Speaks to a running server with python-socketio, in one of three modes.

    python suite.py http://127.0.0.1:40123 polling,websocket

Prints one line per case and ends with 1 at the first that fails. Every wait is for an event and
has a bound.
"""

import queue
import sys
import threading
import time

import engineio
import socketio
from socketio.exceptions import ConnectionError as Refused

BOUND_SECONDS = 15
PAYLOAD_BYTES_MAX = 1_000_000


class InOrder(engineio.Client):
    """Handles messages as they come: the original starts a thread for each, in any order."""

    def _trigger_event(self, event, *args, **kwargs):
        return super()._trigger_event(event, *args, **{**kwargs, "run_async": False})

    def disconnect(self, abort=False, reason=None):
        """Leaves once all is written: the original may forget its goodbye and wait for a ping."""
        written = self.queue.all_tasks_done
        with written:
            written.wait_for(lambda: not self.queue.unfinished_tasks, timeout=2)
        super().disconnect(abort=True, reason=reason)


class InOrderClient(socketio.Client):
    def _engineio_client_class(self):
        return InOrder


class Client:
    """A connected client whose events are kept in queues until they are asked for."""

    def __init__(self, url, transports, reconnection=False):
        self.io = InOrderClient(reconnection=reconnection)
        self.disconnected = threading.Event()
        self.io.on("disconnect", lambda *_: self.disconnected.set())
        self._heard = {}
        for event in ("chat", "echo", "reply", "room", "users"):
            self._listen(event)
        self.io.connect(url, transports=transports, wait_timeout=BOUND_SECONDS)

    def _listen(self, event):
        heard = self._heard[event] = queue.Queue()
        self.io.on(event, heard.put)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.io.disconnect()

    def emit(self, event, *args):
        self.io.emit(event, args[0] if len(args) == 1 else args)

    def next(self, event):
        try:
            return self._heard[event].get(timeout=BOUND_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no event {event} came") from None

    def until(self, event, value):
        deadline = time.monotonic() + BOUND_SECONDS
        while time.monotonic() < deadline:
            if self.next(event) == value:
                return
        raise AssertionError(f"no event {event} with {value!r} came")

    def ack(self, value):
        return self.io.call("ack-echo", value, timeout=BOUND_SECONDS)


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
            assert client.ack(value) == value, value


def binary(connect):
    value = {"parts": [b"\x00\xff", {"deep": bytes(range(256)) * 20}], "empty": b""}
    with connect() as client:
        assert client.ack(value) == value
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
        member.ack("joined")
        other.emit("room", "blue", "to blue")
        assert member.next("room") == "to blue"
        member.emit("leave", "blue")
        member.ack("left")
        other.emit("room", "blue", "unheard")
        other.ack("said")
        member.ack("still here")
        assert member._heard["room"].empty()


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
        assert client.ack("served") == "served"


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
        case(lambda: Client(url, transports))
