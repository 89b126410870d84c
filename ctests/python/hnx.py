"""libhnx through ctypes: every function of include/hnx.h. HNX_LIB names the library (default target/release/libhnx.so)."""
import ctypes as C
import os
import numpy as np

REPO = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
LIBRARY = os.environ.get('HNX_LIB') or os.path.join(REPO, 'target', 'release', 'libhnx.so')

METRIC = {'l2': 0, 'ip': 1, 'cosine': 2}
ALLOW_REPLACE_DELETED, LOAD_MMAP, LOAD_READ_ONLY = 1, 2, 4
CHECK_DEFAULT, CHECK_FAST, CHECK_DEEP = 0, 1, 2
ADD_REPLACE_DELETED, ADD_INSERT_ONLY, ADD_UPDATE_ONLY, ADD_GUIDED = 1, 2, 4, 8
FORMAT_HNSWLIB, FORMAT_CHROMA, FORMAT_CHROMA_DIRECTORY = 0, 1, 2
NO_LABEL = 2**64 - 1
SALVAGE_BEYOND_COUNT = 8
DAMAGE_HEADER, DAMAGE_RECORDS, DAMAGE_LENGTHS, DAMAGE_LISTS = 1, 2, 4, 8


class Sized(C.Structure):
    """A struct that begins with its own size."""
    def __init__(self, **fields):
        super().__init__(**fields)
        self.struct_size = C.sizeof(self)


class Options(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('metric', C.c_uint32), ('flags', C.c_uint32), ('dim', C.c_size_t),
                ('max_elements', C.c_size_t), ('m', C.c_size_t), ('ef_construction', C.c_size_t),
                ('random_seed', C.c_uint64), ('persist_path', C.c_char_p)]


class LoadOptions(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('metric', C.c_uint32), ('flags', C.c_uint32), ('dim', C.c_size_t),
                ('max_elements', C.c_size_t), ('check', C.c_uint32), ('reserved', C.c_uint32)]


class AddOptions(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('threads', C.c_uint32), ('flags', C.c_uint32)]


class QueryOptions(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('ef', C.c_size_t), ('threads', C.c_uint32), ('exactness', C.c_uint32),
                ('filter', C.c_void_p)]


class PersistOptions(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('flags', C.c_uint32), ('reserved', C.c_uint32)]


class PersistInfo(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('generation', C.c_uint64), ('records_written', C.c_uint64),
                ('bytes_written', C.c_uint64)]


class VerifyInfo(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('records', C.c_uint64), ('checked', C.c_uint64), ('damaged', C.c_uint64),
                ('first_record', C.c_uint64), ('first_offset', C.c_uint64), ('first_file', C.c_char_p)]


class SalvageOptions(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('metric', C.c_uint32), ('flags', C.c_uint32), ('dim', C.c_size_t),
                ('m', C.c_size_t), ('ef_construction', C.c_size_t), ('threads', C.c_uint32), ('reserved', C.c_uint32)]


class SalvageInfo(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('damage', C.c_uint32), ('reserved', C.c_uint32),
                *((name, C.c_uint64) for name in ('stated', 'records', 'kept', 'deleted', 'missing', 'unwritten', 'unreadable',
                                                  'not_finite', 'implausible', 'duplicates', 'lengths_lost', 'mismatched'))]


class Stats(Sized):
    _fields_ = [('struct_size', C.c_size_t), ('metric', C.c_uint32), ('flags', C.c_uint32), ('dim', C.c_size_t),
                ('count', C.c_size_t), ('deleted', C.c_size_t), ('capacity', C.c_size_t), ('m', C.c_size_t),
                ('ef_construction', C.c_size_t), ('ef', C.c_size_t), ('max_level', C.c_int32),
                ('exactness', C.c_uint32), ('record_bytes', C.c_uint64), ('other_bytes', C.c_uint64),
                ('dirty_records', C.c_uint64), ('code_bytes', C.c_uint64), ('vector_bytes', C.c_uint64),
                ('link_bytes', C.c_uint64), ('label_bytes', C.c_uint64)]


class Error(RuntimeError):
    """A call that did not return HNX_OK. `name` is the status, such as HNX_ERR_CORRUPT."""
    def __init__(self, status, name, text):
        super().__init__(f'{name}: {text}')
        self.status, self.name = status, name


_lib = None


def lib():
    """The library, opened and declared once."""
    global _lib
    if _lib is None:
        L = C.CDLL(LIBRARY)
        V, S, P, U64, F, STR = C.c_void_p, C.c_size_t, C.POINTER, C.c_uint64, C.POINTER(C.c_float), C.c_char_p
        declarations = {
            'init': (C.c_int32, [P(Options), P(V)]),
            'load': (C.c_int32, [STR, P(LoadOptions), P(V)]),
            'salvage': (C.c_int32, [STR, P(SalvageOptions), P(V), P(SalvageInfo)]),
            'free': (None, [V]),
            'add': (C.c_int32, [V, F, P(U64), S, P(AddOptions), P(C.c_int32)]),
            'query': (C.c_int32, [V, F, S, S, P(QueryOptions), P(U64), F, P(S)]),
            'mark_deleted': (C.c_int32, [V, U64]),
            'unmark_deleted': (C.c_int32, [V, U64]),
            'persist_dirty': (C.c_int32, [V, P(PersistOptions), P(PersistInfo)]),
            'verify': (C.c_int32, [STR, P(VerifyInfo)]),
            'save': (C.c_int32, [V, STR, C.c_uint32]),
            'save_codes': (C.c_int32, [V, STR]),
            'get': (C.c_int32, [V, P(U64), S, F]),
            'resize': (C.c_int32, [V, S]),
            'set_ef': (C.c_int32, [V, S]),
            'set_exactness': (C.c_int32, [V, C.c_uint32]),
            'stats': (C.c_int32, [V, P(Stats)]),
            'count': (S, [V]),
            'deleted_count': (S, [V]),
            'capacity': (S, [V]),
            'dim': (S, [V]),
            'version': (STR, []),
            'status_name': (STR, [C.c_int32]),
            'cpu_name': (STR, []),
            'last_error': (S, [STR, S]),
        }
        for name, (result, arguments) in declarations.items():
            function = getattr(L, 'hnx_' + name)
            function.restype, function.argtypes = result, arguments
        _lib = L
    return _lib


def cpu_name():
    return lib().hnx_cpu_name().decode()


def version():
    return lib().hnx_version().decode()


def verify(path):
    """What the checksums of a directory say; raises nothing for damage."""
    info = VerifyInfo()
    status = lib().hnx_verify(os.fsencode(path), C.byref(info))
    if not info.first_file:
        _check(status)
    return info


def _check(status):
    if status:
        buffer = C.create_string_buffer(2048)
        lib().hnx_last_error(buffer, len(buffer))
        raise Error(status, lib().hnx_status_name(status).decode(), buffer.value.decode(errors='replace'))


def _floats(a, dim):
    a = np.ascontiguousarray(a, np.float32)
    a = a.reshape(1, -1) if a.ndim == 1 else a
    assert a.shape[1] == dim, f'vectors of {a.shape[1]} floats for an index of {dim}'
    return a, a.ctypes.data_as(C.POINTER(C.c_float))


def _labels(a):
    a = np.ascontiguousarray(np.atleast_1d(a), np.uint64)
    return a, a.ctypes.data_as(C.POINTER(C.c_uint64))


class Index:
    """An index handle. Adds use one thread unless told otherwise, as a determined graph needs."""

    def __init__(self, handle):
        self._handle = handle

    @classmethod
    def init(cls, metric, dim, max_elements=0, m=0, ef_construction=0, seed=0, replace=False, path=None):
        handle = C.c_void_p()
        options = Options(metric=METRIC[metric], flags=ALLOW_REPLACE_DELETED if replace else 0, dim=dim,
                          max_elements=max_elements, m=m, ef_construction=ef_construction, random_seed=seed,
                          persist_path=os.fsencode(path) if path else None)
        _check(lib().hnx_init(C.byref(options), C.byref(handle)))
        return cls(handle)

    @classmethod
    def load(cls, path, metric, dim, max_elements=0, replace=False, mmap=False, read_only=False, check=CHECK_DEFAULT):
        handle = C.c_void_p()
        flags = (ALLOW_REPLACE_DELETED if replace else 0) | (LOAD_MMAP if mmap else 0) | (LOAD_READ_ONLY if read_only else 0)
        options = LoadOptions(metric=METRIC[metric], flags=flags, dim=dim, max_elements=max_elements, check=check)
        _check(lib().hnx_load(os.fsencode(path), C.byref(options), C.byref(handle)))
        return cls(handle)

    @classmethod
    def salvage(cls, path, metric, dim, beyond_count=False):
        """The index, and what was kept and dropped."""
        handle, info = C.c_void_p(), SalvageInfo()
        options = SalvageOptions(metric=METRIC[metric], flags=SALVAGE_BEYOND_COUNT if beyond_count else 0, dim=dim)
        _check(lib().hnx_salvage(os.fsencode(path), C.byref(options), C.byref(handle), C.byref(info)))
        return cls(handle), info

    def close(self):
        lib().hnx_free(self._handle)
        self._handle = C.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def add(self, vectors, labels, replace=False, threads=1, flags=0):
        vectors, v = _floats(vectors, self.dim)
        labels, l = _labels(labels)
        assert len(vectors) == len(labels)
        options = AddOptions(threads=threads, flags=flags | (ADD_REPLACE_DELETED if replace else 0))
        _check(lib().hnx_add(self._handle, v, l, len(labels), C.byref(options), None))

    def query(self, queries, k, ef=0, threads=1, exactness=0):
        """Labels, distances, counts."""
        queries, q = _floats(queries, self.dim)
        labels, distances = np.zeros((len(queries), k), np.uint64), np.zeros((len(queries), k), np.float32)
        counts = np.zeros(len(queries), np.uintp)
        options = QueryOptions(ef=ef, threads=threads, exactness=exactness)
        _check(lib().hnx_query(self._handle, q, len(queries), k, C.byref(options),
                               labels.ctypes.data_as(C.POINTER(C.c_uint64)),
                               distances.ctypes.data_as(C.POINTER(C.c_float)),
                               counts.ctypes.data_as(C.POINTER(C.c_size_t))))
        return labels, distances, counts

    def get(self, labels):
        labels, l = _labels(labels)
        vectors = np.zeros((len(labels), self.dim), np.float32)
        _check(lib().hnx_get(self._handle, l, len(labels), vectors.ctypes.data_as(C.POINTER(C.c_float))))
        return vectors

    def delete(self, *labels):
        for label in labels:
            _check(lib().hnx_mark_deleted(self._handle, int(label)))

    def undelete(self, *labels):
        for label in labels:
            _check(lib().hnx_unmark_deleted(self._handle, int(label)))

    def resize(self, max_elements):
        _check(lib().hnx_resize(self._handle, max_elements))

    def set_ef(self, ef):
        _check(lib().hnx_set_ef(self._handle, ef))

    def set_exactness(self, exactness):
        _check(lib().hnx_set_exactness(self._handle, exactness))

    def save(self, path, format=FORMAT_HNSWLIB):
        _check(lib().hnx_save(self._handle, os.fsencode(path), format))

    def save_codes(self, path):
        _check(lib().hnx_save_codes(self._handle, os.fsencode(path)))

    def persist(self):
        info = PersistInfo()
        _check(lib().hnx_persist_dirty(self._handle, C.byref(PersistOptions()), C.byref(info)))
        return info

    def stats(self):
        stats = Stats()
        _check(lib().hnx_stats(self._handle, C.byref(stats)))
        return stats

    @property
    def dim(self):
        return lib().hnx_dim(self._handle)

    @property
    def count(self):
        return lib().hnx_count(self._handle)

    @property
    def deleted(self):
        return lib().hnx_deleted_count(self._handle)

    @property
    def capacity(self):
        return lib().hnx_capacity(self._handle)
