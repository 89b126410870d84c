"""What the originals write is accepted, however odd: each file or directory is opened in every way, answers as its writer
does, goes on, and is opened again. What must be refused stands in ctests/c/lies.c, oddities made by hand in accepted.c."""
import os
import shutil
import sys
import tempfile
import numpy as np
import hnx
from harness import case, run
from originals import Failed, Package

hnswlib, chroma = Package('hnswlib'), Package('chroma')
DIM = 12
KINDS = {'file': (hnswlib, hnx.FORMAT_HNSWLIB), 'chroma_file': (chroma, hnx.FORMAT_CHROMA),
         'directory': (chroma, hnx.FORMAT_CHROMA_DIRECTORY)}


def vectors(n, seed=1):
    return np.random.default_rng(seed).normal(size=(n, DIM)).astype(np.float32)


def plain(index, _):
    index.add(vectors(60), np.arange(60))


def labels_at_the_ends(index, _):
    index.add(vectors(60), np.array([0, 2**63, 2**64 - 1, *range(1, 58)], np.uint64))


def rising(index, store):
    plain(index, store)
    store()
    index.resize(900)
    index.add(vectors(500, 2), np.arange(100, 600))


def falling(index, store):
    plain(index, store)
    store()
    index.resize(60)
    index.delete(3)


def resized_alone(index, store):
    plain(index, store)
    store()
    index.resize(5000)


def updated_often(index, _):
    plain(index, None)
    for round in range(12):
        index.add(vectors(30, 10 + round), np.arange(30))


def revived(index, _):
    plain(index, None)
    index.delete(*range(20))
    index.add(vectors(10, 3), np.arange(10))
    index.undelete(12, 13)


def dead_around_the_entry(index, store):
    plain(index, store)
    index.delete(*range(60))
    store()
    index.add(vectors(3, 4), [100, 101, 102])


def replaced(index, _):
    plain(index, None)
    index.delete(*range(15))
    index.add(vectors(10, 5), np.arange(200, 210), replace=True)


def stored_twice(index, _):
    """A label that is alive, added again in a deleted one's place: hnswlib then has it twice."""
    plain(index, None)
    index.delete(5)
    index.add(vectors(1, 6), [7], replace=True)


def equal(index, _):
    index.add(np.ones((60, DIM), np.float32), np.arange(60))


def zeros(index, _):
    index.add(np.concatenate([np.zeros((5, DIM), np.float32), vectors(20)]), np.arange(25))


def far(index, _):
    index.add(vectors(40) * np.float32(1e18), np.arange(40))
    index.add(vectors(40, 8) * np.float32(1e-22), np.arange(40, 80))


def not_finite(index, _):
    x = vectors(60)
    x[7, 3], x[20, 0], x[21, 5] = np.nan, np.inf, -np.inf
    index.add(x, np.arange(60))


# Name: what is done, capacity, M, ef_construction, whether queries are compared.
STATES = {'plain': (plain, 100, 8, 50, True), 'sparse': (plain, 200000, 4, 50, True), 'm2': (plain, 100, 2, 50, True),
          'm large': (plain, 100, 300, 50, True), 'ef below m': (plain, 100, 32, 2, True),
          'labels': (labels_at_the_ends, 100, 8, 50, True), 'rising': (rising, 70, 8, 50, True),
          'falling': (falling, 4000, 8, 50, True), 'resized alone': (resized_alone, 100, 8, 50, True),
          'updated often': (updated_often, 100, 4, 20, True), 'revived': (revived, 100, 8, 50, True),
          'dead around the entry': (dead_around_the_entry, 100, 4, 20, False), 'replaced': (replaced, 100, 8, 50, True),
          'stored twice': (stored_twice, 100, 8, 50, False), 'equal': (equal, 100, 4, 20, False),
          'zeros': (zeros, 100, 8, 50, True), 'far': (far, 100, 8, 50, False), 'not finite': (not_finite, 100, 8, 50, False),
          'empty': (lambda index, store: None, 100, 8, 50, False)}


def written(kind, metric, folder):
    """Each state as the original stores it: name, path, and the original with a copy of it open."""
    package, directory = KINDS[kind][0], kind == 'directory'
    for name, (act, capacity, m, ef, queries) in STATES.items():
        if name == 'not finite' and metric == 'cosine':
            continue  # a vector of NaN is of no length
        path = f'{folder}/{name}'
        if directory:
            os.mkdir(path)
        replace = act in (replaced, stored_twice)
        index = package.init(metric, DIM, capacity, m, ef, replace=replace, path=path if directory else None)
        store = (lambda: index.persist()) if directory else (lambda: index.save(path))
        act(index, store)
        store()
        index.close()
        copy = shutil.copytree(path, f'{path} copy') if directory else shutil.copy(path, f'{path} copy')
        yield name, path, package.load(copy, metric, DIM, replace=replace), queries
        shutil.rmtree(path) if directory else os.remove(path)


def alive(index):
    """Labels that get() finds, and their vectors."""
    found = {}
    for label in sorted(set(index.labels().tolist())):
        try:
            found[label] = index.get([label])[0]
        except Failed:
            pass
    return found


@case('file')
@case('chroma_file')
@case('directory')
def accepted(kind):
    package, number = KINDS[kind]
    opened, files = 0, 0
    for metric in ('l2', 'ip', 'cosine'):
        with tempfile.TemporaryDirectory() as folder:
            for name, path, theirs, queries in written(kind, metric, folder):
                live, count, ask = alive(theirs), theirs.count, vectors(30, 99)
                k = min(5, len(live))
                if queries:
                    wanted = theirs.query(ask, k, 400)[1]
                files += 1
                for check in (hnx.CHECK_DEFAULT, hnx.CHECK_FAST, hnx.CHECK_DEEP):
                    for mmap in (False, True):
                        for replace in (False, True):
                            what = f'{metric}, {name}, check {check}, mmap {mmap}, replace {replace}'
                            try:
                                index = hnx.Index.load(path, metric, DIM, replace=replace, mmap=mmap, check=check)
                            except hnx.Error as error:
                                assert name == 'not finite' and check == hnx.CHECK_DEEP, f'{what}: {error}'
                                continue
                            with index:
                                opened += 1
                                assert index.count == count, f'{what}: {index.count} records, not {count}'
                                if live:
                                    got, want = index.get(np.array(list(live), np.uint64)), np.array(list(live.values()))
                                    if metric == 'cosine':  # hnswlib's file has no lengths, the original neither
                                        assert np.allclose(got, want, rtol=2e-6, atol=1e-30), what
                                    else:
                                        assert np.array_equal(got, want, equal_nan=True), what
                                if queries:
                                    assert np.allclose(index.query(ask, k, 400)[1], wanted, rtol=1e-4, atol=1e-5), what
                                index.add(vectors(20, 7), np.arange(1000, 1020))
                                index.delete(1003)
                                index.save(f'{folder}/next', number)
                            with package.load(f'{folder}/next', metric, DIM) as again:
                                assert again.count == count + 20, what
                            shutil.rmtree(f'{folder}/next') if kind == 'directory' else os.remove(f'{folder}/next')
                theirs.close()
    return f'{files} written by {package.name}, opened {opened} times'


if __name__ == '__main__':
    run('accepted', only=sys.argv[1] if len(sys.argv) > 1 else None)
