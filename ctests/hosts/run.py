#!/usr/bin/env python3
"""Tests real hosts that were built, unchanged, with include/hnswlib and libhnx: run.py [--no-build] [TEST[:CASE] ...].

The hosts are the Python modules of hnswlib 0.8.0 and chroma-hnswlib 0.7.1 and hnswlib-node 3.0.0. Builds what is missing
(build.sh; the originals to compare with: ctests/python/originals.sh), then runs each test_*.py as a process of its own,
two at a time: run.py filters saved:fuzzed. HNX_LIB names the library, HNX_INCLUDE the folder of its headers, HNX_HOSTS and
HNX_ORIGINALS the folders of the builds. What cannot be built here is skipped, with the reason. Ends with 1 if a case failed.
"""
import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
PYTHON_PARTS, NODE_PARTS = ('hnswlib', 'chroma'), ('node', 'node-original')
TESTS = {'concurrent': PYTHON_PARTS, 'queries': PYTHON_PARTS, 'node': NODE_PARTS, 'filters': PYTHON_PARTS, 'changes': PYTHON_PARTS,
         'saved': PYTHON_PARTS, 'directories': PYTHON_PARTS, 'pickles': PYTHON_PARTS, 'brute_force': PYTHON_PARTS}


def build(parts, environment):
    """Whether these parts are there now: None, or why they are not. A build that fails is an error, not a reason."""
    process = subprocess.run([os.path.join(HERE, 'build.sh'), *parts], env=environment, stderr=subprocess.PIPE, text=True)
    if process.returncode == 77:
        return process.stderr.strip().splitlines()[-1]
    if process.returncode:
        print(process.stderr, end='', file=sys.stderr)
        raise RuntimeError(f'build.sh {" ".join(parts)} failed')
    return None


def main(arguments):
    wanted = [a for a in arguments if not a.startswith('--')] or list(TESTS)
    unknown = [w for w in wanted if w.split(':')[0] not in TESTS] + [a for a in arguments if a.startswith('--') and a != '--no-build']
    if unknown:
        sys.exit(f'run.py: no such test: {", ".join(unknown)}; there are {", ".join(TESTS)}')
    library = os.path.abspath(os.environ.get('HNX_LIB') or os.path.join(REPO, 'target', 'release', 'libhnx.so'))
    if not os.path.exists(library):
        sys.exit(f'run.py: {library} is not there: make shared, or set HNX_LIB')
    originals = os.path.abspath(os.environ.get('HNX_ORIGINALS') or os.path.join(REPO, 'build', 'originals'))
    hosts = os.path.abspath(os.environ.get('HNX_HOSTS') or os.path.join(REPO, 'build', 'hosts'))
    environment = dict(os.environ, HNX_LIB=library, HNX_ORIGINALS=originals, HNX_HOSTS=hosts, OMP_NUM_THREADS='1',
                       OPENBLAS_NUM_THREADS='1', PYTHONDONTWRITEBYTECODE='1')
    totals, lock = {'passed': 0, 'failed': 0, 'skipped': 0}, threading.Lock()
    reasons, ready = {}, {}

    if subprocess.run([os.path.join(REPO, 'ctests', 'python', 'originals.sh'), originals]).returncode:
        print('skip  everything: the original packages did not build, see above')
        print('hosts: 0 passed, 0 failed, 1 skipped (no originals to compare with)')
        return bool(os.environ.get('CI'))  # a machine without network may test the rest; CI may not
    if '--no-build' not in arguments:
        groups = [parts for parts in (PYTHON_PARTS, NODE_PARTS) if any(TESTS[w.split(':')[0]] == parts for w in wanted)]

        def make(part):
            try:
                reasons[part] = build([part], environment)
            except RuntimeError as error:
                with lock:
                    print(f'FAIL  {error}', flush=True)
                    totals['failed'] += 1
                reasons[part] = str(error)
        # Two at a time; the two builds of the addon share a download.
        builders = [threading.Thread(target=lambda queue: [make(part) for part in queue], args=(queue,))
                    for queue in ([p for parts in groups for p in parts if p != 'chroma' and p not in NODE_PARTS],
                                  [p for parts in groups for p in parts if p == 'chroma' or p in NODE_PARTS])]
        for b in builders:
            b.start()
        for b in builders:
            b.join()
    for name, parts in TESTS.items():
        ready[name] = next((reasons[p] for p in parts if reasons.get(p)), None)
    queue = []
    for w in wanted:
        reason = ready[w.split(':')[0]]
        if reason:
            print(f'skip  {w}: {reason}', flush=True)
            totals['skipped'] += 1
        else:
            queue.append(w)
    python = os.path.join(originals, 'venv', 'bin', 'python')

    def worker():
        while True:
            with lock:
                if not queue:
                    return
                name, _, only = queue.pop(0).partition(':')
            command = [python, os.path.join(HERE, f'test_{name}.py')] + [only] * bool(only)
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
                if counts is None:
                    print(f'FAIL  {current}: the process ended with code {process.returncode}', flush=True)
                    counts = [0, 1, 0]
                for key, n in zip(totals, counts):
                    totals[key] += n

    workers = [threading.Thread(target=worker) for _ in range(min(2, os.cpu_count() or 1))]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    print(f'hosts: {totals["passed"]} passed, {totals["failed"]} failed, {totals["skipped"]} skipped')
    return totals['failed'] > 0 or totals['passed'] == 0 and totals['skipped'] == 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
