#!/usr/bin/env python3
"""What an index costs that stays in its file: read into memory, mapped, mapped with codes beside it; hnswlib 0.8.0 for memory.

  make bench-mapped BENCH="--data ../shared/data"       # data as `make bench` takes them; without: the slice in examples

Each way is opened in a process of its own: until it is open, until queries are guided, the memory that is the process' own
(anonymous pages) after all queries, and, from a file of which nothing is cached, opening and the first 10 queries, with what
they bring into the cache of the file of records. Speeds are taken in turn in one process; ratios are to the index that was read, medians of the rounds.
"""
import argparse
import ctypes as C
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'ctests', 'python'))
sys.path.insert(0, HERE)
import datasets  # noqa: E402
import hnx  # noqa: E402
from originals import Package  # noqa: E402

GUIDED, EF, K = 3, 50, 10
# How a file is opened; the file with codes beside it is another one with the same bytes.
WAYS = {'read into memory': ('plain', {}),
        'mapped': ('plain', {'mmap': True}),
        'mapped, codes beside': ('codes', {'mmap': True}),
        'the same, read only': ('codes', {'mmap': True, 'read_only': True})}


def anonymous(pid='self'):
    with open(f'/proc/{pid}/smaps_rollup') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('Anonymous:')) * 1024


def evict(path):
    with open(path, 'rb') as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cached(path):
    """Bytes of a file that are in the system's cache."""
    libc, size = C.CDLL(None), os.path.getsize(path)
    libc.mmap.restype, libc.mmap.argtypes = C.c_void_p, [C.c_void_p, C.c_size_t, C.c_int, C.c_int, C.c_int, C.c_long]
    libc.mincore.argtypes, libc.munmap.argtypes = [C.c_void_p, C.c_size_t, C.c_void_p], [C.c_void_p, C.c_size_t]
    with open(path, 'rb') as f:
        start = libc.mmap(None, size, 1, 1, f.fileno(), 0)
    pages = (C.c_ubyte * ((size + 4095) // 4096))()
    libc.mincore(start, size, pages)
    libc.munmap(start, size)
    return 4096 * sum(page & 1 for page in pages)


def clock(body):
    started = time.perf_counter()
    result = body()
    return time.perf_counter() - started, result


def one(way, folder, metric):
    """Opens the file in this process and tells what that took."""
    query = np.load(f'{folder}/query.npy')
    name, how = WAYS[way]
    path, told = f'{folder}/{name}', {}
    hnx.lib()
    for file in (path, path + '.hnx.codes'):
        if os.path.exists(file):
            evict(file)

    def first():
        with hnx.Index.load(path, metric, query.shape[1], **how) as index:
            index.query(query[:10], K, EF)
    told['cold'] = clock(first)[0]
    told['touched'] = cached(path)
    for file in (path, path + '.hnx.codes'):
        if os.path.exists(file):
            with open(file, 'rb') as f:
                f.read()
    before = anonymous()
    told['open'], index = clock(lambda: hnx.Index.load(path, metric, query.shape[1], **how))
    told['guided'] = 0
    if index.stats().exactness != GUIDED:
        told['guided'] = clock(lambda: index.set_exactness(GUIDED))[0]
    index.query(query, K, EF)
    told['memory'] = anonymous() - before
    print(json.dumps(told))


def hnswlib(path, metric, query):
    package = Package('hnswlib')
    package.call(0, 'new', space=metric, dim=query.shape[1])
    before = anonymous(package._process.pid)
    with package.load(path, metric, query.shape[1]) as index:
        index.query(query, K, EF)
        memory = anonymous(package._process.pid) - before
    package.close()
    return memory


def measure(data, rounds, folder):
    dim, metric = data.base.shape[1], data.metric
    np.save(f'{folder}/query.npy', data.query)
    with hnx.Index.init(metric, dim, len(data.base), 16, 200) as index:
        index.add(data.base, np.arange(len(data.base)), threads=0, flags=hnx.ADD_GUIDED)
        for name in 'plain', 'codes':
            index.save(f'{folder}/{name}')
        index.save_codes(f'{folder}/codes')
    size, codes = os.path.getsize(f'{folder}/plain'), os.path.getsize(f'{folder}/codes.hnx.codes')
    theirs = hnswlib(f'{folder}/plain', metric, data.query)
    print(f'\n{data.name}, {len(data.base)} x {dim}: file {size / 1e6:.0f} MB, codes and links {codes / 1e6:.0f} MB; '
          f'hnswlib takes {theirs / 1e6:.0f} MB\n')
    opened = {way: hnx.Index.load(f'{folder}/{name}', metric, dim, **how) for way, (name, how) in WAYS.items()}
    times = {way: [] for way in WAYS}
    for index in opened.values():
        index.set_exactness(GUIDED)
        index.query(data.query, K, EF)
    for _ in range(rounds):
        for way, index in opened.items():
            times[way].append(clock(lambda: index.query(data.query, K, EF))[0])
    for index in opened.values():
        index.close()
    print('| | open | until guided | own memory (to hnswlib) | queries a second | nothing cached: opened, 10 queries | read of the file |')
    print('| --- | --- | --- | --- | --- | --- | --- |')
    base = times['read into memory']
    for way in WAYS:
        told = json.loads(subprocess.run([sys.executable, __file__, '--one', way, folder, metric], stdout=subprocess.PIPE,
                                         check=True).stdout)
        ratios = [a / b for a, b in zip(base, times[way])]
        print(f'| {way} | {told["open"] * 1e3:.0f} ms | {told["guided"] * 1e3:.0f} ms | {told["memory"] / 1e6:.0f} MB '
              f'({told["memory"] / theirs:.2f}) | {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) '
              f'| {told["cold"] * 1e3:.0f} ms | {told["touched"] / 1e6:.0f} MB |', flush=True)


def main():
    if sys.argv[1:2] == ['--one']:
        return one(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', action='append', help='see benches/datasets.py')
    parser.add_argument('--rows', type=int)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--folder', help='where to write; a real disk, not a file system in memory')
    options = parser.parse_args()
    for path in options.data or [os.path.join(HERE, '..', 'examples', 'data')]:
        for found in datasets.expand(path):
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                measure(datasets.load(found, options.rows), options.rounds, folder)


if __name__ == '__main__':
    main()
