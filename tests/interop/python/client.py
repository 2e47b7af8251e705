"""A client of python-socketio whose events are waited for, each wait with a bound."""

import queue
import threading
import time

import engineio
import socketio

BOUND_SECONDS = 15


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

    def __init__(self, url, transports, events, namespace="/", auth=None, answers=None):
        self.namespace = namespace
        self.io = InOrderClient(reconnection=False)
        self.disconnected = threading.Event()
        self.io.on("disconnect", lambda *_: self.disconnected.set(), namespace=namespace)
        self._heard = {}
        for event in events:
            self._listen(event)
        for event, answer in (answers or {}).items():
            self.io.on(event, answer, namespace=namespace)
        self.io.connect(
            url,
            auth=auth,
            namespaces=[namespace],
            transports=transports,
            wait_timeout=BOUND_SECONDS,
        )

    def _listen(self, event):
        heard = self._heard[event] = queue.Queue()
        self.io.on(event, lambda *args: heard.put(args), namespace=self.namespace)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.io.disconnect()

    def emit(self, event, *args):
        self.io.emit(event, pack(args), namespace=self.namespace)

    def ask(self, event, *args):
        """What the server acknowledges with: one value, or a tuple of several."""
        namespace = self.namespace
        return self.io.call(event, pack(args), namespace=namespace, timeout=BOUND_SECONDS)

    def heard(self, event):
        """Whether such an event has come that was not asked for so far."""
        return not self._heard[event].empty()

    def next(self, event):
        args = self.next_args(event)
        assert len(args) == 1, f"{event} came with {args!r}"
        return args[0]

    def next_args(self, event):
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


def pack(args):
    """One argument stands for itself, several are a tuple."""
    return args[0] if len(args) == 1 else args
