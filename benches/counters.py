#!/usr/bin/env python3
"""Counters that no noise reaches: instructions and lines by callgrind, distances and hops by a callback, of a fixed workload.

  make counters                    records them in benches/counters.json
  make test-counters               fails when one has grown by more than 3 % (lines: 6 %) over what is recorded

Instructions are those of libhnx itself per added record or per query (counters.c, AVX2, one thread), lines those that it
reads and that are not in a first-level cache of 32 KB: what libc does is left out, because it has other routines on
other CPUs. Ends with 77, and says why, where they cannot be counted. Needs
nothing but Python, a C compiler and valgrind.
"""
import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECORDED = os.path.join(REPO, 'benches', 'counters.json')
LIBRARY = os.environ.get('HNX_LIB') or os.path.join(REPO, 'target', 'release', 'libhnx.so')
FOLDER = os.path.join(REPO, 'build', 'counters')
BOUND = 0.03
BOUND_OF_LINES = 0.06  # where memory lies decides which of them meet in the cache


def cannot():
    """Why there is nothing to count here; None where there is."""
    if platform.machine() != 'x86_64':
        return 'the counters are those of an x86-64'
    with open('/proc/cpuinfo') as file:
        if not {'avx2', 'fma'} <= set(re.search(r'^flags\s*:(.*)', file.read(), re.M).group(1).split()):
            return 'this CPU has no AVX2, for which the counters are recorded'
    for command, package in (('valgrind', 'valgrind'), ('cc', 'gcc')):
        if not shutil.which(command):
            return f'{command} is missing: apt-get install {package}'
    return None


def costs(path, names):
    """Instructions and missed reads of libhnx in one callgrind file. names: of the objects by number, told once."""
    ours, total, skip = False, [0, 0], False
    with open(path) as file:
        for line in file:
            if line.startswith('events:'):
                columns = [line.split().index(event) for event in ('Ir', 'D1mr')]
            told = re.match(r'(c?ob)=\((\d+)\)(?: (.*))?$', line)
            if told:
                if told[3]:
                    names[told[2]] = os.path.basename(told[3])
                if told[1] == 'ob':
                    ours = names[told[2]].startswith('libhnx.so')
            elif line.startswith('calls='):
                skip = True  # the next line has the cost of the callee, which is told there, too
            elif re.match(r'[-+*\d]', line):
                if ours and not skip:  # zeros at the end of a line are left out
                    values = line.split()
                    total = [so_far + int(values[at]) if at < len(values) else so_far for so_far, at in zip(total, columns)]
                skip = False
    return total


def count():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    program, out, folder = (os.path.join(FOLDER, 'counters'), os.path.join(FOLDER, 'out'), os.path.dirname(LIBRARY))
    subprocess.run(['cc', '-std=c99', '-O1', '-Wall', '-Wextra', '-pedantic', '-Werror', f'-I{REPO}/include',
                    f'{REPO}/benches/counters.c', '-o', program, f'-L{folder}', '-lhnx', f'-Wl,-rpath,{folder}'], check=True)
    calls = [f'--{when}={name}' for name in ('hnx_add', 'hnx_query') for when in ('zero-before', 'dump-after')]
    cache = ['--cache-sim=yes', '--I1=32768,8,64', '--D1=32768,8,64', '--LL=33554432,16,64']
    done = subprocess.run(['valgrind', '-q', '--tool=callgrind', f'--callgrind-out-file={out}', *cache, *calls, program,
                           *(f'{REPO}/examples/data/sift15k{part}.bvecs' for part in ('', '-query'))], check=True, text=True,
                          stdout=subprocess.PIPE, env={**os.environ, 'HNX_CPU': 'avx2'})
    counters, names, part = {}, {}, 0
    for line in done.stdout.splitlines():
        kind, name, *value = line.split()
        if kind == 'cpu':
            assert name == 'avx2', f'the library runs on {name}'
        elif kind == 'call':
            part += 1
            for kind, cost in zip(('instructions', 'lines'), costs(f'{out}.{part}', names)):
                counters[f'{name}.{kind}'] = round(cost / int(value[0]), 1)
        else:
            counters[name] = float(value[0])
    assert part and all(counters.values()), counters
    return counters


def compare(recorded, counters):
    """Prints each counter beside what is recorded; returns whether one of them has grown too much."""
    failed, better = [], []
    for name in sorted({*recorded, *counters}):
        old, new = recorded.get(name), counters.get(name)
        if old is None or new is None:
            failed.append(f'{name} is ' + ('not recorded' if old is None else 'recorded, but not counted any more'))
            continue
        change = new / old - 1
        print(f'{name:34} {old:>12,} {new:>12,} {change:+8.2%}')
        bound = BOUND_OF_LINES if name.endswith('.lines') else BOUND
        if change > bound:
            failed.append(f'{name} has grown by {change:.2%}, from {old:,} to {new:,}')
        elif change < -bound:
            better.append(name)
    for text in failed:
        print(f'FAILED: {text}; if that is meant: make counters')
    if better:
        print('fewer than recorded, so that growth to come would pass unseen (make counters): ' + ', '.join(better))
    return bool(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=('record', 'compare'))
    what = parser.parse_args().what
    if cannot():
        print(cannot())
        return 77
    counters = count()
    if what == 'compare':
        with open(RECORDED) as file:
            return int(compare(json.load(file), counters))
    with open(RECORDED, 'w') as file:
        json.dump(counters, file, indent=1)
        file.write('\n')
    print(open(RECORDED).read(), end='')
    return 0


if __name__ == '__main__':
    sys.exit(main())
