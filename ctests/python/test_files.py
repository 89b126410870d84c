"""Files go both ways between libhnx, hnswlib 0.8.0 and chroma-hnswlib 0.7.1, each original a process of its own.

Chroma 0.7.1 itself does not write everything it has in memory: the first element alone is never written, and neither are
the lists of neighbours that an update rewrote. So a directory of Chroma's is compared with what Chroma finds after
opening it again, and has at least two elements.
"""
import os
import shutil
import struct
import sys
import tempfile
import numpy as np
import agree
import formats
import hnx
from harness import Skip, case, run
from host import Host, content
from originals import Package

hnswlib, chroma = Package('hnswlib'), Package('chroma')
DIM = 24
METRICS = ('l2', 'ip', 'cosine')
# What it is called here, who reads and writes it, what hnx_save calls it.
KINDS = {'file': (hnswlib, hnx.FORMAT_HNSWLIB), 'chroma_file': (chroma, hnx.FORMAT_CHROMA),
         'directory': (chroma, hnx.FORMAT_CHROMA_DIRECTORY)}


def copied(path, to):
    return shutil.copytree(path, to) if os.path.isdir(path) else shutil.copy(path, to)


def removed(path):
    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def lossy(kind, metric):
    """hnswlib's file has no place for the lengths of cosine vectors."""
    return kind == 'file' and metric == 'cosine'


@case('file')
@case('chroma_file')
@case('directory')
def they_open_ours(kind):
    """What hnx_save writes is opened by the original, which goes on with it; what that makes of it, we open."""
    original, number = KINDS[kind]
    for metric in METRICS:
        with tempfile.TemporaryDirectory() as folder:
            host, path = Host(hnx.Index.init(metric, DIM, 1000, 8, 80, 3), metric), f'{folder}/ours'
            host.day()
            host.index.save(path, number)
            for capacity in (0, 5000):
                what = f'{metric}, opened with capacity {capacity}'
                copy = copied(path, f'{folder}/{capacity}')
                with original.load(copy, metric, DIM, max_elements=capacity) as index:
                    assert index.capacity == (capacity or 1000), f'{what}: {index.capacity}'
                    assert set(index.labels().tolist()) == host.live.keys() | host.dead, what
                    host.check(index, what, lossy(kind, metric))
                    later = host.on(index)
                    later.day()
                    index.persist() if kind == 'directory' else index.save(copy)
                    if kind == 'directory':
                        later.index = original.load(copied(copy, f'{copy}-theirs'), metric, DIM)
                    with hnx.Index.load(copy, metric, DIM) as ours:
                        later.check(ours, f'{what}, we open what they made of ours', lossy(kind, metric))
                    if kind == 'directory':
                        later.index.close()
            host.index.close()


def originals(kind, metric, folder):
    """Indexes in many states, written by an original: name, path, and a host with the original that opened a copy."""
    original, directory = KINDS[kind][0], kind == 'directory'

    def store(index, path):
        index.persist() if directory else index.save(path)

    def grown(host, path):
        host.add(190)
        store(host.index, path)
        host.index.resize(700)
        host.add(300)

    def stages(host, path):
        for _ in range(3):
            host.add(60)
            host.update(6)
            host.delete(7)
            store(host.index, path)

    states = [('day', 1000, 8, lambda host, _: host.day()),
              ('grown', 200, 8, grown),
              ('full', 200, 8, lambda host, _: host.add(200)),
              ('stages', 5000, 8, stages),
              ('m2', 1000, 2, lambda host, _: host.day()),
              ('mostly deleted', 900, 8, lambda host, _: (host.add(800), host.delete(720))),
              ('two', 50, 16, lambda host, _: host.add(2)),
              ('empty', 1000, 8, lambda host, _: None),
              ('all deleted', 50, 8, lambda host, _: (host.add(20), host.delete(20)))]
    if not directory:
        states.append(('one', 10, 8, lambda host, _: host.add(1)))
    for name, capacity, m, act in states:
        path = f'{folder}/{name}'
        if directory:
            os.mkdir(path)
        host = Host(original.init(metric, DIM, capacity, m, 80, 3, path=path if directory else None), metric)
        act(host, path)
        store(host.index, path)
        host.index.close()
        host.index = original.load(copied(path, f'{path}-theirs'), metric, DIM)
        yield name, path, host
        host.index.close()


def variants():
    """Ways to open: words, and options of hnx.Index.load."""
    for mmap in (False, True):
        for check in (hnx.CHECK_DEFAULT, hnx.CHECK_FAST, hnx.CHECK_DEEP):
            for read_only in (False, True):
                yield dict(mmap=mmap, check=check, read_only=read_only)


@case('file')
@case('chroma_file')
@case('directory')
def we_open_theirs(kind):
    """Read or mapped, at every check level; we add, update, delete and save; they and we open that."""
    original, number = KINDS[kind]
    opened = 0
    for metric in METRICS:
        with tempfile.TemporaryDirectory() as folder:
            for name, path, host in originals(kind, metric, folder):
                before = content(path)
                for options in variants():
                    what = f'{metric}, {name}, {options}'
                    with hnx.Index.load(path, metric, DIM, **options) as index:
                        assert index.deleted == len(host.dead), f'{what}: {index.deleted} deleted'
                        host.check(index, what, lossy(kind, metric))
                        opened += 1
                        if options['read_only']:
                            refuses(index, what)
                            continue
                        later = host.on(index)
                        later.day()
                        index.save(f'{folder}/next', number)
                        with original.load(f'{folder}/next', metric, DIM) as theirs:
                            assert theirs.capacity >= theirs.count, f'{what}: saved with capacity {theirs.capacity}'
                            later.check(theirs, f'{what}, they open what we made of theirs', lossy(kind, metric))
                        with hnx.Index.load(f'{folder}/next', metric, DIM) as ours:
                            later.check(ours, f'{what}, we open what we made of theirs', lossy(kind, metric))
                        removed(f'{folder}/next')
                    assert content(path) == before, f'{what}: what was opened has changed on disk'
    return f'{opened} opened'


def refuses(index, what):
    for change in (lambda: index.add(np.zeros(DIM), 5), lambda: index.delete(5), lambda: index.undelete(5),
                   lambda: index.resize(10**6)):
        try:
            change()
        except hnx.Error as error:
            assert error.name == 'HNX_ERR_READ_ONLY', f'{what}: {error}'
        else:
            raise AssertionError(f'{what}: a read-only index was changed')


@case
def we_persist_into_theirs():
    """A directory that Chroma wrote, mapped or read, is changed and persisted by us, then by Chroma, then by us."""
    for metric in METRICS:
        for mmap in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                for name, path, host in originals('directory', metric, folder):
                    later = host
                    for round in range(2):
                        what = f'{metric}, {name}, mmap {mmap}, round {round}'
                        with hnx.Index.load(path, metric, DIM, mmap=mmap) as index:
                            later = later.on(index)
                            later.day()
                            index.persist()
                            with chroma.load(copied(path, f'{path}-{round}'), metric, DIM) as theirs:
                                later.check(theirs, f'{what}, they open what we persisted into theirs')
                        with chroma.load(path, metric, DIM, max_elements=5000) as theirs:
                            later = later.on(theirs)
                            later.add(30)
                            later.delete(3)
                            theirs.persist()
                            with hnx.Index.load(path, metric, DIM, read_only=True) as index:
                                later.check(index, f'{what}, we open what they persisted into ours')


@case
def saved_again_is_the_same():
    """An original's file, opened and saved by us, is the same file; Chroma's file and directory hold the same records."""
    for metric in METRICS:
        for kind, (_, number) in KINDS.items():
            with tempfile.TemporaryDirectory() as folder:
                for name, path, host in originals(kind, metric, folder):
                    theirs = formats.read(path, chroma=kind == 'chroma_file')
                    for mmap in (False, True):
                        for capacity in (0, theirs.max_elements):
                            what = f'{kind}, {metric}, {name}, mmap {mmap}, opened with capacity {capacity}'
                            with hnx.Index.load(path, metric, DIM, mmap=mmap, max_elements=capacity) as index:
                                index.save(f'{folder}/again', number)
                            if kind == 'file':
                                formats.assert_same_file(f'{folder}/again', path, what)
                            else:  # lengths are not initialised by Chroma but for cosine
                                ours = formats.read(f'{folder}/again', chroma=kind == 'chroma_file')
                                agree.same_records(ours, theirs, what, lengths=metric == 'cosine')
                            removed(f'{folder}/again')


@case
def conversions():
    """One index saved in the three formats has the same records, and each can be opened and saved as any other."""
    for metric in METRICS:
        with tempfile.TemporaryDirectory() as folder:
            host = Host(hnx.Index.init(metric, DIM, 0, 8, 80, 3), metric)
            host.day()
            for kind, (_, number) in KINDS.items():
                host.index.save(f'{folder}/{kind}', number)
            first = formats.read(f'{folder}/file')
            for kind in KINDS:
                agree.same_records(formats.read(f'{folder}/{kind}', chroma=kind == 'chroma_file'), first, f'{metric}, {kind}')
                with hnx.Index.load(f'{folder}/{kind}', metric, DIM) as index:
                    for to, (original, number) in KINDS.items():
                        index.save(f'{folder}/to', number)
                        with original.load(f'{folder}/to', metric, DIM) as theirs:
                            host.check(theirs, f'{metric}, {kind} to {to}', metric == 'cosine' and 'file' in (kind, to))
                        removed(f'{folder}/to')
            host.index.close()


@case
def cosine_lengths():
    """hnx_get: from Chroma's formats the originals come back within 2 ulp, from hnswlib's file the stored unit vectors."""
    x = np.random.default_rng(4).normal(size=(500, 100)).astype(np.float32) * np.float32(7)
    labels = np.arange(500) * 3
    with tempfile.TemporaryDirectory() as folder:
        for engine, path, chroma_file in ((hnswlib, f'{folder}/file', False), (chroma, f'{folder}/chroma', True)):
            with engine.init('cosine', 100, 500, 8, 40) as index:
                index.add(x, labels)
                index.save(path)
            stored = formats.read(path, chroma=chroma_file)
            assert np.array_equal(stored.labels, labels)
            with hnx.Index.load(path, 'cosine', 100) as index:
                got = index.get(labels)
            if chroma_file:
                assert formats.ulps(got, x).max() <= 2, f'{formats.ulps(got, x).max()} ulp'
                assert np.array_equal(got, stored.vectors * stored.lengths[:, None])
            else:
                assert np.array_equal(got, stored.vectors)
        os.mkdir(f'{folder}/directory')
        with hnx.Index.init('cosine', 100, path=f'{folder}/new') as index:
            index.add(x, labels)
            index.persist()
            ours = index.get(labels)
        assert formats.ulps(ours, x).max() <= 2, f'{formats.ulps(ours, x).max()} ulp'
        with chroma.load(f'{folder}/new', 'cosine', 100) as index:
            assert np.array_equal(index.get(labels), ours)


@case
def capacity():
    """A capacity given at loading is kept to; without one the index grows."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            for name, path, host in originals(kind, 'l2', tempfile.mkdtemp(dir=folder)):
                if name != 'full':
                    continue
                for mmap in (False, True):
                    with hnx.Index.load(path, 'l2', DIM, max_elements=10, mmap=mmap) as index:
                        assert index.capacity == 200, f'{kind}: capacity {index.capacity}'
                        later = host.on(index)
                        try:
                            later.add(1)
                        except hnx.Error as error:
                            assert error.name == 'HNX_ERR_FULL', error
                        else:
                            raise AssertionError(f'{kind}: more records than the capacity')
                        index.resize(201)
                        later.add(1)
                        assert index.count == index.capacity == 201
                    with hnx.Index.load(path, 'l2', DIM, max_elements=260, mmap=mmap) as index:
                        assert index.capacity == 260
                        host.on(index).add(60)
                    with hnx.Index.load(path, 'l2', DIM, mmap=mmap) as index:
                        host.on(index).add(600)
                        assert index.count == 800 <= index.capacity


@case
def mapped_without_reading():
    """HNX_LOAD_MMAP leaves records on disk: few of their pages are in memory after opening, many after reading all."""
    def resident(path):  # bytes of the file's mappings that are in this process
        total = mine = 0
        with open('/proc/self/smaps') as f:
            for line in f:
                if '-' in line.split()[0]:
                    mine = path in line
                elif mine and line.startswith('Rss:'):
                    total += int(line.split()[1]) * 1024
        return total

    if not os.path.exists('/proc/self/smaps'):
        raise Skip('no /proc/self/smaps')
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        x = np.random.default_rng(1).normal(size=(6000, 512)).astype(np.float32)
        with hnx.Index.init('l2', 512, 0, 4, 10) as index:
            index.add(x, np.arange(len(x)), threads=0)
            for kind, (_, number) in KINDS.items():
                index.save(f'{folder}/{kind}', number)
        for kind in KINDS:
            path = f'{folder}/{kind}'
            size = len(x) * (512 * 4 + 4 + 8 * 4 + 8)
            with hnx.Index.load(path, 'l2', 512, mmap=True) as index:
                opened = resident(path)
                assert opened < size / 10, f'{kind}: {opened} of {size} bytes are in memory after opening'
                assert np.array_equal(index.get(np.arange(len(x))), x)
                notes.append(f'{kind} {opened / size:.1%}, {resident(path) / size:.0%} after reading')
                assert resident(path) > size / 2, f'{kind}: not mapped at all'
    return ', '.join(notes)


@case
def refused():
    """Another dim, another version, files that end early or go on too long, paths with nothing or with something there."""
    def refuses_with(names, what, act):
        try:
            act()
        except hnx.Error as error:
            assert error.name in names, f'{what}: {error}'
        else:
            raise AssertionError(f'{what} was accepted')

    corrupt = ('HNX_ERR_CORRUPT',)
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            path = next(path for name, path, _ in originals(kind, 'l2', folder) if name == 'day')
            for mmap in (False, True):
                def load(at=path, dim=DIM):
                    hnx.Index.load(at, 'l2', dim, mmap=mmap).close()
                for dim in (DIM - 1, DIM + 1, 2 * DIM):
                    refuses_with(corrupt, f'{kind} with dim {dim}', lambda: load(dim=dim))
                refuses_with(('HNX_ERR_NOT_FOUND',), 'nothing', lambda: load(f'{folder}/nothing'))
                for name in formats.FILES if kind == 'directory' else ['']:
                    if name == 'length.bin':
                        continue  # means nothing but for cosine
                    whole = os.path.join(path, name).rstrip('/')
                    size = os.path.getsize(whole)
                    g = formats.read(path, chroma=kind == 'chroma_file')
                    need = g.count * g.stride if name == 'data_level0.bin' else size
                    for end in sorted({0, 1, 4, 90, 95, 99, need // 3, need // 2, need - 8, need - 1}):
                        if end < need:
                            bad = copied(path, f'{folder}/cut')
                            os.truncate(os.path.join(bad, name).rstrip('/'), end)
                            refuses_with(corrupt, f'{kind} {name} of {size} bytes cut to {end}', lambda: load(bad))
                            removed(bad)
                if kind != 'directory':
                    bad = copied(path, f'{folder}/long')
                    with open(bad, 'ab') as f:
                        f.write(b'\0' * 4)
                    refuses_with(corrupt, f'{kind} with four bytes more', lambda: load(bad))
                    removed(bad)
                else:
                    bad = copied(path, f'{folder}/version')
                    with open(f'{bad}/header.bin', 'r+b') as f:
                        f.write(struct.pack('<i', 2))
                    refuses_with(('HNX_ERR_VERSION',), 'version 2', lambda: load(bad))
                    removed(bad)
                    for name in formats.FILES:
                        bad = copied(path, f'{folder}/missing')
                        os.remove(f'{bad}/{name}')
                        refuses_with(corrupt + ('HNX_ERR_NOT_FOUND', 'HNX_ERR_IO'), f'without {name}', lambda: load(bad))
                        removed(bad)
            if kind == 'directory':
                states = originals(kind, 'cosine', tempfile.mkdtemp(dir=folder))
                bad = next(path for name, path, _ in states if name == 'day')
                os.truncate(f'{bad}/length.bin', 4 * g.count - 1)
                refuses_with(corrupt, 'length.bin cut', lambda: hnx.Index.load(bad, 'cosine', DIM))
                before = content(path)
                refuses_with(('HNX_ERR_INVALID_ARGUMENT',), 'init onto an index', lambda: hnx.Index.init('l2', DIM, path=path))
                with hnx.Index.init('l2', DIM) as index:
                    refuses_with(('HNX_ERR_INVALID_ARGUMENT', 'HNX_ERR_IO'), 'save onto an index',
                                 lambda: index.save(path, hnx.FORMAT_CHROMA_DIRECTORY))
                assert content(path) == before


if __name__ == '__main__':
    run('files', quick='--quick' in sys.argv, only=next((a for a in sys.argv[1:] if a[0] != '-'), None))
