"""Every public name, in a program that uses it: with both originals, and with include/hnswlib, which has them all."""
import os
import subprocess
import tempfile

import programs

ALL = ['-DSURFACE_HNSWLIB', '-DSURFACE_CHROMA', '-DSURFACE_CHROMA_082']


def used(name, flags, headers):
    def case():
        program = programs.built(name, ['surface.cpp'], flags, [headers])
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run([program], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert result.returncode == 0, f'{result.returncode}: {result.stdout[-1500:]}'
    return name, case


def cases():
    for name, upstream, define in (('hnswlib', programs.HNSWLIB, '-DSURFACE_HNSWLIB'),
                                   ('chroma', programs.CHROMA, '-DSURFACE_CHROMA')):
        headers = os.path.join(upstream, 'hnswlib')
        yield used(f'surface-{name}-original', ['-std=c++11', '-w', '-O1', '-DNDEBUG', '-DCONFORMANCE_ORIGINAL', define,
                                                f'-I{headers}'], headers)
    ours = os.path.join(programs.INCLUDE, 'hnswlib')
    flags = [*programs.STRICT, '-O1', *ALL, f'-I{ours}', *programs.link()]
    yield used('surface', ['-std=c++11', *flags], programs.INCLUDE)
    yield used('surface-native', ['-std=c++17', '-march=native', *flags], programs.INCLUDE)
    yield used('surface-plain', ['-std=c++14', '-DNO_MANUAL_VECTORIZATION', *flags], programs.INCLUDE)
