"""Index: the methods of hnswlib's Python module 0.8.0, and what libhnx adds."""
import operator
import os
import threading
from ctypes import addressof, byref, c_size_t

import numpy as np

from . import abi, state
from .handle import Handle, check, lib

METRICS = {'l2': abi.HNX_METRIC_L2, 'ip': abi.HNX_METRIC_IP, 'cosine': abi.HNX_METRIC_COSINE}
EXACTNESS = {'default': abi.HNX_EXACTNESS_DEFAULT, 'f32': abi.HNX_EXACTNESS_F32, 'certified': abi.HNX_EXACTNESS_CERTIFIED,
             'guided': abi.HNX_EXACTNESS_GUIDED}
FEW = 'Cannot return the results in a contiguous 2D array. Probably ef or M is too small'
FORMATS = {'hnswlib': abi.HNX_FORMAT_HNSWLIB, 'chroma': abi.HNX_FORMAT_CHROMA, 'directory': abi.HNX_FORMAT_CHROMA_DIRECTORY}


def _unsigned(number, what, below=2**64):
    """An integer that C can take; ctypes would cut it off."""
    number = operator.index(number)
    if not 0 <= number < below:
        raise TypeError(f'{what} is {number}: not from 0 to {below - 1}')
    return number


def _labels(labels, rows=None):
    """An array of u64, as hnswlib makes it: anything NumPy can cast."""
    if isinstance(labels, (set, frozenset)):
        labels = list(labels)
    labels = np.ascontiguousarray(labels, np.uint64) if np.ndim(labels) else np.array(labels, np.uint64)
    if rows is not None and labels.shape != (rows,) and not (labels.ndim == 0 and rows == 1):
        raise RuntimeError(f'The input label shape {labels.shape} does not match the input data vector shape {rows}')
    return labels


def _vectors(data, dim):
    """Rows of floats, as hnswlib makes them."""
    data = np.ascontiguousarray(data, np.float32) if np.ndim(data) else np.float32(data)
    if data.ndim not in (1, 2):
        raise RuntimeError(f'Input vector data wrong shape. Number of dimensions {data.ndim}. Data must be a 1D or 2D array.')
    if data.shape[-1] != dim:
        raise RuntimeError('Wrong dimensionality of the vectors')
    return data.reshape(-1, dim)


def _threads(num_threads, default):
    """Threads of a call: those asked for, or the index's."""
    return min(num_threads if num_threads > 0 else max(default, 1), 1024)


def _address(array):
    return array.__array_interface__['data'][0]


class _Filter:
    """A struct hnx_filter with what it points to, and the exception of its function."""

    def __init__(self, wanted):
        self.error = None
        if callable(wanted):
            def accept(_, label):
                try:
                    return 1 if wanted(label) else 0
                except BaseException as error:  # goes on where the query was called
                    self.error = error
                    return -1
            self.struct = abi.hnx_filter(accept=abi.hnx_accept_fn(accept))
        else:
            self.labels = _labels(wanted)
            self.struct = abi.hnx_filter(labels=_address(self.labels), label_count=self.labels.size, flags=abi.HNX_FILTER_ONLY)


class Index:
    """An HNSW index over vectors of `dim` floats. space: 'l2', 'ip' or 'cosine'.

    Methods, arguments, defaults and exceptions are those of hnswlib 0.8.0; all of them may be called from any thread at
    any time. What is new: query(), close() and `with`, persist_dirty(), save_codes(), filters by a list of labels, files of
    Chroma, max_elements=0 for an index that grows on demand. What differs: a label that is deleted and added again lives again,
    vectors that are not finite are refused, with 'cosine' get_items() gives back what was added.
    """

    def __init__(self, space=None, dim=None, *, params=None, index=None):
        if isinstance(space, Index):
            index = space
        elif isinstance(space, dict):
            params = space
        if index is not None:
            params = index.__getstate__()[0]
        if params is not None:
            self.__setstate__((params,))
            return
        self._prepare(space, dim)

    def _prepare(self, space, dim):
        if not isinstance(space, str):
            raise TypeError(f'space is {space!r}')
        if space not in METRICS:
            raise RuntimeError('Space name must be one of l2, ip, or cosine.')
        self._space, self._dim = space, _unsigned(dim, 'dim', 2**31)
        self.num_threads = os.cpu_count() or 1
        self._handle, self._ef, self._seed, self._grows = None, 10, 0, True
        self._next, self._numbering = 0, threading.Lock()

    def _open(self):
        handle = self._handle
        if handle is None:
            raise RuntimeError('The index is not initiated: init_index() or load_index()')
        return handle

    # ------------------------------------------------------------------------------------------------ making, closing

    def init_index(self, max_elements, M=16, ef_construction=200, random_seed=100, allow_replace_deleted=False, *,
                   persist_path=None):
        """Makes an empty index; with persist_path one that persist_dirty() writes to that directory."""
        if self._handle is not None and self._handle.is_open:
            raise RuntimeError('The index is already initiated.')
        options = abi.hnx_options(
            metric=METRICS[self._space], dim=self._dim, max_elements=_unsigned(max_elements, 'max_elements'),
            m=_unsigned(M, 'M'), ef_construction=_unsigned(ef_construction, 'ef_construction'),
            random_seed=_unsigned(random_seed, 'random_seed'),
            flags=abi.HNX_ALLOW_REPLACE_DELETED if allow_replace_deleted else 0,
            persist_path=None if persist_path is None else os.fsencode(persist_path))
        self._start(Handle(lib.hnx_init, byref(options)), grows=max_elements == 0)
        self._seed = random_seed

    def load_index(self, path_to_index, max_elements=0, allow_replace_deleted=False, *, mmap=False, read_only=False):
        """Opens a file of hnswlib or Chroma, or a directory of Chroma, which persist_dirty() then writes to."""
        flags = (abi.HNX_ALLOW_REPLACE_DELETED if allow_replace_deleted else 0) | (abi.HNX_LOAD_MMAP if mmap else 0) \
            | (abi.HNX_LOAD_READ_ONLY if read_only else 0)
        options = abi.hnx_load_options(metric=METRICS[self._space], dim=self._dim, flags=flags,
                                       max_elements=_unsigned(max_elements, 'max_elements'))
        self._start(Handle(lib.hnx_load, os.fsencode(path_to_index), byref(options)), grows=max_elements == 0)

    def _start(self, handle, grows):
        with handle as pointer:
            check(lib.hnx_set_ef(pointer, self._ef))
            self._next = lib.hnx_count(pointer)
        old, self._handle, self._grows = self._handle, handle, grows
        if old is not None:
            old.close()

    def close(self):
        """Frees the index. Calls that run on other threads end first; later ones but init_index() and load_index() raise
        ValueError."""
        if self._handle is not None:
            self._handle.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ------------------------------------------------------------------------------------------------ adding, deleting

    def add_items(self, data, ids=None, num_threads=-1, replace_deleted=False):
        """Adds rows, or updates those whose id exists. Without ids: the numbers that follow the last ones."""
        data = _vectors(data, self._dim)
        with self._open() as pointer:
            first = self._reserve(len(data))
            ids = np.arange(first, first + len(data), dtype=np.uint64) if ids is None else _labels(ids, len(data))
            options = abi.hnx_add_options(threads=_threads(num_threads, self.num_threads),
                                          flags=abi.HNX_ADD_REPLACE_DELETED if replace_deleted else 0)
            check(lib.hnx_add(pointer, _address(data), _address(ids), len(data), byref(options), None))

    def _reserve(self, rows):
        """The first of `rows` ids that no other call without ids gets; counts on in calls with ids, as hnswlib does."""
        with self._numbering:
            first, self._next = self._next, self._next + rows
            return first

    def mark_deleted(self, label):
        """Deletes a label."""
        with self._open() as pointer:
            check(lib.hnx_mark_deleted(pointer, _unsigned(label, 'label')))

    def unmark_deleted(self, label):
        """Takes a deletion back."""
        with self._open() as pointer:
            check(lib.hnx_unmark_deleted(pointer, _unsigned(label, 'label')))

    def resize_index(self, new_size):
        """Sets the capacity."""
        with self._open() as pointer:
            check(lib.hnx_resize(pointer, _unsigned(new_size, 'new_size')),
                  'Cannot resize, max element is less than the current number of elements')

    # ------------------------------------------------------------------------------------------------ asking

    def query(self, data, k=1, ef=0, num_threads=-1, filter=None, *, exactness='default'):
        """Labels, distances and counts of the k nearest of each row; fewer than k is no error.

        The unused tail of a row is 2**64 - 1 and infinity. ef: 0 for the index's. filter: a function of a label, or the
        labels that may be found (list, set, array). exactness: 'default', 'f32', 'certified' or 'guided'.
        """
        data, k = _vectors(data, self._dim), _unsigned(k, 'k', 2**31)
        rows = len(data)
        labels, distances = np.empty((rows, k), np.uint64), np.empty((rows, k), np.float32)
        counts = np.zeros(rows, np.uintp)
        options = abi.hnx_query_options(ef=_unsigned(ef, 'ef'), threads=_threads(num_threads, self.num_threads),
                                        exactness=EXACTNESS[exactness])
        wanted = None if filter is None else _Filter(filter)
        if wanted:
            options.filter = addressof(wanted.struct)
        with self._open() as pointer:
            if k:
                status = lib.hnx_query(pointer, _address(data), rows, k, byref(options), _address(labels),
                                       _address(distances), _address(counts))
                if wanted and wanted.error is not None:
                    raise wanted.error
                check(status)
        return labels, distances, counts

    def knn_query(self, data, k=1, num_threads=-1, filter=None, *, exactness='default'):
        """Labels and distances of the k nearest of each row; a row with fewer is a RuntimeError. Else as query()."""
        with self._open() as pointer:
            if _unsigned(k, 'k') > lib.hnx_count(pointer) and np.size(data):  # before memory for k is asked for
                raise RuntimeError(FEW)
        labels, distances, counts = self.query(data, k, num_threads=num_threads, filter=filter, exactness=exactness)
        if (counts < k).any():
            raise RuntimeError(FEW)
        return labels, distances

    def get_items(self, ids=None, return_type='numpy'):
        """The vectors of ids, as an array or as a list of lists."""
        if return_type not in ('numpy', 'list'):
            raise ValueError('return_type should be "numpy" or "list"')
        if ids is not None and np.ndim(ids) == 0 and not isinstance(ids, (set, frozenset)):
            raise ValueError('get_items accepts a list of indices and returns a list of vectors')
        ids = _labels([] if ids is None else ids).reshape(-1)
        vectors = np.empty((len(ids), self._dim), np.float32)
        with self._open() as pointer:
            check(lib.hnx_get(pointer, _address(ids), len(ids), _address(vectors)))
        return vectors.tolist() if return_type == 'list' else vectors if len(ids) else np.empty(0, np.float32)

    def get_ids_list(self):
        """All labels, those of deleted elements included, in the order they were added."""
        return self._list(abi.HNX_LABELS_ALL).tolist()

    def _list(self, which):
        with self._open() as pointer:
            count = c_size_t(lib.hnx_count(pointer))
            while True:  # others may add meanwhile
                labels = np.empty(count.value + 16, np.uint64)
                check(lib.hnx_labels(pointer, which, _address(labels), len(labels), byref(count)))
                if count.value <= len(labels):
                    return labels[:count.value]

    def stats(self):
        """The state of the index: the fields of hnx_stats_info."""
        info = abi.hnx_stats_info()
        with self._open() as pointer:
            check(lib.hnx_stats(pointer, byref(info)))
        return {name: getattr(info, name) for name, _ in info._fields_ if name != 'struct_size'}

    def get_max_elements(self):
        """Records that fit before the index is full or grows."""
        with self._open() as pointer:
            return lib.hnx_capacity(pointer)

    def get_current_count(self):
        """Records, deleted ones included."""
        with self._open() as pointer:
            return lib.hnx_count(pointer)

    def get_deleted_count(self):
        """Deleted records."""
        with self._open() as pointer:
            return lib.hnx_deleted_count(pointer)

    def set_ef(self, ef):
        """Sets the size of the candidate list of queries that give none."""
        ef = _unsigned(ef, 'ef')
        if self._handle is not None:
            with self._handle as pointer:
                check(lib.hnx_set_ef(pointer, ef))
        self._ef = ef

    def set_exactness(self, exactness):
        """Sets the exactness of queries that give none, and the codes that are kept: none for 'f32'."""
        with self._open() as pointer:
            check(lib.hnx_set_exactness(pointer, EXACTNESS[exactness]))

    def set_num_threads(self, num_threads):
        """Sets the threads of calls that say nothing of threads."""
        self.num_threads = operator.index(num_threads)

    space = property(lambda self: self._space, doc="'l2', 'ip' or 'cosine'.")
    dim = property(lambda self: self._dim, doc='Floats per vector.')
    ef = property(lambda self: self._ef, set_ef, doc='Size of the candidate list.')
    max_elements = property(lambda self: self.get_max_elements() if self._handle else 0, doc='Capacity.')
    element_count = property(lambda self: self.get_current_count() if self._handle else 0, doc='Records.')
    ef_construction = property(lambda self: self.stats()['ef_construction'] if self._handle else 0, doc='As initiated.')
    M = property(lambda self: self.stats()['m'] if self._handle else 0, doc='As initiated.')

    # ------------------------------------------------------------------------------------------------ files, pickles

    def save_index(self, path_to_index, *, format='hnswlib'):
        """Writes the whole index: a file that hnswlib opens; 'chroma' or 'directory': what Chroma opens."""
        with self._open() as pointer:
            check(lib.hnx_save(pointer, os.fsencode(path_to_index), FORMATS[format]))

    def save_codes(self, path_to_index):
        """Writes the codes beside the file or directory of this index, so that load_index(mmap=True) has them at once."""
        with self._open() as pointer:
            check(lib.hnx_save_codes(pointer, os.fsencode(path_to_index)))

    def persist_dirty(self):
        """Writes what changed since the last call to the index's directory. Generation, records and bytes written."""
        info = abi.hnx_persist_info()
        with self._open() as pointer:
            check(lib.hnx_persist_dirty(pointer, None, byref(info)))
        return info.generation, info.records_written, info.bytes_written

    def index_file_size(self):
        """Bytes that save_index() writes."""
        return len(state.file_of(self))

    def __getstate__(self):
        return (state.params_of(self),)

    def __setstate__(self, pickled):
        if len(pickled) != 1:
            raise RuntimeError('Invalid state!')
        state.restore(self, pickled[0])

    def __repr__(self):
        return f"<hnx.Index(space='{self._space}', dim={self._dim})>"


def verify(path):
    """Compares a directory with the checksums beside it: how many records it has, and how many of them were compared.

    Damage is an Error, HNX_ERR_CORRUPT, whose text names file, byte and record.
    """
    info = abi.hnx_verify_info()
    check(lib.hnx_verify(os.fsencode(path), byref(info)))
    return info.records, info.checked


def salvage(path, space, dim, *, M=0, ef_construction=0, num_threads=0, allow_replace_deleted=False, beyond_count=False):
    """Builds an index, in memory, from what can be read of a damaged directory or file: the index, and a dict that says what
    was kept and dropped, the fields of hnx_salvage_info. M, ef_construction: 0 to find them out; num_threads: 0 for all cores.
    """
    index, info = Index(space, dim), abi.hnx_salvage_info()
    options = abi.hnx_salvage_options(
        metric=METRICS[space], dim=index.dim, m=_unsigned(M, 'M'), ef_construction=_unsigned(ef_construction, 'ef_construction'),
        threads=_unsigned(num_threads, 'num_threads', 2**31),
        flags=(abi.HNX_ALLOW_REPLACE_DELETED if allow_replace_deleted else 0)
        | (abi.HNX_SALVAGE_BEYOND_COUNT if beyond_count else 0))

    def make(name, given, out):
        return lib.hnx_salvage(name, given, out, byref(info))
    index._start(Handle(make, os.fsencode(path), byref(options)), grows=True)
    return index, {name: getattr(info, name) for name, _ in info._fields_ if name not in ('struct_size', 'reserved')}
