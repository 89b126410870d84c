"""Recall on real data is not below hnswlib 0.8.0's at the same M, ef_construction, seed and ef; graphs are built in one thread."""
import sys
import tempfile
import threading
import numpy as np
import data
import formats
import hnx
from harness import case, run
from originals import Package

hnswlib = Package('hnswlib')
ROWS, K, EFS = 20000, 10, (10, 14, 20, 30, 40, 60, 80, 120, 200, 400)


def recall(labels, base, queries, nearest, metric):
    """Share of results that are no farther than the k-th neighbour: among equals any will do."""
    b, q = base.astype(np.float64), queries.astype(np.float64)
    if metric == 'cosine':
        b, q = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (b, q))

    def distance(rows):
        near = b[rows]
        return ((near - q[:, None])**2).sum(-1) if metric == 'l2' else 1 - (near * q[:, None]).sum(-1)
    last = distance(nearest[:, K - 1:K])
    return float((distance(labels.astype(np.int64)) <= last + 1e-9 * np.abs(last) + 1e-12).mean())


@case('sift', 'l2')
@case('glove', 'cosine')
@case('minilm', 'cosine')
@case('sift', 'cosine')
def recalls(name, metric):
    base, queries = data.real(name, ROWS)
    nearest = data.exact_neighbours(base, queries, K, metric)
    labels = np.arange(len(base))
    theirs = hnswlib.init(metric, base.shape[1], len(base))
    ours = hnx.Index.init(metric, base.shape[1], len(base))
    other = threading.Thread(target=theirs.add, args=(base, labels))
    other.start()
    ours.add(base, labels)
    other.join()
    with tempfile.TemporaryDirectory() as folder:
        ours.save(f'{folder}/ours')
        theirs.save(f'{folder}/theirs')
        hnswlibs = formats.read(f'{folder}/theirs')
        links = formats.compare_links(formats.read(f'{folder}/ours'), hnswlibs)
    assert links.differing + links.reordered < links.total / 500, f'{links.differing} of {links.total} links differ'
    notes, below, usual = [], [], {}
    for ef in EFS:
        r, s = (recall(index.query(queries, K, ef)[0], base, queries, nearest, metric) for index in (ours, theirs))
        usual[ef] = s
        if ef in (10, 40, 120):
            notes.append(f'{r:.4f} at {ef}')
        (f32, d), (certified, e) = (ours.query(queries, K, ef, exactness=mode)[:2] for mode in (1, 2))
        assert (f32 == certified).all() and (d == e).all(), f'certified answers are not those of f32 at ef {ef}'
        if r < s - 0.0005:
            below.append(f'{r:.4f} at ef {ef}, hnswlib {s:.4f}')
    assert not below, f'recall of {"; ".join(below)}'
    # A graph that codes have guided, asked in f32: as good as hnswlib's at equal ef, with lists as long.
    guided = hnx.Index.init(metric, base.shape[1], len(base))
    guided.add(base, labels, flags=8)
    with tempfile.TemporaryDirectory() as folder:
        guided.save(f'{folder}/guided')
        degree, theirs_have = (one.counts.mean() for one in (formats.read(f'{folder}/guided'), hnswlibs))
    better = [recall(guided.query(queries, K, ef, exactness=1)[0], base, queries, nearest, metric) - usual[ef] for ef in EFS]
    notes.append(f'by a guided graph {min(better):+.4f} to {max(better):+.4f}, {degree:.2f} links a list to {theirs_have:.2f}')
    assert min(better) > -0.005 and np.mean(better) > -0.001, f'recall by a guided graph: {better}'
    assert abs(degree / theirs_have - 1) < 0.05, f'{degree} links a list, hnswlib {theirs_have}'
    for index in (guided, ours, theirs):
        index.close()
    return f'{", ".join(notes)}; {links.differing} of {links.total} links differ from hnswlib\'s'


@case('sift', 'l2', 66000)
@case('minilm', 'cosine', 33000)
def large(name, metric, rows):
    """Codes of half a byte guide the walk; both build and both answers at equal ef are as good as those by f32."""
    base, queries = data.real(name, rows)
    if len(base) < rows:
        raise data.Skip(f'{name} has only {len(base)} vectors here')
    nearest = data.exact_neighbours(base, queries, K, metric)
    index = hnx.Index.init(metric, base.shape[1], len(base))
    index.add(base, np.arange(len(base)), threads=2, flags=8)
    code = index.stats().code_bytes / len(base) / base.shape[1]
    # SIFT's bytes are the vectors; of others none are kept until a certified query needs them.
    assert 1.5 <= code < 2 if name == 'sift' else 0.5 <= code < 1, f'{code:.2f} bytes of codes a float'
    below = []
    for ef in EFS:
        f32, guided = (recall(index.query(queries, K, ef, exactness=mode)[0], base, queries, nearest, metric) for mode in (1, 3))
        if guided < f32 - 0.001:
            below.append(f'{guided:.4f} at ef {ef}, by f32 {f32:.4f}')
    (f32, d), (certified, e) = (index.query(queries, K, 40, exactness=mode)[:2] for mode in (1, 2))
    assert (f32 == certified).all() and (d == e).all(), 'certified answers are not those of f32'
    more = index.stats().code_bytes / len(base) / base.shape[1]
    assert more >= 1.5, f'{more:.2f} bytes of codes a float after a certified query'
    index.close()
    assert not below, f'recall of {"; ".join(below)}'
    return f'{code:.2f} bytes of codes a float'


if __name__ == '__main__':
    run('recall', quick='--quick' in sys.argv, only=next((a for a in sys.argv[1:] if a[0] != '-'), None))
