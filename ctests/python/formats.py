"""The three file layouts, read into numpy: nmslib's file, Chroma's file, Chroma's directory (contract, section 3)."""
import os
import struct
from types import SimpleNamespace
import numpy as np

FIELDS = ['offset_level0', 'max_elements', 'count', 'stride', 'label_offset', 'data_offset', 'max_level', 'entry',
          'max_m', 'max_m0', 'm', 'mult', 'ef_construction']
HEADER = '<QQQQQQiIQQQdQ'
FILES = ['header.bin', 'data_level0.bin', 'length.bin', 'link_lists.bin']


def _bytes(path):
    with open(path, 'rb') as f:
        return f.read()


def read(path, chroma=False):
    """A saved index. Directories and, with chroma=True, Chroma's file have lengths; trailing bytes in directories are dropped."""
    if os.path.isdir(path):
        header, data, lengths, lists = (_bytes(os.path.join(path, name)) for name in FILES)
        assert len(header) == 100 and struct.unpack_from('<i', header) == (1,), f'header.bin: {header!r}'
        g = SimpleNamespace(**dict(zip(FIELDS, struct.unpack_from(HEADER, header, 4))))
        assert len(data) >= g.count * g.stride and len(lengths) >= 4 * g.count, f'{path}: short files'
        data, lengths = data[:g.count * g.stride], lengths[:4 * g.count]
    else:
        raw = _bytes(path)
        assert len(raw) >= 96, f'{path} has {len(raw)} bytes'
        g = SimpleNamespace(**dict(zip(FIELDS, struct.unpack_from(HEADER, raw))))
        end = 96 + g.count * g.stride
        data = raw[96:end]
        lengths, lists = (raw[end:end + 4 * g.count], raw[end + 4 * g.count:]) if chroma else (None, raw[end:])
    g.data = np.frombuffer(data, np.uint8).reshape(g.count, g.stride)
    g.lengths = None if lengths is None else np.frombuffer(lengths, np.float32)
    g.upper, at = [], 0
    for _ in range(g.count):
        size, = struct.unpack_from('<I', lists, at)
        g.upper.append(lists[at + 4:at + 4 + size])
        assert len(g.upper[-1]) == size, f'{path}: link lists end early'
        at += 4 + size
    assert os.path.isdir(path) or at == len(lists), f'{path}: {len(lists) - at} bytes too many'
    g.counts = g.data[:, 0:2].copy().view(np.uint16).ravel()
    g.flags = g.data[:, 2]
    g.slots = g.data[:, 4:4 + 4 * g.max_m0].copy().view(np.uint32)
    g.vectors = g.data[:, g.data_offset:g.label_offset].copy().view(np.float32)
    g.labels = g.data[:, g.label_offset:g.label_offset + 8].copy().view(np.uint64).ravel()
    g.list_size = 4 + 4 * g.max_m
    g.levels = np.array([len(u) // g.list_size for u in g.upper])
    return g


def links(g, id, level):
    """The live entries of one list."""
    if level == 0:
        return g.slots[id, :g.counts[id]]
    one = g.upper[id][(level - 1) * g.list_size:level * g.list_size]
    return np.frombuffer(one, np.uint32, struct.unpack_from('<H', one)[0], 4)


def compare_links(a, b):
    """Over all lists of two graphs with the same levels: total entries, entries that only one has, lists in another order,
    first id that differs."""
    total = differing = reordered = 0
    first = None
    for id in range(a.count):
        for level in range(a.levels[id] + 1):
            x, y = links(a, id, level), links(b, id, level)
            total += max(len(x), len(y))
            if not np.array_equal(x, y):
                first = id if first is None else first
                only = max(len(np.setdiff1d(x, y)), len(np.setdiff1d(y, x)))
                differing += only
                reordered += only == 0
    return SimpleNamespace(total=total, differing=differing, reordered=reordered, first=first)


def ulps(a, b):
    """Distance of floats of the same sign in units of the last place, elementwise."""
    i, j = (np.ascontiguousarray(v, np.float32).view(np.int32).astype(np.int64) for v in (a, b))
    i, j = (np.where(v < 0, -(v & 0x7fffffff), v) for v in (i, j))
    return np.abs(i - j)


def describe(a, b):
    """In words, where two saved indexes differ; '' if their records are the same."""
    words = [f'{f} {getattr(a, f)} != {getattr(b, f)}' for f in FIELDS if getattr(a, f) != getattr(b, f)]
    if a.count != b.count or a.stride != b.stride or a.max_m != b.max_m:
        return '; '.join(words)
    for name in ('labels', 'flags', 'levels'):
        x, y = getattr(a, name), getattr(b, name)
        if not np.array_equal(x, y):
            ids = np.flatnonzero(x != y)
            words.append(f'{name} differ at {len(ids)} ids, first {ids[0]}: {x[ids[0]]} != {y[ids[0]]}')
    if not np.array_equal(a.vectors.view(np.uint32), b.vectors.view(np.uint32)):
        ids = np.flatnonzero((a.vectors.view(np.uint32) != b.vectors.view(np.uint32)).any(1))
        words.append(f'vectors differ at {len(ids)} ids, first {ids[0]}, by up to {ulps(a.vectors, b.vectors).max()} ulp')
    if np.array_equal(a.levels, b.levels):
        c = compare_links(a, b)
        if c.first is not None:
            level = next(l for l in range(a.levels[c.first] + 1) if not np.array_equal(links(a, c.first, l), links(b, c.first, l)))
            words.append(f'{c.differing} of {c.total} links differ, {c.reordered} lists are in another order, first id {c.first} '
                         f'level {level}: {links(a, c.first, level).tolist()} != {links(b, c.first, level).tolist()}')
        elif not words and (not np.array_equal(a.data, b.data) or a.upper != b.upper):
            rows = np.flatnonzero((a.data != b.data).any(1))
            words.append(f'unused bytes (stale slots) differ in {len(rows)} records, first {rows[:1].tolist()}, '
                         f'and in {sum(x != y for x, y in zip(a.upper, b.upper))} upper lists')
    return '; '.join(words)


def assert_same_file(path, other, what=''):
    """Byte for byte."""
    x, y = _bytes(path), _bytes(other)
    if x != y:
        raise AssertionError(f'{what}: {describe(read(path), read(other)) or f"{len(x)} and {len(y)} bytes"}')
