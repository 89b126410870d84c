"""Every header compiles without a warning: alone and in any order, by either path, with gcc and clang, as C++11 to 20."""
import os
import shutil
import tempfile

import programs

HEADERS = ('hnswlib', 'hnswalg', 'bruteforce', 'space_l2', 'space_ip', 'stop_condition', 'visited_list_pool')
COMPILERS = [compiler for compiler in ('g++', 'clang++') if shutil.which(compiler)]
FOLDERS = {'': os.path.join(programs.INCLUDE, 'hnswlib'), 'hnswlib/': programs.INCLUDE}
# Uses something of each header, however it was included.
USE = '''
int main()
{
    hnswlib::L2Space space(4);
    hnswlib::VisitedListPool pool(1, 2);
    hnswlib::BruteforceSearch<float> rows(&space, 2);
    hnswlib::EpsilonSearchStopCondition<float> stop(1, 1, 2);
    hnswlib::HierarchicalNSW<float> index(&space, 2);
    return static_cast<int>(index.cur_element_count + rows.cur_element_count);
}
'''


def compiled(name, compiler, standard, texts, *flags):
    """A case that compiles each of some texts, and nothing more."""
    def case():
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, text in enumerate(texts):
                files.append(os.path.join(folder, f'{number}.cpp'))
                with open(files[-1], 'w') as stream:
                    stream.write(text)
            programs.run([compiler, f'-std=c++{standard}', *programs.STRICT, '-fsyntax-only', *flags, *files])
    return name, case


def cases():
    for compiler in COMPILERS:
        for standard in (11, 14, 17, 20) if compiler.startswith('g') else (11, 20):
            path = '' if standard in (11, 17) else 'hnswlib/'
            texts = [f'#include "{path}{header}.h"\n{USE}' for header in HEADERS]
            yield compiled(f'alone {compiler} {standard}', compiler, standard, texts, f'-I{FOLDERS[path]}')
            instantiate = open(os.path.join(programs.HERE, 'instantiate.cpp')).read()
            yield compiled(f'instantiated {compiler} {standard}', compiler, standard, [instantiate], f'-I{programs.INCLUDE}')
        for flag in ('-DNO_MANUAL_VECTORIZATION', '-march=native', '-DNDEBUG'):
            yield compiled(f'instantiated {compiler} {flag}', compiler, 11, [instantiate], f'-I{programs.INCLUDE}', flag)
    # As Chroma's own sources include: both ways in one program.
    orders = [HEADERS[at:] + HEADERS[:at] for at in range(len(HEADERS))] + [HEADERS[::-1]]
    texts = []
    for number, order in enumerate(orders):
        paths = [('hnswlib/' if (number + at) % 2 else '') + header for at, header in enumerate(order)]
        texts.append(''.join(f'#include "{path}.h"\n' for path in paths) + USE)
    yield compiled('any order', 'g++', 11, texts, *[f'-I{folder}' for folder in FOLDERS.values()])
