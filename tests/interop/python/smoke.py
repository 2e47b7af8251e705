"""Speaks to the running smoke app with python-socketio, in one of three modes.

    python smoke.py http://127.0.0.1:40123 polling,websocket

Prints one line per case and ends with 1 at the first that fails.
"""

import queue
import sys

from client import BOUND_SECONDS, Client, InOrderClient
from socketio.exceptions import ConnectionError as Refused

EVENTS = (
    "answer",
    "at-last",
    "blob",
    "e",
    "echo",
    "f",
    "flood-done",
    "left",
    "no-answer",
    "nsp",
    "refused",
    "text",
    "user",
    "welcome",
)


def connect(**options):
    return Client(url, transports, EVENTS, **options)


def join(**options):
    client = connect(**options)
    client.id = client.next("welcome")["id"]
    return client


def welcome():
    with connect(auth={"key": 1}) as client:
        told = client.next("welcome")
        assert told["id"] == client.io.get_sid("/")
        assert (told["auth"], told["recovered"]) == ({"key": 1}, False)


def echo_and_reflect():
    values = (None, True, -1.5, "tëxt", [[1]], {"a": [b"\x00\xff", {"b": b""}]})
    with join() as client:
        for value in values:
            assert client.ask("echo", value) == value, value
            client.emit("reflect", "e", value, 2)
            assert client.next_args("e") == (value, 2), value
        assert client.ask("echo", 1, b"two") == (1, b"two")
        client.emit("echo", "last")
        assert client.next("echo") == "last"


def questions():
    with join(answers={"question": lambda *args: ("answered", *args)}) as client:
        client.emit("ask", 1, b"two")
        assert client.next_args("answer") == ("answered", 1, b"two")
        client.ask("join", "r")
        told = client.ask("ask-room", "r", 1_000)
        assert told == {"timedOut": False, "responses": ["answered"]}, told


def rooms():
    with join() as first, join() as second:
        assert first.ask("join", "b") == ["b"]
        assert first.ask("join", "a") == ["a", "b"]
        second.ask("join", "a")
        second.emit("to", "a", "e", "to")
        second.emit("in", ["a", "b"], "e", "in")
        second.emit("except", "b", "e", "except")
        second.emit("broadcast", "e", "broadcast")
        assert [first.next("e") for _ in range(3)] == ["to", "in", "broadcast"]
        assert [second.next("e") for _ in range(2)] == ["in", "except"]
        assert second.ask("set", "name", "Ann") is True
        told = second.ask("fetch", "a")
        ids = sorted([first.id, second.id])
        assert [each["id"] for each in told] == ids, told
        assert {"name": "Ann"} in [each["data"] for each in told], told
        assert first.ask("leave", "a") == ["b"]


def bytes_and_texts():
    with join() as client:
        client.emit("blob", 300)
        data = bytes((7 * i + 3) % 256 for i in range(300))
        blob = {"n": 300, "data": data, "nested": [{"head": data[:4]}]}
        assert client.next("blob") == blob
        digest = client.ask("digest", data, {"deep": [b"\xff"]})
        assert digest == {"count": 2, "bytes": 301, "sum": (sum(data) + 255) % 65_536}
        client.emit("text", 30_000)
        assert client.next("text") == "é" * 30_000
        # This client refuses a polling payload of more than 16 packets.
        client.emit("flood", 10, 50)
        assert client.next("flood-done") == 10
        assert [client.next_args("f")[0] for _ in range(10)] == list(range(10))


def tells():
    with join() as client:
        client.emit("forbidden")
        assert client.next("refused") == "forbidden event"
        who = client.ask("who")
        assert (who["id"], who["protocol"], who["nsp"]) == (client.id, 4, "/"), who
        assert client.ask("handshake")["query"]["EIO"] == "4"
        assert client.ask("heard") == ["forbidden", "who", "handshake", "heard"]


def reasons():
    with join() as observer, join() as leaver, join() as kicked:
        observer.ask("join", "observers")
        kicked.ask("join", "out")
        leaver.io.disconnect()
        assert observer.next("left")["reason"] == "client namespace disconnect"
        observer.emit("kick", "out", True)
        left = observer.next("left")
        assert left == {"id": kicked.id, "reason": "server namespace disconnect", "rooms": ["out"]}
        assert kicked.disconnected.wait(BOUND_SECONDS)


def namespaces():
    with connect(namespace="/auth", auth={"token": "secret", "user": "Ann"}) as client:
        assert client.next("user") == "Ann"
    with connect(namespace="/slow") as client:
        client.next_args("at-last")
    with connect(namespace="/room-7") as client:
        assert client.next("nsp") == "/room-7"
    for namespace, message in (("/auth", "unauthorized"), ("/nope", "Invalid namespace")):
        io = InOrderClient(reconnection=False)
        refusals = queue.Queue()
        io.on("connect_error", refusals.put, namespace=namespace)
        try:
            io.connect(url, transports=transports, namespaces=[namespace])
            raise AssertionError(f"{namespace} was not refused")
        except Refused:
            assert message in str(refusals.get(timeout=BOUND_SECONDS))
        finally:
            io.disconnect()


CASES = (
    welcome,
    echo_and_reflect,
    questions,
    rooms,
    bytes_and_texts,
    tells,
    reasons,
    namespaces,
)

if __name__ == "__main__":
    url, transports = sys.argv[1], sys.argv[2].split(",")
    for case in CASES:
        print(case.__name__.replace("_", " "), flush=True)
        case()
