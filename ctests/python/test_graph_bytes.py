"""The packed file of libhnx equals hnswlib 0.8.0's, byte for byte, after the same operations in one thread.

Strict on exact data (data.py), where no build has a choice. On plain floats the order of a sum decides between distances
that are almost equal: there the graphs must be equal as well, or the first differing insertion must turn into hnswlib's
when two distances that lie within rounding of each other are exchanged (replay.py), and few links may differ after it.

How much room that needs: hnswlib's own two builds, SSE and -march=native (AVX-512 here), made different graphs of 1,500
plain-float vectors (normal, GloVe, MiniLM; l2, ip, cosine; M 16, ef_construction 200) in 2 of 54 cases after the adds and
in 5 of 54 after 150 updates, with never more than 12 of 12,410 links affected; their cosine vectors differ by up to 4 ulp.
"""
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import numpy as np
import data
import formats
import histories
import hnx
import replay
from harness import case, run
from originals import Package

DIMS, EFS = (4, 13, 16, 100, 128, 384), (10, 40, 200)
packages = {}
# Thousands of small files, each of which hnx_save syncs: in memory where there is room.
if os.path.isdir('/dev/shm') and shutil.disk_usage('/dev/shm').free > 2 << 30:
    tempfile.tempdir = '/dev/shm'


def package(name):
    if name not in packages:
        packages[name] = Package(name)
    return packages[name]


def compare(history, *args, what='', original='hnswlib'):
    """The number of states compared; the first that differs is an error."""
    with tempfile.TemporaryDirectory() as folder:
        states, error = histories.both(history, hnx.Index, package(original), folder, *args)
        for name, ours, theirs in states:
            formats.assert_same_file(ours, theirs, f'{what} after {name}, libhnx != {original}')
        if error:
            raise error
        return len(states)


def matrix(metric, m):
    states = 0
    for i, dim in enumerate(DIMS):
        for j, efc in enumerate(EFS):
            seed = 1 + 100 * i + j
            rng = np.random.default_rng(seed)
            x = data.exact(rng, 360, dim, metric)
            replace = (i + j) % 2 == 0
            states += compare(histories.mixed, metric, x, data.labels(rng, len(x)), m, efc, seed, replace,
                              what=f'dim {dim} ef_construction {efc} seed {seed} replace {replace}')
    return f'{states} states, dims {DIMS}, ef_construction {EFS}'


for metric in ('l2', 'ip', 'cosine'):
    for m in (2, 5, 16, 48):
        case(metric, m, quick=m == 16)(matrix)


@case('l2')
@case('ip')
@case('cosine')
def interleaved(metric):
    states = 0
    for seed in range(1, 7):
        rng = np.random.default_rng(seed)
        x = data.exact(rng, 500, int(rng.choice((3, 8, 20, 33))), metric)
        m, efc = int(rng.choice((3, 4, 8, 16))), int(rng.choice((10, 30, 100)))
        states += compare(histories.interleaved, metric, x, data.labels(rng, len(x)), m, efc, seed, seed % 3 != 0,
                          what=f'dim {x.shape[1]} M {m} ef_construction {efc} seed {seed}')
    return f'{states} states'


@case('sift', 'l2', quick=True)
@case('sift', 'ip')
@case('sift', 'cosine')
@case('glove', 'l2')
@case('glove', 'cosine', quick=True)
@case('minilm', 'cosine')
@case('minilm', 'ip')
def real(name, metric):
    rng = np.random.default_rng(5)
    x = data.exact_real(rng, name, 3000, metric)
    return f'{compare(histories.mixed, metric, x, data.labels(rng, len(x)), 16, 200, 77, metric != "ip")} states, {len(x)} vectors'


@case
def seeds():
    """Small and large seeds: the level generator, through many levels (M 2)."""
    rng = np.random.default_rng(3)
    x, labels = data.exact(rng, 300, 8, 'l2'), np.arange(300)
    for seed in (1, 2, 99, 2**31 - 2, 2**31 - 1, 2**31, 2**32 + 5, 2**63 + 12345):
        compare(histories.adds, 'l2', x, labels, 2, 10, seed, what=f'seed {seed}')


@case
def large():
    """A longer run than the others: 12,000 vectors with ties, sixteen dimensions."""
    rng = np.random.default_rng(8)
    return f'{compare(histories.mixed, "l2", data.exact(rng, 12000, 16, "l2"), data.labels(rng, 12000), 12, 60, 8, True)} states'


@case('l2')
@case('cosine')
def turnover(metric):
    states = 0
    for seed, n in ((1, 200), (2, 1500), (3, 8000)):
        rng = np.random.default_rng(seed)
        x = data.exact(rng, n, 7, metric)
        states += compare(histories.turnover, metric, x, data.labels(rng, n), 6, 30, seed, True, what=f'{n} vectors')
    return f'{states} states'


# Random sets (generator seed, dim) of plain floats. hnswlib's own builds differ on the first of l2 and of cosine, so that
# libhnx must differ from one of them and the explanation is tried.
NORMAL = {'l2': ((4, 384), (11, 13)), 'ip': ((11, 100), (12, 13)), 'cosine': ((1, 100), (11, 13))}


def plain(name, metric, n=1500):
    """Plain floats: equal to hnswlib's native and SSE build, or explained."""
    notes = []
    for seed, dim in NORMAL[metric] if name == 'normal' else ((0, 0),):
        x = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32) if dim else data.real(name, n)[0]
        args = (metric, x, data.labels(np.random.default_rng(1), n), 16, 200, 7)
        for original in ('hnswlib', 'hnswlib-sse'):
            with tempfile.TemporaryDirectory() as folder:
                states, error = histories.both(histories.adds, hnx.Index, package(original), folder, *args)
                if error:
                    raise error
                for state, ours, theirs in states:
                    notes += explain(state, formats.read(ours), formats.read(theirs), original, args)
    return '; '.join(notes) or 'equal'


def explain(state, a, b, original, args):
    """Why two graphs on plain floats differ, or an error if rounding does not explain it. Nothing, if they are equal."""
    metric = args[0]
    for field in formats.FIELDS + ['labels', 'flags', 'levels']:
        assert np.array_equal(getattr(a, field), getattr(b, field)), f'{original} after {state}: {formats.describe(a, b)}'
    apart = formats.ulps(a.vectors, b.vectors).max()
    # hnswlib's native build adds the last dim % 8 squares of a length with FMA, the others without (GCC 12): a few ulp.
    assert apart <= (4 if metric == 'cosine' else 0), f'{original}: vectors are {apart} ulp apart'
    c = formats.compare_links(a, b)
    if c.first is None:
        return []
    assert c.differing + c.reordered < c.total / 200, f'{original} after {state}: {formats.describe(a, b)}'
    note = f'{original} after {state}: {c.differing} of {c.total} links differ, {c.reordered} lists reordered'
    if 'adds' in state:
        note += ', from ' + replay.first_difference(package(original), *args)
    return [note]


for name, metric in (('normal', 'l2'), ('normal', 'ip'), ('normal', 'cosine'), ('glove', 'l2'), ('glove', 'cosine'),
                     ('minilm', 'l2'), ('minilm', 'cosine'), ('sift', 'l2'), ('sift', 'cosine')):
    case(name, metric, quick=name == 'normal')(plain)


@case
def cosine_vectors():
    """Stored vectors of plain floats, to the bit: squares are added in order and every product is rounded, as in hnswlib's
    SSE build. A native build may use FMA where the compiler finds it cheaper (GCC 12: the last dim % 8 squares in hnswlib,
    nowhere in Chroma), hence a few ulp."""
    same = {}
    for dim in (3, 8, 13, 16, 31, 100, 128, 384):
        x = np.random.default_rng(dim).normal(size=(300, dim)).astype(np.float32)
        stored = []
        with tempfile.TemporaryDirectory() as folder:
            for engine in (hnx.Index, package('hnswlib'), package('chroma'), package('hnswlib-sse')):
                with engine.init('cosine', dim, len(x), 4, 10) as index:
                    index.add(x, np.arange(len(x)))
                    index.save(f'{folder}/x')
                stored.append(formats.read(f'{folder}/x', chroma=engine is package('chroma')).vectors)
        for name, vectors in zip(('hnswlib', 'chroma', 'hnswlib-sse'), stored[1:]):
            apart = formats.ulps(stored[0], vectors)
            strict = name == 'hnswlib-sse' and platform.machine() == 'x86_64'  # elsewhere FMA is in the baseline
            assert apart.max() <= (0 if strict else 4), \
                f'dim {dim}: {(apart > 0).mean():.0%} of the stored floats are not those of {name}, by up to {apart.max()} ulp'
            same.setdefault(name, []).append(f'{(apart == 0).mean():.0%}')
    return ', '.join(f'{name} {" ".join(shares)} equal' for name, shares in same.items())


# Builds an index of plain floats and prints its file's and its answers' digest: what instruction_sets runs.
DIGEST = """
import hashlib, sys, numpy as np, hnx
sha = hashlib.sha256()
for metric in ('l2', 'ip', 'cosine'):
    for dim in (1, 3, 7, 16, 29, 64, 100):
        x = np.random.default_rng(dim).normal(size=(300, dim)).astype(np.float32)
        with hnx.Index.init(metric, dim, 300, 8, 50) as index:
            index.add(x, np.arange(300))
            index.add(x[:20][::-1], np.arange(20))
            index.save(sys.argv[1])
            sha.update(open(sys.argv[1], 'rb').read())
            for answer in index.query(x[:50] * np.float32(.7), 10, 40):
                sha.update(answer.tobytes())
print(hnx.cpu_name(), sha.hexdigest())
"""


@case
def instruction_sets():
    """Every HNX_CPU that the machine has gives the same bits: files and distances of plain floats, dims with every kind of tail."""
    digests = {}
    with tempfile.TemporaryDirectory() as folder:
        for level in ('', 'avx512', 'avx2', 'neon', 'scalar'):
            environment = {k: v for k, v in os.environ.items() if k != 'HNX_CPU'} | ({'HNX_CPU': level} if level else {})
            done = subprocess.run([sys.executable, '-c', DIGEST, f'{folder}/x'], cwd=os.path.dirname(os.path.abspath(__file__)),
                                  env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f'HNX_CPU={level}: {done.stderr[-300:]}'
            name, digest = done.stdout.split()
            digests[name] = digests.get(name, set()) | {digest}
    assert 'scalar' in digests and len(set().union(*digests.values())) == 1, digests
    return ', '.join(digests)


@case('l2', quick=True)
@case('ip', quick=True)
@case('cosine')
def replayed(metric):
    """libhnx does what replay.py does: distances with the documented order of sums, to the bit, and hnswlib's insertion on them."""
    rng = np.random.default_rng(21)
    for dim in (5, 16, 45, 100):
        x = rng.normal(size=(420, dim)).astype(np.float32)
        for rows in rng.integers(1, len(x), 8):
            before, after = (replay.build(hnx.Index, metric, x, np.arange(len(x)), 6, 60, 9, n) for n in (rows, rows + 1))
            lists, _ = replay.insert(before, after)
            wrong = replay.differences(lists, after)
            assert not wrong, f'dim {dim}, row {rows}: {wrong}'
        if metric != 'cosine':
            with hnx.Index.init(metric, dim, len(x), 16, 100) as index:
                index.add(x, np.arange(len(x)))
                for q in rng.normal(size=(20, dim)).astype(np.float32):
                    (found,), (near,), _ = index.query(q, 200, 400)
                    want = replay.distances(q, x[found], metric == 'ip')
                    assert np.array_equal(near.view(np.uint32), want.view(np.uint32)), f'dim {dim}: {near} != {want}'


if __name__ == '__main__':
    run('graph_bytes', quick='--quick' in sys.argv, only=next((a for a in sys.argv[1:] if a[0] != '-'), None))
