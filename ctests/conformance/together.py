"""Both libraries in one process, and include/hnswlib in several translation units of one program."""
import os
import subprocess
import tempfile

import programs


def plugin(name, *flags):
    """A library of plugin.cpp; the original's must not find libhnx, nor the other way round."""
    return programs.built(f'{name}.so', ['plugin.cpp'], ['-std=c++11', '-O2', '-fPIC', '-shared', f'-DPLUGIN={name}_work', *flags],
                          [programs.INCLUDE])


def both():
    original = plugin('original', '-w', f'-I{programs.HNSWLIB}')
    libhnx = plugin('libhnx', *programs.STRICT, f'-I{programs.INCLUDE}', *programs.link())
    return [('original_work', original), ('libhnx_work', libhnx)]


def run(program, *words):
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run([program, folder, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    assert result.returncode == 0, f'{result.returncode}: {result.stdout[-800:]}'


def loaded(plugins):
    program = programs.built('together', ['together.cpp'], ['-std=c++11', '-O1', *programs.STRICT, '-ldl'], [])
    run(program, *[word for one in plugins for word in one])


def linked():
    """Both compiled into one program."""
    libraries = [f'-L{programs.BUILD}', '-Wl,--no-as-needed', os.path.join(programs.BUILD, 'original.o'),
                 os.path.join(programs.BUILD, 'libhnx.o')]
    programs.built('original.o', ['plugin.cpp'], ['-std=c++11', '-O2', '-c', '-DPLUGIN=original_work', '-w',
                                                  f'-I{programs.HNSWLIB}'], [])
    programs.built('libhnx.o', ['plugin.cpp'], ['-std=c++11', '-O2', '-c', '-DPLUGIN=libhnx_work', *programs.STRICT,
                                                f'-I{programs.INCLUDE}'], [programs.INCLUDE])
    run(programs.built('linked', ['together.cpp'], ['-std=c++11', '-O1', '-DLINKED', *libraries, *programs.link(), '-ldl'],
                       [programs.INCLUDE]))


def units():
    """Two translation units that include the headers make one program; a third sends warnings elsewhere."""
    program = programs.built('units', ['units.cpp', 'units_other.cpp'],
                             ['-std=c++11', *programs.STRICT, f'-I{programs.INCLUDE}', *programs.link()], [programs.INCLUDE])
    run(program)


def warnings():
    program = programs.built('warnings', ['instantiate.cpp'],
                             ['-std=c++11', *programs.STRICT, '-DINSTANTIATE_WARNINGS', f'-I{programs.INCLUDE}', *programs.link()],
                             [programs.INCLUDE])
    run(program)


def cases():
    yield 'original first', lambda: loaded(both())
    yield 'libhnx first', lambda: loaded(both()[::-1])
    yield 'linked', linked
    yield 'units', units
    yield 'warnings', warnings
