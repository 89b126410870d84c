#!/usr/bin/env python3
"""Tests libhnx against the original packages: run.py [--quick] [FILE[:CASE] ...], such as run.py files recall:sift.

Builds the originals first (originals.sh), then runs each test_*.py as a process of its own, two at a time. --quick runs
a part of the byte comparisons, meant for HNX_CPU=scalar and the like. HNX_LIB names the library, HNX_ORIGINALS the
folder of the originals, HNX_DATA that of the real vectors. Ends with 1 if anything failed.
"""
import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
TESTS = ['graph_bytes', 'recall', 'files', 'persist']  # the longest first
ON_DEMAND = ['durability', 'accepted', 'salvage']  # by the stage of this name


def main(arguments):
    quick = '--quick' in arguments
    wanted = [a for a in arguments if a != '--quick'] or (['graph_bytes'] if quick else TESTS)
    unknown = [w for w in wanted if w.split(':')[0] not in TESTS + ON_DEMAND]
    if unknown:
        sys.exit(f'run.py: no such test: {", ".join(unknown)}; there are {", ".join(TESTS + ON_DEMAND)}')
    library = os.environ.get('HNX_LIB') or os.path.join(REPO, 'target', 'release', 'libhnx.so')
    if not os.path.exists(library):
        sys.exit(f'run.py: {library} is not there: cargo build --release, or set HNX_LIB')
    originals = os.path.abspath(os.environ.get('HNX_ORIGINALS') or os.path.join(REPO, 'build', 'originals'))
    if subprocess.run([os.path.join(HERE, 'originals.sh'), originals]).returncode:
        print('skip  everything: the originals did not build, see above')
        print('python: 0 passed, 0 failed, all skipped (no originals to compare with)')
        return bool(os.environ.get('CI'))  # a machine without network may test the rest; CI may not
    environment = dict(os.environ, HNX_LIB=os.path.abspath(library), HNX_ORIGINALS=originals, OMP_NUM_THREADS='1',
                       OPENBLAS_NUM_THREADS='1', PYTHONDONTWRITEBYTECODE='1')
    python = os.path.join(originals, 'venv', 'bin', 'python')
    about = subprocess.run([python, '-c', 'import hnx; print(hnx.version(), hnx.cpu_name())'], cwd=HERE, env=environment,
                           capture_output=True, text=True)
    if about.returncode:
        sys.exit(f'run.py: {library} does not load: {about.stderr}')
    version, cpu = about.stdout.split()
    if environment.get('HNX_CPU', cpu) != cpu:
        print(f'skip  everything: HNX_CPU={environment["HNX_CPU"]}, but this machine has {cpu} only')
        print('python: 0 passed, 0 failed, all skipped (no such instruction set here)')
        return 0
    print(f'python: libhnx {version} ({cpu}) of {library}, originals of {originals}', flush=True)

    totals, lock, queue = {'passed': 0, 'failed': 0, 'skipped': 0}, threading.Lock(), list(wanted)

    def worker():
        while True:
            with lock:
                if not queue:
                    return
                name, _, only = queue.pop(0).partition(':')
            command = [python, os.path.join(HERE, f'test_{name}.py')] + ['--quick'] * quick + [only] * bool(only)
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
                current, counts = f'{name}, before its first case', None
                for line in process.stdout:
                    if line.startswith('> '):
                        current = line[2:].strip()
                    elif line.startswith('= '):
                        counts = [int(n) for n in line[2:].split()]
                    else:
                        print(line, end='', flush=True)
            with lock:
                if counts is None:  # such as a crash of the library
                    print(f'FAIL  {current}: the process ended with code {process.returncode}', flush=True)
                    counts = [0, 1, 0]
                for key, n in zip(totals, counts):
                    totals[key] += n

    workers = [threading.Thread(target=worker) for _ in range(min(2, os.cpu_count() or 1))]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    reason = ' (reasons above)' if totals['skipped'] else ''
    print(f'python: {totals["passed"]} passed, {totals["failed"]} failed, {totals["skipped"]} skipped{reason}')
    return totals['failed'] > 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
