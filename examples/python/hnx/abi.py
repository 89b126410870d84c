"""The declarations of include/hnx.h for ctypes, and nothing else. Arrays are c_void_p: NumPy gives addresses."""
import os
from ctypes import (CDLL, CFUNCTYPE, POINTER, Structure, c_char_p, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p,
                    sizeof)

VERSION = (0, 1)
"""Major and minor version of the header these declarations follow."""

HNX_METRIC_L2 = 0
HNX_METRIC_IP = 1
HNX_METRIC_COSINE = 2
HNX_ALLOW_REPLACE_DELETED = 1
HNX_LOAD_MMAP = 2
HNX_LOAD_READ_ONLY = 4
HNX_CHECK_DEFAULT = 0
HNX_CHECK_FAST = 1
HNX_CHECK_DEEP = 2
HNX_ADD_REPLACE_DELETED = 1
HNX_ADD_INSERT_ONLY = 2
HNX_ADD_UPDATE_ONLY = 4
HNX_ADD_GUIDED = 8
HNX_EXACTNESS_DEFAULT = 0
HNX_EXACTNESS_F32 = 1
HNX_EXACTNESS_CERTIFIED = 2
HNX_EXACTNESS_GUIDED = 3
HNX_FILTER_ONLY = 1
HNX_FILTER_EXCEPT = 2
HNX_LABELS_LIVE = 0
HNX_LABELS_DELETED = 1
HNX_LABELS_ALL = 2
HNX_FORMAT_HNSWLIB = 0
HNX_FORMAT_CHROMA = 1
HNX_FORMAT_CHROMA_DIRECTORY = 2
HNX_SALVAGE_BEYOND_COUNT = 8
HNX_DAMAGE_HEADER = 1
HNX_DAMAGE_RECORDS = 2
HNX_DAMAGE_LENGTHS = 4
HNX_DAMAGE_LISTS = 8
HNX_DISTANCE_L2 = 0
HNX_DISTANCE_IP = 1

HNX_OK = 0
HNX_ERR_INVALID_ARGUMENT = -1
HNX_ERR_OUT_OF_MEMORY = -2
HNX_ERR_FULL = -3
HNX_ERR_NOT_FOUND = -4
HNX_ERR_ALREADY_DELETED = -5
HNX_ERR_NOT_DELETED = -6
HNX_ERR_IO = -7
HNX_ERR_CORRUPT = -8
HNX_ERR_VERSION = -9
HNX_ERR_UNSUPPORTED = -10
HNX_ERR_LOCKED = -11
HNX_ERR_READ_ONLY = -12
HNX_ERR_CANCELLED = -13
HNX_ERR_POISONED = -14
HNX_ERR_INTERNAL = -15
HNX_ERR_EXISTS = -16
HNX_ERR_CONFLICT = -17

hnx_accept_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64)


class Sized(Structure):
    """A struct that begins with its own size; zero means default in the rest."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.struct_size = sizeof(self)


class hnx_options(Sized):
    _fields_ = [('struct_size', c_size_t), ('metric', c_uint32), ('flags', c_uint32), ('dim', c_size_t),
                ('max_elements', c_size_t), ('m', c_size_t), ('ef_construction', c_size_t), ('random_seed', c_uint64),
                ('persist_path', c_char_p)]


class hnx_load_options(Sized):
    _fields_ = [('struct_size', c_size_t), ('metric', c_uint32), ('flags', c_uint32), ('dim', c_size_t),
                ('max_elements', c_size_t), ('check', c_uint32), ('reserved', c_uint32)]


class hnx_add_options(Sized):
    _fields_ = [('struct_size', c_size_t), ('threads', c_uint32), ('flags', c_uint32)]


class hnx_query_options(Sized):
    _fields_ = [('struct_size', c_size_t), ('ef', c_size_t), ('threads', c_uint32), ('exactness', c_uint32),
                ('filter', c_void_p)]


class hnx_filter(Sized):
    _fields_ = [('struct_size', c_size_t), ('accept', hnx_accept_fn), ('context', c_void_p), ('labels', c_void_p),
                ('label_count', c_size_t), ('flags', c_uint32), ('reserved', c_uint32)]


class hnx_persist_options(Sized):
    _fields_ = [('struct_size', c_size_t), ('flags', c_uint32), ('reserved', c_uint32)]


class hnx_persist_info(Sized):
    _fields_ = [('struct_size', c_size_t), ('generation', c_uint64), ('records_written', c_uint64),
                ('bytes_written', c_uint64)]


class hnx_verify_info(Sized):
    _fields_ = [('struct_size', c_size_t), ('records', c_uint64), ('checked', c_uint64), ('damaged', c_uint64),
                ('first_record', c_uint64), ('first_offset', c_uint64), ('first_file', c_char_p)]


class hnx_salvage_options(Sized):
    _fields_ = [('struct_size', c_size_t), ('metric', c_uint32), ('flags', c_uint32), ('dim', c_size_t), ('m', c_size_t),
                ('ef_construction', c_size_t), ('threads', c_uint32), ('reserved', c_uint32)]


class hnx_salvage_info(Sized):
    _fields_ = [('struct_size', c_size_t), ('damage', c_uint32), ('reserved', c_uint32)] + [
        (name, c_uint64) for name in ('stated', 'records', 'kept', 'deleted', 'missing', 'unwritten', 'unreadable',
                                      'not_finite', 'implausible', 'duplicates', 'lengths_lost',
                                      'mismatched')]


class hnx_stats_info(Sized):
    _fields_ = [('struct_size', c_size_t), ('metric', c_uint32), ('flags', c_uint32), ('dim', c_size_t),
                ('count', c_size_t), ('deleted', c_size_t), ('capacity', c_size_t), ('m', c_size_t),
                ('ef_construction', c_size_t), ('ef', c_size_t), ('max_level', c_int32), ('exactness', c_uint32),
                ('record_bytes', c_uint64), ('other_bytes', c_uint64), ('dirty_records', c_uint64),
                ('code_bytes', c_uint64), ('vector_bytes', c_uint64), ('link_bytes', c_uint64),
                ('label_bytes', c_uint64)]


FUNCTIONS = {
    'hnx_init': (c_int32, [POINTER(hnx_options), POINTER(c_void_p)]),
    'hnx_load': (c_int32, [c_char_p, POINTER(hnx_load_options), POINTER(c_void_p)]),
    'hnx_free': (None, [c_void_p]),
    'hnx_add': (c_int32, [c_void_p, c_void_p, c_void_p, c_size_t, POINTER(hnx_add_options), c_void_p]),
    'hnx_mark_deleted': (c_int32, [c_void_p, c_uint64]),
    'hnx_unmark_deleted': (c_int32, [c_void_p, c_uint64]),
    'hnx_resize': (c_int32, [c_void_p, c_size_t]),
    'hnx_set_ef': (c_int32, [c_void_p, c_size_t]),
    'hnx_set_exactness': (c_int32, [c_void_p, c_uint32]),
    'hnx_query': (c_int32, [c_void_p, c_void_p, c_size_t, c_size_t, POINTER(hnx_query_options), c_void_p, c_void_p,
                            c_void_p]),
    'hnx_get': (c_int32, [c_void_p, c_void_p, c_size_t, c_void_p]),
    'hnx_labels': (c_int32, [c_void_p, c_uint32, c_void_p, c_size_t, POINTER(c_size_t)]),
    'hnx_persist_dirty': (c_int32, [c_void_p, POINTER(hnx_persist_options), POINTER(hnx_persist_info)]),
    'hnx_save': (c_int32, [c_void_p, c_char_p, c_uint32]),
    'hnx_save_codes': (c_int32, [c_void_p, c_char_p]),
    'hnx_verify': (c_int32, [c_char_p, POINTER(hnx_verify_info)]),
    'hnx_salvage': (c_int32, [c_char_p, POINTER(hnx_salvage_options), POINTER(c_void_p), POINTER(hnx_salvage_info)]),
    'hnx_count': (c_size_t, [c_void_p]),
    'hnx_deleted_count': (c_size_t, [c_void_p]),
    'hnx_capacity': (c_size_t, [c_void_p]),
    'hnx_dim': (c_size_t, [c_void_p]),
    'hnx_stats': (c_int32, [c_void_p, POINTER(hnx_stats_info)]),
    'hnx_distances': (c_int32, [c_uint32, c_size_t, c_void_p, c_void_p, c_size_t, c_size_t, c_void_p]),
    'hnx_normalize': (c_float, [c_void_p, c_size_t, c_void_p]),
    'hnx_version': (c_char_p, []),
    'hnx_cpu_name': (c_char_p, []),
    'hnx_status_name': (c_char_p, [c_int32]),
    'hnx_last_error': (c_size_t, [c_char_p, c_size_t]),
}
"""Result and parameters of each function."""


def load():
    """The library: the one HNX_LIB names, else the one built in this tree, else the system's."""
    built = os.path.join(os.path.dirname(__file__), '..', '..', '..', 'target', 'release', 'libhnx.so')
    name = os.environ.get('HNX_LIB') or (built if os.path.exists(built) else 'libhnx.so.%d.%d' % VERSION)
    library = CDLL(name)
    library.hnx_version.restype = c_char_p
    version = library.hnx_version().decode()
    if version.split('.')[:2] != [str(part) for part in VERSION]:
        raise ImportError('%s is libhnx %s; this module needs %d.%d' % (name, version, *VERSION))
    for name, (result, parameters) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, parameters
    return library
