#!/usr/bin/env python3
"""One C++ host of hnswlib's classes, compiled with the original headers and with libhnx's, measured in turn.

  benches/host/host.py [--rows N] [--rounds N] [--sets sift,glove,minilm] [--ef 60,100]

Prints medians of ratios over the rounds and their range: adds and searches against the original; the façade against the
C ABI, on the same records (hnx_graph_search) and on an index of libhnx's own layout (hnx_query). Needs
../shared/data or HNX_DATA, and the unpacked hnswlib 0.8.0 (ctests/conformance/fetch.sh).
"""
import argparse
import os
import statistics
import subprocess
import tempfile

REPO = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
DATA = os.environ.get('HNX_DATA') or os.path.join(REPO, '..', 'shared', 'data')
ORIGINAL = os.environ.get('HNX_ORIGINAL_HEADERS') or os.path.join(REPO, 'build/originals/src/hnswlib-0.8.0')
SETS = {'sift': ('sift-128-l2', 'bvecs', 'l2'), 'glove': ('glove-100-cosine', 'fvecs', 'cosine'),
        'minilm': ('minilm-384-cosine', 'fvecs', 'cosine')}


def compile_hosts(folder):
    source = os.path.join(REPO, 'benches/host/host.cpp')
    library = os.path.dirname(os.environ.get('HNX_LIB') or os.path.join(REPO, 'target/release/libhnx.so'))
    flags = ['c++', '-std=c++11', '-O3', '-march=native', source, '-pthread']
    original, ours = os.path.join(folder, 'original'), os.path.join(folder, 'libhnx')
    subprocess.run([*flags, '-w', f'-I{ORIGINAL}', '-o', original], check=True)
    subprocess.run([*flags, f'-I{REPO}/include', f'-L{library}', '-lhnx', f'-Wl,-rpath,{library}', '-o', ours], check=True)
    return original, ours


class Host:
    def __init__(self, program, name, rows):
        folder, kind, metric = SETS[name]
        files = [os.path.join(DATA, folder, f'{part}.{kind}') for part in ('base', 'query')]
        arguments = [program, *files, metric, '16', '200', str(rows)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.rows = int(self.process.stdout.readline().split()[1])

    def ask(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        seconds, total = self.process.stdout.readline().split()
        return float(seconds), int(total)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def ratios(name, above, below):
    all_of = sorted(a / b for a, b in zip(above, below))
    print(f'  {name:34} {statistics.median(all_of):.3f} ({all_of[0]:.3f} to {all_of[-1]:.3f})', flush=True)


def measure(name, options, programs, folder):
    rows = options.rows
    original, ours = (Host(program, name, rows) for program in programs)
    rows = min(rows, original.rows)
    print(f'{name}: {rows} rows', flush=True)
    step = max(rows // options.rounds, 1)
    adds = [[], []]
    for first in range(0, rows, step):
        for host, times in zip((original, ours), adds):
            times.append(host.ask(f'add {first} {min(step, rows - first)}')[0])
    ratios('adds, original / libhnx', *adds)
    ours.ask(f'save {folder}/{name}')
    for ef in options.ef.split(','):
        times = {'original': [], 'query': [], 'graph': [], 'index': []}
        for _ in range(options.rounds):
            times['original'].append(original.ask(f'query {ef} 10')[0])
            for verb in ('query', 'graph', 'index'):
                times[verb].append(ours.ask(f'{verb} {ef} 10')[0])
        ratios(f'ef {ef}: search, original / libhnx', times['original'], times['query'])
        ratios(f'ef {ef}: façade / C ABI, same records', times['query'], times['graph'])
        ratios(f'ef {ef}: façade / C ABI, hnx_query', times['query'], times['index'])
    original.end()
    ours.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, default=1 << 30)
    parser.add_argument('--rounds', type=int, default=11)
    parser.add_argument('--sets', default='sift,glove,minilm')
    parser.add_argument('--ef', default='60,120')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        programs = compile_hosts(folder)
        for name in options.sets.split(','):
            measure(name, options, programs, folder)


if __name__ == '__main__':
    main()
