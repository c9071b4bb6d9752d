"""The lock between a pool's processes."""

import os
import signal

from salesflow.pools import MortalLock


def _in_a_child(lock: MortalLock) -> tuple[int, int]:
    """Fork a process that takes the lock and waits; returns its id and a pipe that tells so."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    lock.acquire()
    os.write(writer, b"!")
    signal.pause()
    os._exit(0)


def test_lock_of_a_process_that_is_killed_is_free_again() -> None:
    lock = MortalLock()
    first, has_it = _in_a_child(lock)
    assert os.read(has_it, 1) == b"!"
    second, has_it_then = _in_a_child(lock)
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    try:
        assert os.read(has_it_then, 1) == b"!"
    finally:
        os.kill(second, signal.SIGKILL)
        os.waitpid(second, 0)


def test_lock_keeps_the_processes_of_a_pool_apart() -> None:
    lock = MortalLock()
    first, has_it = _in_a_child(lock)
    assert os.read(has_it, 1) == b"!"
    second, has_it_then = _in_a_child(lock)
    try:
        os.set_blocking(has_it_then, False)
        for _look in range(1000):
            try:
                assert os.read(has_it_then, 1) == b""
            except BlockingIOError:
                continue
    finally:
        for pid in (first, second):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
