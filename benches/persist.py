#!/usr/bin/env python3
"""What a persist costs: libhnx beside chroma-hnswlib 0.7.1 with an fsync of its four files, in turn.

  make bench-persist                           # 200,000 x 128, and one label at 10k, 100k, 400k
  make bench-persist BENCH="--rows 50000 --sizes 10000,50000 --rounds 11"

Both have the same directory (libhnx builds it, Chroma gets a copy) and the same changes. Chroma runs in a process of its
own; the time of an empty call to it is taken off. Bytes are what was handed to write calls: libhnx tells its own, Chroma's
are counted by the kernel (/proc/PID/io).
"""
import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'ctests', 'python'))
import hnx  # noqa: E402
from originals import Package  # noqa: E402

FILES = ['header.bin', 'data_level0.bin', 'length.bin', 'link_lists.bin']


def clock(body):
    started = time.perf_counter()
    body()
    return time.perf_counter() - started


def written(pid):
    with open(f'/proc/{pid}/io') as f:
        return int(dict(line.split(': ') for line in f.read().splitlines())['wchar'])


def sync_files(path):
    for name in FILES:
        file = os.open(os.path.join(path, name), os.O_RDWR)
        os.fsync(file)
        os.close(file)


def build(path, rows, x):
    with hnx.Index.init('l2', x.shape[1], rows + 10000, 16, 60, path=path) as index:
        index.add(x[:rows], np.arange(rows), threads=0)
        index.persist()


def compare(folder, x, rows, rounds):
    build(f'{folder}/ours', rows, x)
    shutil.copytree(f'{folder}/ours', f'{folder}/theirs')
    package = Package('chroma')
    pid = package._process.pid
    dim, rng, label = x.shape[1], np.random.default_rng(3), rows
    with hnx.Index.load(f'{folder}/ours', 'l2', dim, rows + 10000) as ours, \
            package.load(f'{folder}/theirs', 'l2', dim, rows + 10000) as theirs:
        for kind in ('add', 'update'):
            for changed in (100, 1):
                result = {'ours': [], 'theirs': [], 'our bytes': [], 'their bytes': []}
                for _ in range(rounds):
                    if kind == 'add':
                        labels = np.arange(label, label + changed)
                        label += changed
                    else:
                        labels = rng.permutation(rows)[:changed]
                    vectors = x[rng.integers(0, len(x), changed)] + rng.normal(0, .01, (changed, dim)).astype(np.float32)
                    ours.add(vectors, labels)
                    theirs.add(vectors, labels)
                    infos = []
                    result['ours'].append(clock(lambda: infos.append(ours.persist())))
                    result['our bytes'].append(infos[0].bytes_written)
                    empty = statistics.median(clock(lambda: theirs.count) for _ in range(5))
                    before = written(pid)
                    seconds = clock(lambda: (theirs.persist(), sync_files(f'{folder}/theirs')))
                    result['theirs'].append(seconds - empty)
                    result['their bytes'].append(written(pid) - before)
                middle = {name: statistics.median(values) for name, values in result.items()}
                ratios = [a / b for a, b in zip(result['ours'], result['theirs'])]
                print(f'{rows} x {dim}, {kind} {changed:3}: libhnx {middle["ours"] * 1e3:7.2f} ms {middle["our bytes"] / 1e3:8.0f} kB,'
                      f' chroma + fsync {middle["theirs"] * 1e3:7.2f} ms {middle["their bytes"] / 1e3:8.0f} kB,'
                      f' ratio {statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})', flush=True)
    package.close()


def grow(folder, x, rows, rounds):
    build(f'{folder}/{rows}', rows, x)
    times, sizes = [], []
    with hnx.Index.load(f'{folder}/{rows}', 'l2', x.shape[1], rows + 10000) as index:
        for number in range(rounds):
            index.add(x[number] + .5, rows + number)
            infos = []
            times.append(clock(lambda: infos.append(index.persist())))
            sizes.append(infos[0].bytes_written)
    print(f'{rows} x {x.shape[1]}, add 1: {statistics.median(times) * 1e3:.2f} ms, {statistics.median(sizes) / 1e3:.1f} kB', flush=True)
    shutil.rmtree(f'{folder}/{rows}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, default=200000)
    parser.add_argument('--dim', type=int, default=128)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--sizes', default='10000,100000,400000')
    parser.add_argument('--folder', help='where to write; a real disk, not a file system in memory')
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(',') if size]
    # Clusters: neighbours as real vectors have them.
    rng = np.random.default_rng(1)
    most = max([options.rows, *sizes])
    centres = rng.normal(size=(1000, options.dim)).astype(np.float32)
    x = centres[rng.integers(0, 1000, most)] + rng.normal(0, .3, (most, options.dim)).astype(np.float32)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        compare(folder, x, options.rows, options.rounds)
        for size in sizes:
            grow(folder, x, size, options.rounds)


if __name__ == '__main__':
    main()
