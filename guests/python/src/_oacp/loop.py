"""asyncio over the completion port.

The loop asks the outside only when nothing else is runnable, so what an agent does follows from the
recorded order of completions. There are no sockets, threads, signals or child processes to wait for.
"""

import asyncio
import asyncio.base_events
import asyncio.events
import asyncio.runners
import time

from wit_world.imports import port as _port

# An agent that polls (`while not task.done(): await asyncio.sleep(0)`) is always runnable. After so
# many rounds the port is asked anyway, or the poll would never end.
_ROUNDS_WITHOUT_WAIT_MAX = 1000
_POLL_NS = 1_000_000


class PortEventLoop(asyncio.base_events.BaseEventLoop):
    """An event loop whose selector is the completion port."""

    def __init__(self):
        super().__init__()
        self._selector = self
        self._pending = {}
        self._rounds = 0

    def completion_of(self, call):
        """A future of the completion of `call`."""
        future = self.create_future()
        self._pending[call] = future
        return future

    # What BaseEventLoop asks of a selector.

    def select(self, timeout):
        pending = self._pending
        if pending:
            for call in [call for call, future in pending.items() if future.done()]:
                del pending[call]  # abandoned: a timeout, a cancelled task
        if timeout == 0:
            self._rounds += 1
            if not pending or self._rounds < _ROUNDS_WITHOUT_WAIT_MAX:
                return ()
            deadline = time.monotonic_ns() + _POLL_NS
        elif self._scheduled:
            deadline = int(self._scheduled[0]._when * 1e9) + 1
        else:
            deadline = None
        self._rounds = 0
        if not pending and deadline is None:
            raise RuntimeError(_deadlock(self))
        completion = _port.wait(list(pending), deadline)
        if completion is not None:
            future = pending.pop(completion.call, None)
            if future is not None and not future.done():
                future.set_result(completion)
        return ()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass

    def close(self):
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        self._pending.clear()
        super().close()

    # What cannot exist here.

    def run_in_executor(self, executor, func, *args):
        raise RuntimeError(
            "threads cannot be started here, so asyncio.to_thread and run_in_executor do not work: "
            "call the function directly; for tools use oacp.tools.call_async, for HTTP oacp.http.request_async")

    def add_reader(self, *_):
        raise _no_sockets()

    remove_reader = add_writer = remove_writer = add_reader

    async def _no_connection(self, *_, **__):
        raise _no_sockets()

    create_connection = create_server = create_datagram_endpoint = _no_connection
    create_unix_connection = create_unix_server = connect_accepted_socket = _no_connection
    sock_connect = sock_accept = sock_recv = sock_recv_into = sock_recvfrom = sock_sendall = _no_connection
    sock_sendto = getaddrinfo = getnameinfo = connect_read_pipe = connect_write_pipe = _no_connection
    start_tls = sendfile = sock_sendfile = _no_connection

    async def _no_process(self, *_, **__):
        raise OSError("processes cannot be started here: use a tool (oacp.tools.call_async)")

    subprocess_exec = subprocess_shell = _no_process

    def add_signal_handler(self, *_):
        raise RuntimeError("no signals reach an agent")

    remove_signal_handler = add_signal_handler


def _no_sockets():
    return OSError("there are no sockets here: for HTTP use oacp.http.request_async, for anything else a tool (oacp.tools.call_async)")


def _deadlock(loop):
    waiting = []
    for task in sorted(asyncio.all_tasks(loop), key=lambda task: (len(task.get_name()), task.get_name())):
        frames = task.get_stack()
        if frames:
            waiting.append(f"{task.get_name()} at {frames[-1].f_code.co_filename}, line {frames[-1].f_lineno}")
    text = "deadlock: no task can run, and no timer or tool call is left that could wake one"
    if waiting:
        text += " (waiting: " + "; ".join(waiting[:8]) + ("; …" if len(waiting) > 8 else "") + ")"
    return text


def install():
    """Makes it the loop of `asyncio.run`, `Runner` and `new_event_loop`. Called once, at build."""
    base = asyncio.events._BaseDefaultEventLoopPolicy
    policy = type("DefaultEventLoopPolicy", (base,), {"_loop_factory": PortEventLoop, "__module__": "asyncio"})
    asyncio.events._event_loop_policy = policy()
    asyncio.EventLoop = asyncio.SelectorEventLoop = PortEventLoop
    for name in ("DefaultEventLoopPolicy", "_DefaultEventLoopPolicy"):
        if hasattr(asyncio, name):
            setattr(asyncio, name, policy)
