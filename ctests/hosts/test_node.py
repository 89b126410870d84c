"""hnswlib-node 3.0.0, the original and the build with libhnx, through node/driver.js: what the two print is the same."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from builds import HERE, HOSTS, Died
from harness import case, run
import numpy as np

SECONDS = 120
DRIVER = os.path.join(HERE, 'node', 'driver.js')
PACKAGES = {which: os.path.join(HOSTS, 'node', which) for which in ('original', 'libhnx')}


def start(which, folder, name):
    os.makedirs(folder, exist_ok=True)
    return subprocess.Popen([shutil.which('node'), DRIVER, PACKAGES[which], folder, name], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def finish(process, which):
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Died(f'{which} hung for {SECONDS} s') from None
    if process.returncode:
        code = process.returncode
        said = [line for line in err.strip().splitlines() if not line.lstrip().startswith(('at ', '0x')) and ': 0x' not in line]
        how = f'ended by {signal.Signals(-code).name}' if code < 0 else f'ended with {code}'
        raise Died(' | '.join([f'{which} {how}'] + said[:3]))
    (seen,) = json.loads(out).values()
    assert not str(seen).startswith('did not get through'), f'{which} {seen}'
    return seen


def same(a, b, what, tolerance):
    if isinstance(a, dict) and isinstance(b, dict) and set(a) == set(b) == {'distances', 'neighbors'}:
        same_neighbours(a, b, what, tolerance)
    elif isinstance(a, (list, dict)) and type(a) is type(b):
        assert len(a) == len(b), f'{what}: {len(a)} != {len(b)} entries'
        for key in a if isinstance(a, dict) else range(len(a)):
            same(a[key], b[key], f'{what}.{key}', tolerance)
    elif isinstance(a, (int, float)) and isinstance(b, (int, float)) and type(a) is not bool:
        assert abs(a - b) <= tolerance * max(1, abs(a), abs(b)), f'{what}: {a!r} != {b!r}'
    else:
        assert type(a) is type(b) and a == b, f'{what}: {a!r} != {b!r}'


def same_neighbours(a, b, what, tolerance):
    """Exact distances leave no choice; others may exchange places where they are equal but for rounding."""
    d, e = np.array(a['distances'], float), np.array(b['distances'], float)
    assert d.shape == e.shape, f'{what}: {a} != {b}'
    room = tolerance * np.maximum(1, np.maximum(abs(d), abs(e)))
    assert (abs(d - e) <= room).all(), f'{what}: {a} != {b}'
    i, j = np.array(a['neighbors']), np.array(b['neighbors'])
    for at in np.flatnonzero(i != j):
        near = abs(d - d[at]) <= 2 * room[at]
        assert tolerance and (i[at] in j[near] or near[-1]), f'{what}: {a} != {b}'


def agreed(name, tolerance):
    with tempfile.TemporaryDirectory() as folder:
        # The same folder name length in both, it is part of some texts.
        processes = [start(which, f'{folder}/{n}', name) for n, which in enumerate(PACKAGES)]
        results, error = [], None
        for process, which in zip(processes, PACKAGES):
            try:
                results.append(finish(process, which))
            except (Died, AssertionError) as e:
                error = error or e
        if error:
            raise error
        same(*results, name, tolerance)


EXACT = ('surface', 'constructors', 'spacesExactly', 'argumentsOfAll', 'initIndex', 'changes', 'filters', 'promises', 'manyPromises', 'write')
for _name in EXACT:
    case(_name, 0)(agreed)
for _name in ('searches', 'bruteChanges'):  # with plain floats in them
    case(_name, 2e-6)(agreed)
# Sums of hundreds of terms of either sign, in the order of each one's kernels: some units in the last place of the
# largest partial sum, which is ten times what is left.
case('spaces', 2e-5)(agreed)


def alone(name):
    """What the original gets wrong."""
    with tempfile.TemporaryDirectory() as folder:
        return json.dumps(finish(start('libhnx', folder, name), 'libhnx'))[:200]


for _name in ('bruteFixed', 'replaceFixed', 'damagedFixed', 'unwritableFixed', 'fewLinksFixed'):
    case(_name)(alone)


@case
def crossing():
    """Files of either build, opened and worked on by both."""
    with tempfile.TemporaryDirectory() as folder:
        for which in PACKAGES:
            finish(start(which, f'{folder}/{which}', 'write'), which)
        for file in sorted(os.listdir(f'{folder}/original')):
            texts = [open(f'{folder}/{which}/{file}', 'rb').read() for which in PACKAGES]
            if file.startswith('brute'):  # the rest is memory that was never written
                texts = [text[:24 + 300 * (7 * 4 + 8)] for text in texts]
            if 'cosine' not in file:
                assert texts[0] == texts[1], f'{file}: other bytes'
        seen = {(reader, writer): finish(start(reader, f'{folder}/{writer}', 'read'), reader) for writer in PACKAGES for reader in PACKAGES}
        for key, value in seen.items():
            same(seen['original', 'original'], value, f'{key}', 2e-6)


if __name__ == '__main__':
    run('node', only=sys.argv[1] if len(sys.argv) > 1 else None)
