"""Do two indexes hold the same and find the same? Each is an hnx.Index or an originals.PackageIndex."""
import numpy as np
import formats
import hnx


def results(first, second, queries, k=10, ef=60, what='', metric='l2'):
    """Same neighbours at same distances, row by row.

    The two may round a distance differently, so almost equal distances may change places, and at the rim of the
    candidate list one may be in and the other out: one row in two hundred may then differ in one place.
    """
    def ask(index):
        return index.query(queries, k, ef, **({'exactness': 1} if isinstance(index, hnx.Index) else {}))
    (i, d, c), (j, e, f) = ask(first), ask(second)
    assert np.array_equal(c, f), f'{what}: counts {c[:5]} != {f[:5]}'
    room = 1e-5 * np.maximum(np.abs(d), np.abs(e)) + (1e-6 * k if metric == 'l2' else 2e-5)
    off = np.abs(d - e) > room
    bad = np.flatnonzero(off.any(1))
    assert len(bad) <= len(queries) // 200, \
        f'{what}: {len(bad)} of {len(queries)} rows have other distances, row {bad[0]}: {d[bad[0]]} != {e[bad[0]]}'
    for row in np.setdiff1d(np.flatnonzero((i != j).any(1)), bad):
        for at in np.flatnonzero(i[row] != j[row]):  # allowed among (almost) equal distances, and at the end
            near = np.abs(d[row] - d[row, at]) <= 2 * room[row, at]
            assert i[row, at] in j[row][near] or near[-1], f'{what}: row {row}: {i[row]} != {j[row]}, distances {d[row]}'
    return i, d


def same_records(a, b, what='', lengths=False):
    """Two files as formats.read gives them: header, and every record byte for byte, up to offset and stride."""
    for field in formats.FIELDS:
        if field not in ('stride', 'label_offset', 'data_offset'):
            assert getattr(a, field) == getattr(b, field), f'{what}: {field} {getattr(a, field)} != {getattr(b, field)}'
    for field in ('labels', 'flags', 'counts', 'slots', 'vectors'):
        x, y = (np.ascontiguousarray(getattr(g, field)) for g in (a, b))
        x, y = (v.view(np.uint32) if v.dtype == np.float32 else v for v in (x, y))  # bits, not values
        rows = np.flatnonzero((x != y).reshape(a.count, x.size // max(a.count, 1)).any(1))
        assert not len(rows), f'{what}: {field} differ in {len(rows)} of {a.count} records, first {rows[0]}'
    rows = [n for n, (x, y) in enumerate(zip(a.upper, b.upper)) if x != y]
    assert not rows, f'{what}: upper lists differ in {len(rows)} of {a.count} records, first {rows[0]}'
    if lengths:
        rows = np.flatnonzero(a.lengths.view(np.uint32) != b.lengths.view(np.uint32))
        assert not len(rows), f'{what}: lengths differ in {len(rows)} of {a.count} records, first {rows[0]}'
