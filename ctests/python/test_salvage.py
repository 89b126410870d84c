"""hnx_salvage on what chroma-hnswlib 0.7.1 and hnswlib 0.8.0 wrote, whole and damaged."""
import os
import shutil
import struct
import sys
import tempfile
import numpy as np
import formats
import hnx
from harness import case, run
from originals import Package

hnswlib, chroma = Package('hnswlib'), Package('chroma')
DIM, COUNT, DELETED = 32, 2000, 50


def vectors():
    return np.random.default_rng(3).normal(size=(COUNT, DIM)).astype(np.float32)


def check(index, metric, kept, what):
    """The labels in kept are there as they were added, and found: recall against the exact neighbours among them."""
    x, kept = vectors(), np.array(sorted(kept))
    got = index.get(kept)
    if metric == 'cosine':
        got, x = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (got, x))
        assert np.allclose(got, x[kept], rtol=1e-5, atol=1e-6), what
    else:
        assert np.array_equal(got, x[kept]), what
    queries = np.random.default_rng(4).normal(size=(100, DIM)).astype(np.float32)
    distances = ((queries[:, None, :] - x[kept]) ** 2).sum(-1) if metric == 'l2' else -(queries @ x[kept].T)
    exact = kept[np.argsort(distances, 1)[:, :10]]
    found = index.query(queries, 10, 200)[0].astype(np.int64)
    recall = np.mean([len(set(a) & set(b)) for a, b in zip(exact, found)]) / 10
    assert recall >= .98, f'{what}: recall {recall}'
    return recall


def written(kind, metric, path):
    package = hnswlib if kind == 'file' else chroma
    if kind == 'directory':
        os.mkdir(path)
    with package.init(metric, DIM, COUNT + 500, 12, 100, path=path if kind == 'directory' else None) as index:
        index.add(vectors(), np.arange(COUNT))
        index.delete(*range(DELETED))
        index.persist() if kind == 'directory' else index.save(path)


@case('file')
@case('chroma_file')
@case('directory')
def whole(kind):
    for metric in ('l2', 'ip', 'cosine'):
        with tempfile.TemporaryDirectory() as folder:
            written(kind, metric, f'{folder}/index')
            index, info = hnx.Index.salvage(f'{folder}/index', metric, DIM)
            with index:
                assert (info.kept, info.deleted, info.damage) == (COUNT, DELETED, 0), (info.kept, info.deleted, info.damage)
                recall = check(index, metric, range(DELETED, COUNT), metric)
    return f'recall {recall:.3f}'


@case
def torn_directories():
    """As a crash of Chroma's persist leaves them: each file old or new, torn records, lists of hundreds of gigabytes."""
    notes = []
    # A process that has freed no index yet: behind the records Chroma writes memory that it did not initialise, and a header
    # that is ahead of them makes records of what another index left there.
    chroma = Package('chroma')
    with tempfile.TemporaryDirectory() as folder:
        old, new = f'{folder}/old', f'{folder}/new'
        os.mkdir(old)
        with chroma.init('l2', DIM, COUNT + 500, 12, 100, path=old) as index:
            index.add(vectors()[:COUNT // 2], np.arange(COUNT // 2))
            index.persist()
            shutil.copytree(old, f'{folder}/before')
            index.add(vectors()[COUNT // 2:], np.arange(COUNT // 2, COUNT))
            index.persist()
            shutil.copytree(old, new)
        for mask in range(16):
            path = shutil.copytree(f'{folder}/before', f'{folder}/{mask}')
            for bit, name in enumerate(formats.FILES):
                if mask >> bit & 1:
                    shutil.copy(f'{new}/{name}', path)
            header = mask >> list(formats.FILES).index('header.bin') & 1
            records = mask >> list(formats.FILES).index('data_level0.bin') & 1
            index, info = hnx.Index.salvage(path, 'l2', DIM)
            with index:
                # A header that is ahead of the records states more than were written; behind them are zeros or heap.
                least = COUNT if header and records else COUNT // 2
                assert info.kept >= least, f'{mask:04b}: {info.kept} kept of {info.records}'
                check(index, 'l2', range(least), f'{mask:04b}')
            if records:
                index, info = hnx.Index.salvage(path, 'l2', DIM, beyond_count=True)
                with index:
                    assert info.kept >= COUNT, f'{mask:04b}, beyond the count: {info.kept}'
                    check(index, 'l2', range(COUNT), f'{mask:04b}, beyond the count')
            notes.append(info.kept)
        lists = f'{new}/link_lists.bin'
        with open(lists, 'r+b') as f:
            f.seek(4 * 700)
            f.write(struct.pack('<I', 0x41424344))
            f.truncate(400 << 30)
        index, info = hnx.Index.salvage(new, 'l2', DIM)
        with index:
            assert (info.kept, info.damage) == (COUNT, hnx.DAMAGE_LISTS), (info.kept, info.damage)
            check(index, 'l2', range(COUNT), 'lists of 400 GiB')
            index.save(f'{folder}/saved', hnx.FORMAT_CHROMA_DIRECTORY)
        with chroma.load(f'{folder}/saved', 'l2', DIM) as theirs:
            assert theirs.count == COUNT
            assert np.array_equal(theirs.get(np.arange(COUNT)), vectors())
    chroma.close()
    return f'{len(notes)} mixtures'


if __name__ == '__main__':
    run('salvage', only=sys.argv[1] if len(sys.argv) > 1 else None)
