"""The library, its errors, and handles that can be closed while other threads use them."""
import threading
from ctypes import byref, create_string_buffer

from . import abi

lib = abi.load()


class Error(RuntimeError):
    """A call that failed: `status` is the number, `name` its name, such as 'HNX_ERR_CORRUPT', `text` the cause."""

    # What hnswlib says in these cases, for scripts that look at the text.
    HNSWLIB = {
        abi.HNX_ERR_FULL: 'The number of elements exceeds the specified limit',
        abi.HNX_ERR_NOT_FOUND: 'Label not found',
        abi.HNX_ERR_ALREADY_DELETED: 'The requested to delete element is already deleted',
        abi.HNX_ERR_NOT_DELETED: 'The requested to undelete element is not deleted',
        abi.HNX_ERR_CORRUPT: 'Index seems to be corrupted or unsupported',
    }

    def __init__(self, status, text, said=None):
        name = lib.hnx_status_name(status).decode()
        said = said or self.HNSWLIB.get(status)
        super().__init__(f'{said} ({name}: {text})' if said else f'{name}: {text}')
        self.status, self.name, self.text = status, name, text

    def __reduce__(self):
        return Error, (self.status, self.text)


def check(status, said=None):
    """Raises what went wrong in the call of this thread that returned `status`."""
    if status:
        text = create_string_buffer(1024)
        lib.hnx_last_error(text, len(text))
        raise Error(status, text.value.decode(errors='replace'), said)


def version():
    """Version of the loaded library."""
    return lib.hnx_version().decode()


def cpu_name():
    """The instruction set it uses."""
    return lib.hnx_cpu_name().decode()


class Handle:
    """Owns an index. `with handle as pointer:` keeps it from being freed meanwhile: after close() the last user frees."""

    __slots__ = ('_lock', '_pointer', '_users', '_open')

    def __init__(self, make, *arguments):
        pointer = abi.c_void_p()
        self._lock, self._users, self._open, self._pointer = threading.Lock(), 0, False, None
        check(make(*arguments, byref(pointer)), 'Cannot open file' if make is lib.hnx_load else None)
        self._pointer, self._open = pointer.value, True

    def __enter__(self):
        with self._lock:
            if not self._open:
                raise ValueError('the index is closed')
            self._users += 1
        return self._pointer

    def __exit__(self, *_):
        with self._lock:
            self._users -= 1
            self._free()

    @property
    def is_open(self):
        """Whether close() was not called."""
        return self._open

    def close(self):
        """Frees now, or when the calls that run have ended. May be called again."""
        with self._lock:
            self._open = False
            self._free()

    def _free(self):
        if not self._open and not self._users and self._pointer:
            pointer, self._pointer = self._pointer, None
            lib.hnx_free(pointer)

    def __del__(self):
        if self._pointer:
            self.close()
