"""Persisted directories through their life: after every hnx_persist_dirty the four files hold what memory holds."""
import os
import shutil
import sys
import tempfile
import numpy as np
import agree
import data
import formats
import hnx
from harness import Skip, case, run
from host import Host, content
from originals import Package

chroma = Package('chroma')
DIM = 20


def verify(host, path, what):
    """The directory equals a fresh full save, record by record; Chroma opens it, and so do we, and find what memory finds."""
    with tempfile.TemporaryDirectory() as folder:
        host.index.save(f'{folder}/fresh', hnx.FORMAT_CHROMA_DIRECTORY)
        on_disk, fresh = formats.read(path), formats.read(f'{folder}/fresh')
        agree.same_records(on_disk, fresh, f'{what}, directory != memory', lengths=host.metric == 'cosine')
        assert set(on_disk.labels[on_disk.flags & 1 == 0].tolist()) == host.live.keys(), f'{what}: other live labels'
        assert set(on_disk.labels[on_disk.flags & 1 == 1].tolist()) == host.dead, f'{what}: other deleted labels'
        with chroma.load(shutil.copytree(path, f'{folder}/theirs'), host.metric, DIM) as theirs:
            assert set(theirs.labels().tolist()) == host.live.keys() | host.dead, what
            host.check(theirs, f'{what}, Chroma opens it')
        with hnx.Index.load(shutil.copytree(path, f'{folder}/ours'), host.metric, DIM) as ours:
            host.check(ours, f'{what}, we open it')


def persist(host, path, what):
    dirty = host.index.stats().dirty_records
    info = host.index.persist()
    assert host.index.stats().dirty_records == 0, what
    assert info.records_written == dirty, f'{what}: {info.records_written} records written, {dirty} were dirty'
    verify(host, path, what)
    before = content(path)
    again = host.index.persist()
    assert (again.records_written, again.generation) == (0, info.generation), f'{what}: {again.records_written} more written'
    assert content(path) == before, what
    return info


@case('l2', 0, 8, False)
@case('l2', 4000, 2, True)
@case('ip', 0, 16, True)
@case('cosine', 4000, 8, False)
@case('cosine', 0, 5, True)
def life(metric, capacity, m, replace):
    """Random rounds of adds, updates, deletions, undeletions and replacements, a persist after each; reopened now and then."""
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/directory'
        host = Host(hnx.Index.init(metric, DIM, capacity, m, 60, 5, replace, path), metric, seed=m)
        rng, generation = np.random.default_rng(m), 0
        verify(host, path, 'empty')
        host.add(1)
        persist(host, path, 'one element')
        host.update(1)
        persist(host, path, 'the only element updated')
        for round in range(24):
            done = []
            for kind in rng.permutation(['add', 'update', 'delete', 'undelete', 'replace', 'again'])[:int(rng.integers(1, 5))]:
                n = int(rng.integers(1, 60 if kind == 'add' else 12))
                if kind == 'add':
                    host.add(n)
                elif kind == 'update':
                    host.update(n)
                elif kind == 'delete' and len(host.live) > 40:
                    host.delete(n)
                elif kind == 'undelete':
                    host.undelete(n)
                elif kind == 'again' and not replace:
                    host.put(np.array(sorted(host.dead), np.uint64)[:n])
                elif kind == 'replace' and replace:
                    host.add(n, replace=True)
                    host.index.save(f'{folder}/now')  # says which deleted labels have lost their places
                    now = formats.read(f'{folder}/now')
                    host.dead = set(now.labels[now.flags & 1 == 1].tolist())
                else:
                    continue
                done.append(f'{kind} {n}')
            what = f'round {round}: {", ".join(done)}'
            info = persist(host, path, what)
            assert info.generation >= generation, what
            generation = info.generation
            if round % 4 == 3:
                host.index.close()
                mmap = round % 8 == 7
                host.index = hnx.Index.load(path, metric, DIM, capacity, replace, mmap)
                generation = 0
                verify(host, path, f'reopened after {what}, mmap {mmap}')
        host.index.close()
        return f'{len(host.live)} live, {len(host.dead)} deleted'


@case
def updates_reach_the_neighbours():
    """Chroma 0.7.1 forgets the lists that an update rewrites; many updates and nothing else, compared record by record."""
    for metric in ('l2', 'cosine'):
        with tempfile.TemporaryDirectory() as folder:
            path = f'{folder}/directory'
            host = Host(hnx.Index.init(metric, DIM, 400, 8, 80, 3, path=path), metric)
            host.add(400)
            persist(host, path, 'added')
            before = formats.read(path)
            host.update(20)
            persist(host, path, 'updated')
            after = formats.read(path)
            lists = (before.slots != after.slots).any(1) & (before.vectors == after.vectors).all(1)
            assert lists.sum() > 20, f'{lists.sum()} lists of neighbours changed on disk'
            host.index.close()


@case
def one_element():
    """Deleted, added again, updated: what Chroma forgets to write."""
    with tempfile.TemporaryDirectory() as folder:
        for metric in ('l2', 'cosine'):
            path = f'{folder}/{metric}'
            host = Host(hnx.Index.init(metric, DIM, 5, 4, 10, path=path), metric)
            host.add(1)
            persist(host, path, 'added')
            host.delete(1)
            persist(host, path, 'deleted')
            host.put(np.array(sorted(host.dead), np.uint64))
            persist(host, path, 'added again')
            host.index.resize(50)
            host.add(1)
            persist(host, path, 'resized')
            assert formats.read(path).max_elements == 50
            host.index.close()


@case
def crowded():
    """Many small persists: every element in one of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/directory'
        host = Host(hnx.Index.init('l2', DIM, 0, 3, 20, path=path), 'l2')
        for _ in range(150):
            host.add(1)
            host.index.persist()
        verify(host, path, '150 persists')
        host.index.close()


def io():
    """Bytes that this process has passed to write calls and received from read calls."""
    with open('/proc/self/io') as f:
        counts = dict(line.split(': ') for line in f.read().splitlines())
    return int(counts['wchar']), int(counts['rchar'])


@case
def bytes_are_proportional():
    """One change in 20,000 records of 652 bytes: what is written, counted by the library and by the kernel."""
    if not os.path.exists('/proc/self/io'):
        raise Skip('no /proc/self/io')
    try:
        x = data.real('sift', 20100)[0]
    except Skip:
        x = np.zeros(0)
    if len(x) < 20100:
        x = np.random.default_rng(1).normal(size=(20100, 128)).astype(np.float32)
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/directory'
        index = hnx.Index.init('l2', 128, 0, 16, 60, path=path)
        index.add(x[:20000], np.arange(20000), threads=0)
        whole = index.persist()
        size = sum(len(part) for part in content(path))
        # length.bin means nothing but for cosine, so it may be extended without writing.
        assert whole.records_written == 20000 and size - 4 * 20000 <= whole.bytes_written < 3 * size, f'{whole.bytes_written} of {size}'
        for reopened in (False, True, 'mapped'):
            if reopened:
                index.close()
                index = hnx.Index.load(path, 'l2', 128, mmap=reopened == 'mapped')
                # Maps and lists that are made on first use are not this test's subject.
                index.query(x[:1], 1)
            for name, share, act in (('delete', .0005, lambda: index.delete(77)),
                                     ('undelete', .0005, lambda: index.undelete(77)),
                                     ('add', .005, lambda: index.add(x[20000], 20000)),
                                     ('update', .01, lambda: index.add(x[20001], 78))):
                act()
                written, read = io()
                info = index.persist()
                now_written, now_read = io()
                what = f'{name}, reopened {reopened}: {info.records_written} records, {info.bytes_written} bytes of {size}'
                assert 0 < info.bytes_written < share * size, what
                assert now_written - written <= info.bytes_written + 4096, f'{what}; the kernel saw {now_written - written}'
                assert now_read - read < size / 100, f'{what}; {now_read - read} bytes were read'
                if not reopened:
                    notes.append(f'{name} {info.records_written} records {info.bytes_written} bytes ({info.bytes_written / size:.3%})')
            index.save(f'{folder}/fresh', hnx.FORMAT_CHROMA_DIRECTORY)
            agree.same_records(formats.read(path), formats.read(f'{folder}/fresh'), f'reopened {reopened}')
            shutil.rmtree(f'{folder}/fresh')
        index.close()
    return ', '.join(notes)


@case
def no_directory():
    """An index in memory, or opened from a file, has nowhere to persist to; a read-only one must not."""
    with tempfile.TemporaryDirectory() as folder:
        with hnx.Index.init('l2', DIM, path=f'{folder}/directory') as index:
            index.add(np.ones(DIM), 1)
            index.persist()
            index.save(f'{folder}/file')
        for name, status, index in (('memory', 'HNX_ERR_INVALID_ARGUMENT', hnx.Index.init('l2', DIM)),
                                    ('file', 'HNX_ERR_INVALID_ARGUMENT', hnx.Index.load(f'{folder}/file', 'l2', DIM)),
                                    ('read only', 'HNX_ERR_READ_ONLY', hnx.Index.load(f'{folder}/directory', 'l2', DIM, read_only=True))):
            try:
                if name != 'read only':
                    index.add(np.ones(DIM), 2)
                index.persist()
            except hnx.Error as error:
                assert error.name == status, f'{name}: {error}'
            else:
                raise AssertionError(f'{name}: persisted')
            index.close()


if __name__ == '__main__':
    run('persist', quick='--quick' in sys.argv, only=next((a for a in sys.argv[1:] if a[0] != '-'), None))
