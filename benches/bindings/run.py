#!/usr/bin/env python3
"""What the bindings add to the time of a query: run.py [--rounds 15], after ctests/bindings/run.py, which builds them.

Each language is a process of its own with the same index (15,000 SIFT descriptors, ef 80, k 10, one thread). They are asked
in turn, round after round: three batches of 1,000 queries, then 1,000 queries one by one. A round's ratio is to C in that
round; medians, smallest and largest. Processor time beside wall time: on a busy machine it is the steadier of the two.
"C again" is a second process of the same program: the noise.
"""
import argparse
import os
import statistics
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(REPO, 'build', 'bindings')
LIBRARY = os.path.join(REPO, 'target', 'release')
JNA = '/usr/share/java/jna.jar'
PYTHON = os.path.join(os.environ.get('HNX_ORIGINALS') or os.path.join(REPO, 'build', 'originals'), 'venv', 'bin', 'python')
MAKE_DATA = '''
import sys
import numpy as np
examples, index_path, queries_path = sys.argv[1:]
sys.path.insert(0, examples + '/python')
import hnx
rows = lambda name: np.fromfile(f'{examples}/data/{name}', np.uint8).reshape(-1, 132)[:, 4:].astype(np.float32)
index = hnx.Index('l2', 128)
index.init_index(15000)
index.add_items(rows('sift15k.bvecs'), num_threads=1)
index.save_index(index_path)
np.tile(rows('sift15k-query.bvecs'), (5, 1))[:1000].tofile(queries_path)
'''


def run(*command, cwd=REPO):
    subprocess.run(command, cwd=cwd, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=15)
    rounds = parser.parse_args().rounds
    folder = os.path.join(WORK, 'bench')
    os.makedirs(folder, exist_ok=True)
    index, queries = os.path.join(folder, 'index'), os.path.join(folder, 'queries')
    run(PYTHON, '-c', MAKE_DATA, os.path.join(REPO, 'examples'), index, queries)
    run('cc', '-O2', '-std=c99', '-Iinclude', os.path.join(HERE, 'bench.c'), '-o', os.path.join(folder, 'c'), f'-L{LIBRARY}', '-lhnx',
        f'-Wl,-rpath,{LIBRARY}')
    run('go', 'build', '-o', os.path.join(folder, 'go'), os.path.join(HERE, 'bench.go'), cwd=os.path.join(REPO, 'examples', 'go'))
    run('javac', '-cp', f'{JNA}:{WORK}/java', '-d', folder, os.path.join(HERE, 'Bench.java'))
    java = ['java', '-cp', f'{JNA}:{WORK}/java:{folder}', 'Bench']
    node = ['node', os.path.join(HERE, 'bench.js')]
    contestants = {'C': ([os.path.join(folder, 'c')], []), 'C again': ([os.path.join(folder, 'c')], []),
                   'Go': ([os.path.join(folder, 'go')], []), 'Java, arrays': (java, []), 'Java, direct buffers': (java, ['direct']),
                   'Node, promise': (node, []), 'Node, blocking': (node, ['sync']), 'Python': ([PYTHON, os.path.join(HERE, 'bench.py')], [])}
    processes = {name: subprocess.Popen([*command, index, queries, '128', *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                 for name, (command, more) in contestants.items()}

    def ask(name, what, times):
        process = processes[name]
        process.stdin.write(f'{what} {times}\n')
        process.stdin.flush()
        return [int(n) for n in process.stdout.readline().split()]

    times = {(name, what): [] for name in processes for what in ('batch', 'single')}
    for round in range(rounds + 3):
        for what, count in (('batch', 3), ('single', 1000)):
            answers = {name: ask(name, what, count) for name in processes}
            assert len({answer[2] for answer in answers.values()}) == 1, answers  # all found the same
            if round >= 3:  # compilers at run time have compiled by then
                for name, (wall, cpu, _) in answers.items():
                    times[name, what].append((wall, cpu))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    for what, title, scale in (('batch', 'a batch of 1,000 queries', 1e6), ('single', 'a single query', 1e3)):
        unit = 'ms' if scale == 1e6 else 'us'
        print(f'\n{title:24} {"wall " + unit:>9} {"to C":>6} {"":15} {"cpu " + unit:>9} {"to C":>6} {"":15} {"more than C, " + unit:>17}')
        for name in processes:
            row = f'{name:24}'
            for clock in 0, 1:
                mine, c = [t[clock] for t in times[name, what]], [t[clock] for t in times['C', what]]
                ratios = [a / b for a, b in zip(mine, c)]
                spread = f'({min(ratios):.2f}-{max(ratios):.2f})'
                row += f' {statistics.median(mine) / scale:9.2f} {statistics.median(ratios):6.3f} {spread:15}'
            more = statistics.median(a[1] - b[1] for a, b in zip(times[name, what], times['C', what]))
            print(f'{row} {more / scale:17.2f}')


if __name__ == '__main__':
    main()
