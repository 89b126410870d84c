"""The programs of this folder, compiled with the original headers and with include/hnswlib; kept while nothing changed."""
import hashlib
import os
import subprocess
import threading
from collections import defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
ORIGINALS = os.path.abspath(os.environ.get('HNX_ORIGINALS') or os.path.join(REPO, 'build', 'originals'))
INCLUDE = os.path.abspath(os.environ.get('HNX_INCLUDE') or os.path.join(REPO, 'include'))
LIBRARY = os.path.abspath(os.environ.get('HNX_LIB') or os.path.join(REPO, 'target', 'release', 'libhnx.so'))
BUILD = os.path.join(REPO, 'build', 'conformance')
HNSWLIB, CHROMA = (os.path.join(ORIGINALS, 'src', name) for name in ('hnswlib-0.8.0', 'chroma-hnswlib-0.7.1'))
STRICT = ['-Wall', '-Wextra', '-pedantic', '-Werror']
COMPILER = os.environ.get('CXX') or 'g++'
BUILDING = defaultdict(threading.Lock)  # by the program that is being built


def hash_of(paths, *words):
    """Of files, all files of folders, and words."""
    digest = hashlib.sha256(repr(words).encode())
    for path in paths:
        files = [path] if os.path.isfile(path) else [os.path.join(f, n) for f, _, names in os.walk(path) for n in names]
        for file in sorted(files):
            with open(file, 'rb') as stream:
                digest.update(stream.read())
    return digest.hexdigest()


def link():
    """Flags that link libhnx and find it when the program runs."""
    return [LIBRARY, f'-Wl,-rpath,{os.path.dirname(LIBRARY)}']


def run(command):
    """Runs a compiler; its words in an exception if it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    if result.returncode != 0:
        raise AssertionError(f'{" ".join(command)}\n' + '\n'.join(result.stdout.splitlines()[:25]))
    return result.stdout


def built(name, sources, flags, headers):
    """Compiles a program unless it is there, of the same sources, flags and headers; its path."""
    target = os.path.join(BUILD, name)
    mark, files = target + '.made', [os.path.join(HERE, file) for file in os.listdir(HERE) if file.endswith(('.cpp', '.h'))]
    wanted = hash_of([*sorted(files), *headers], COMPILER, flags, sources)
    with BUILDING[name]:
        if os.path.exists(target) and os.path.exists(mark) and open(mark).read() == wanted:
            return target
        os.makedirs(BUILD, exist_ok=True)
        run([COMPILER, *[os.path.join(HERE, source) for source in sources], *flags, '-pthread', '-o', target])
        with open(mark, 'w') as stream:
            stream.write(wanted)
    return target


def original(name, upstream):
    """A program with the headers of an original."""
    headers = os.path.join(upstream, 'hnswlib')
    flags = ['-std=c++11', '-O2', '-w', '-DCONFORMANCE_ORIGINAL', f'-I{headers}']
    if upstream == CHROMA:  # its checkIntegrity() asserts that no link leads to the first element
        flags.append('-DNDEBUG')
    return built(name + '-original', [name + '.cpp'], flags, [headers])


def ours(name, *more):
    """The same with include/hnswlib."""
    headers = os.path.join(INCLUDE, 'hnswlib')
    flags = ['-std=c++11', '-O2', *STRICT, f'-I{headers}', *more, *link()]
    return built(name, [name + '.cpp'], flags, [headers, os.path.join(INCLUDE, 'hnx.h')])
