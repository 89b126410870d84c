#!/usr/bin/env python3
"""Builds and tests the bindings in examples/{go,java,node,python}: run.py [--race] [LANGUAGE ...].

For each language: the example, a program that writes files for the others, the program in README.md, run by the lines there,
whether it finds the library, and its own tests, which read what the other languages and the original packages wrote (exchange.py). HNX_LIB
names the library, HNX_ORIGINALS the folder of the originals. A language whose tools are missing is skipped, with the
reason. Ends with 1 if anything failed.
"""
import os
import re
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
EXAMPLES = os.path.join(REPO, 'examples')
WORK = os.path.join(REPO, 'build', 'bindings')
EXCHANGE = os.path.join(WORK, 'exchange')
SONAME = 'libhnx.so.0.1'
JNA = '/usr/share/java/jna.jar'
# What each example prints.
EXAMPLE = [r'^libhnx \d+\.\d+\.\d+, CPU level \w+: 15000 vectors of 128 floats$', r'^recall@10 0\.99\d+$', r'^odd labels only',
           r'^deleted \d\d+, of them found: 0$', r'^persisted 1: 15000 records, \d+ bytes$', r'^reopened.*same answers: [Tt]rue$',
           r'^caught: .*HNX_ERR_NOT_FOUND: label 123456789 does not exist']


class Missing(Exception):
    """A tool that is not here."""


class Totals:
    """Counts, and one line per case."""

    def __init__(self):
        self.lock, self.passed, self.failed, self.skipped = threading.Lock(), 0, 0, 0

    def case(self, name, why=None, detail=''):
        """why: None when the case passed."""
        with self.lock:
            self.passed, self.failed = self.passed + (why is None), self.failed + (why is not None)
            print(f'ok    {name}' if why is None else f'FAIL  {name}: {why}\n{detail}', flush=True)

    def skip(self, name, why, count=1):
        with self.lock:
            self.skipped += count
            print(f'skip  {name}: {why}', flush=True)

    def add(self, name, passed, failed, skipped, output):
        with self.lock:
            self.passed, self.failed, self.skipped = self.passed + passed, self.failed + failed, self.skipped + skipped
            print(f'{"FAIL " if failed else "ok   "} {name}: {passed} passed, {failed} failed, {skipped} skipped'
                  + (f'\n{output}' if failed or skipped else ''), flush=True)


class Language:
    """How a language builds and runs. `environment` is what its programs get."""
    name, block, counts = '', '', None

    def __init__(self, environment, python):
        self.environment, self.python, self.folder = environment, python, os.path.join(EXAMPLES, self.name)

    def run(self, *command, cwd=REPO, **environment):
        process = subprocess.run(command, cwd=cwd, env={**self.environment, **environment}, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        return process.returncode, process.stdout

    def must(self, *command, **options):
        code, output = self.run(*command, **options)
        if code:
            raise RuntimeError(f'{" ".join(command)} ended with {code}\n{output}')
        return output

    def readme(self):
        """The block of README.md."""
        with open(os.path.join(REPO, 'README.md'), encoding='utf-8') as file:
            return re.search(rf'^```{self.block}\n(.*?)^```$', file.read(), re.M | re.S)[1]

    def run_readme(self, words, files, times=1, **environment):
        """Runs the shell lines of README.md that contain `words`, in a folder of its own with these files."""
        folder = os.path.join(WORK, 'readme', self.name)
        os.makedirs(folder)
        for name, text in files.items():
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
                file.write(text)
        lines = self.must(sys.executable, os.path.join(HERE, '..', 'readme.py'), 'sh', words)
        for _ in range(times):
            self.must('bash', '-euc', lines, cwd=folder, HNX=os.path.join(WORK, 'tree'), **environment)

    def build(self):
        """Compiles what there is to compile."""

    def counted(self, output):
        """Passed, failed, skipped."""
        return [sum(int(n) for n in re.findall(pattern, output, re.M)) for pattern in self.counts]


class Python(Language):
    name, block = 'python', 'python'

    def example(self):
        return self.must(self.python, '-W', 'error', os.path.join(self.folder, 'example.py'))

    def write(self):
        self.must(self.python, os.path.join(self.folder, 'test_hnx.py'), '--write', EXCHANGE)

    def test(self):
        return self.run(self.python, '-W', 'error', os.path.join(self.folder, 'test_hnx.py'), HNX_EXCHANGE=EXCHANGE)[1]

    def counted(self, output):
        ran, ended = re.search(r'^Ran (\d+) tests', output, re.M), re.search(r'^(OK|FAILED)( \(.*\))?$', output, re.M)
        if not ran or not ended:
            return 0, 1, 0
        failed = sum(int(n) for n in re.findall(r'(?:failures|errors)=(\d+)', ended[0]))
        skipped = sum(int(n) for n in re.findall(r'skipped=(\d+)', ended[0]))
        return int(ran[1]) - failed - skipped, failed, skipped

    def readme_block(self):
        prelude = 'import numpy as np\nvectors = np.eye(128)\nquery = vectors[3]\n'
        path = os.pathsep.join([os.path.dirname(self.python), self.environment['PATH']])
        self.run_readme('PYTHONPATH=', {'app.py': prelude + self.readme() + 'assert labels[0, 0] == 3\n'}, 2, PATH=path)

    def version(self, folder, **environment):
        """The version of the library that a copy of the binding in `folder` finds."""
        shutil.copytree(os.path.join(self.folder, 'hnx'), os.path.join(folder, 'hnx'), dirs_exist_ok=True)
        return self.run(self.python, '-c', 'import hnx; print(hnx.version())', cwd=folder, **environment)


class Go(Language):
    name, block = 'go', 'go'
    counts = r'^--- (PASS): ', r'^(?:--- FAIL: |FAIL\t.*\[build failed\]|panic: |fatal error: )', r'^--- SKIP: '

    def build(self):
        if not shutil.which('go'):
            raise Missing('go is missing: apt-get install golang-go')
        unformatted = self.must('gofmt', '-l', '.', cwd=self.folder)
        if unformatted:
            raise RuntimeError(f'gofmt would change {unformatted}')
        self.must('go', 'vet', './...', cwd=self.folder)

    def example(self):
        return self.must('go', 'run', './example', cwd=self.folder)

    def write(self):
        self.must('go', 'test', '-count=1', '-run', 'TestWrite', './hnx', cwd=self.folder, HNX_WRITE=EXCHANGE)

    def test(self, *options):
        return self.run('go', 'test', '-count=1', '-v', *options, './hnx', cwd=self.folder,
                        HNX_EXCHANGE=EXCHANGE)[1]

    def counted(self, output):
        passed, failed, skipped = (len(re.findall(pattern, output, re.M)) for pattern in self.counts)
        skipped -= bool(re.search(r'^--- SKIP: TestWrite ', output, re.M))  # is no test
        return passed, failed or int(not passed), skipped

    def readme_block(self):
        text = ('package main\n\nimport (\n\t"errors"\n\t"log"\n\n\t"libhnx.example/hnx"\n)\n\n'
                'func life(vectors, query []float32, labels []uint64) error {\n' + self.readme() + '\treturn nil\n}\n\n'
                'func main() {\n\tif err := life(make([]float32, 256), make([]float32, 128), []uint64{1, 2}); err != nil {\n'
                '\t\tlog.Fatal(err)\n\t}\n}\n')
        libraries = self.pkg_config()
        self.run_readme('go mod edit', {'main.go': text, 'go.mod': 'module app\n\ngo 1.19\n'}, PKG_CONFIG_PATH=libraries,
                        CGO_LDFLAGS='')

    def system_library(self):
        """With the tag hnx_system cgo takes what pkg-config says."""
        libraries = self.pkg_config()
        self.must('go', 'run', '-tags', 'hnx_system', './example', cwd=self.folder, PKG_CONFIG_PATH=libraries, CGO_LDFLAGS='')

    def pkg_config(self):
        """A folder with hnx.pc, which knows the library there."""
        libraries = os.path.join(WORK, 'lib')
        with open(os.path.join(REPO, 'packaging', 'hnx.pc.in'), encoding='utf-8') as file:
            text = file.read()
        for name, value in (('PC_PREFIX', '/usr'), ('PC_LIBDIR', libraries), ('PC_INCLUDEDIR', os.path.join(REPO, 'include')),
                            ('VERSION', '0.1.0')):
            text = text.replace(f'@{name}@', value)
        with open(os.path.join(libraries, 'hnx.pc'), 'w', encoding='utf-8') as file:
            file.write(text)
        return libraries


class Java(Language):
    name, block = 'java', 'java'
    counts = r'^= (\d+) \d+ \d+$', r'^= \d+ (\d+) \d+$', r'^= \d+ \d+ (\d+)$'

    def build(self):
        if not shutil.which('javac'):
            raise Missing('javac is missing: apt-get install openjdk-17-jdk-headless')
        if not os.path.exists(JNA):
            raise Missing(f'{JNA} is missing: apt-get install libjna-java')
        self.classes = os.path.join(WORK, 'java')
        sources = [os.path.join(folder, name) for folder, _, names in os.walk(self.folder) for name in names if name.endswith('.java')]
        self.must('javac', '-Xlint:all', '-Werror', '-cp', JNA, '-d', self.classes, *sources)

    def java(self, *arguments, classes=None):
        return 'java', '-Xmx512m', '-cp', f'{JNA}:{classes or self.classes}', *arguments

    def example(self):
        return self.must(*self.java('Example'))

    def write(self):
        self.must(*self.java('hnx.Tests', '--write', EXCHANGE))

    def test(self):
        return self.run(*self.java('hnx.Tests'), HNX_EXCHANGE=EXCHANGE)[1]

    def counted(self, output):
        return super().counted(output) if re.search(self.counts[0], output, re.M) else (0, 1, 0)

    def readme_block(self):
        text = ('import hnx.*;\n\nfinal class App {\n    public static void main(String[] arguments) {\n'
                '        float[] vectors = new float[256], query = new float[128];\n        long[] labels = {1, 2};\n'
                + self.readme() + '    }\n}\n')
        self.run_readme('javac', {'App.java': text}, JNA=JNA, JAVA_TOOL_OPTIONS='-Xmx512m')

    def version(self, folder, **environment):
        shutil.copytree(os.path.join(self.classes, 'hnx'), os.path.join(folder, 'hnx'), dirs_exist_ok=True)
        path = os.path.join(folder, 'Version.java')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('class Version { public static void main(String[] a) { System.out.println(hnx.Index.version()); } }\n')
        return self.run(*self.java(path, classes=folder), cwd=folder, **environment)


class Node(Language):
    name, block = 'node', 'js'
    counts = r'^# pass (\d+)$', r'^# fail (\d+)$', r'^# skipped (\d+)$'

    def build(self):
        for tool, package in (('node', 'nodejs'), ('npm', 'npm')):
            if not shutil.which(tool):
                raise Missing(f'{tool} is missing: apt-get install {package}')
        lock, done = os.path.join(self.folder, 'package-lock.json'), os.path.join(self.folder, 'node_modules', '.package-lock.json')
        if not os.path.exists(done) or os.path.getmtime(done) < os.path.getmtime(lock):
            code, output = self.run('npm', 'ci', '--no-audit', '--no-fund', cwd=self.folder)
            if code:
                print(output, flush=True)
                raise Missing('koffi cannot be installed from npm, see above')
        self.must('node', os.path.join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.', cwd=self.folder)

    def example(self):
        return self.must('node', 'example.js', cwd=self.folder)

    def write(self):
        self.must('node', 'test.js', '--write', EXCHANGE, cwd=self.folder)

    def test(self):
        return self.run('node', '--expose-gc', '--test', '--test-reporter=tap', 'test.js', cwd=self.folder, HNX_EXCHANGE=EXCHANGE)[1]

    def counted(self, output):
        return super().counted(output) if re.search(self.counts[0], output, re.M) else (0, 1, 0)

    def readme_block(self):
        text = ('async function life(vectors, query, labels) {\n' + self.readme() + '}\n'
                'life(new Float32Array(256), new Float32Array(128), [1, 2]);\n')
        self.run_readme('npm install', {'app.js': text, 'package.json': '{"private": true}\n'}, npm_config_prefer_offline='true',
                        npm_config_audit='false', npm_config_fund='false')

    def version(self, folder, **environment):
        for name in 'abi.js', 'index.js':
            shutil.copy(os.path.join(self.folder, name), folder)
        modules = os.path.join(folder, 'node_modules')
        if not os.path.islink(modules):
            os.symlink(os.path.join(self.folder, 'node_modules'), modules)
        return self.run('node', '-p', 'require("./index.js").version()', cwd=folder, **environment)


def library_folder(library):
    """A folder in which linkers and loaders find the library under its names."""
    folder = os.path.join(WORK, 'lib')
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in 'libhnx.so', SONAME:
        os.symlink(library, os.path.join(folder, name))
    return folder


def finds_the_library(language, libraries):
    """By HNX_LIB before anything else; else, outside of a source tree, by the system's loader. (Go links when it builds.)"""
    folder = os.path.join('/tmp', f'hnx-{language.name}-{os.getpid()}')
    os.makedirs(folder)
    try:
        code, output = language.version(folder, HNX_LIB='', LD_LIBRARY_PATH=libraries)
        if code or not re.search(r'^\d+\.\d+\.\d+$', output.strip()):
            raise RuntimeError(f'not found by the loader:\n{output}')
        code, output = language.version(folder, HNX_LIB='/absent/libhnx.so', LD_LIBRARY_PATH=libraries)
        if not code or '/absent/libhnx.so' not in output:
            raise RuntimeError(f'HNX_LIB is not what counts:\n{output}')
    finally:
        shutil.rmtree(folder)


def prepare(language, totals, libraries):
    """Everything before the tests; whether there is something to test."""
    def step(name, body):
        try:
            body()
        except Missing:
            raise
        except Exception as error:
            totals.case(f'{language.name}.{name}', *(str(error).split('\n', 1) + [''])[:2])
            return False
        totals.case(f'{language.name}.{name}')
        return True

    def example():
        output = language.example()
        for line in EXAMPLE:
            if not re.search(line, output, re.M):
                raise RuntimeError(f'the example does not print {line}\n{output}')

    try:
        if not step('build', language.build):
            return False
    except Missing as reason:
        totals.skip(language.name, reason)
        return False
    step('example', example)
    step('write', language.write)
    step('readme', language.readme_block)
    if language.name == 'go':
        step('system_library', language.system_library)
    else:
        step('finds_the_library', lambda: finds_the_library(language, libraries))
    return True


def two_at_a_time(body, items):
    items, lock = list(items), threading.Lock()

    def worker():
        while True:
            with lock:
                if not items:
                    return
                item = items.pop(0)
            body(item)

    workers = [threading.Thread(target=worker) for _ in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()


def main(arguments):
    library = os.path.abspath(os.environ.get('HNX_LIB') or os.path.join(REPO, 'target', 'release', 'libhnx.so'))
    if not os.path.exists(library):
        sys.exit(f'run.py: {library} is not there: make shared, or set HNX_LIB')
    originals = os.path.abspath(os.environ.get('HNX_ORIGINALS') or os.path.join(REPO, 'build', 'originals'))
    if subprocess.run([os.path.join(REPO, 'ctests', 'python', 'originals.sh'), originals]).returncode:
        print('skip  everything: the original packages did not build, see above')
        print('bindings: 0 passed, 0 failed, 1 skipped')
        return bool(os.environ.get('CI'))  # a machine without network may test the rest; CI may not
    os.makedirs(WORK, exist_ok=True)
    libraries, python = library_folder(library), os.path.join(originals, 'venv', 'bin', 'python')
    environment = dict(os.environ, HNX_LIB=library, HNX_ORIGINALS=originals, PYTHONDONTWRITEBYTECODE='1', OMP_NUM_THREADS='1',
                       OPENBLAS_NUM_THREADS='1', LD_LIBRARY_PATH=libraries, CGO_LDFLAGS=f'-L{libraries}')
    for folder in EXCHANGE, os.path.join(WORK, 'readme'):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    tree = os.path.join(WORK, 'tree')  # as somebody has it who has run make
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(os.path.join(tree, 'target'))
    os.symlink(EXAMPLES, os.path.join(tree, 'examples'))
    os.symlink(libraries, os.path.join(tree, 'target', 'release'))
    exchange = [python, os.path.join(HERE, 'exchange.py')]
    subprocess.run([*exchange, 'write', EXCHANGE], env=environment, check=True)

    wanted = [a for a in arguments if not a.startswith('--')]
    languages = [kind(environment, python) for kind in (Go, Java, Node, Python) if not wanted or kind.name in wanted]
    totals, ready = Totals(), []

    def before(language):
        if prepare(language, totals, libraries):
            ready.append(language)

    def test(language):
        output = language.test()
        totals.add(f'{language.name}.tests', *language.counted(output), output)
        if language.name == 'go' and '--race' in arguments:
            output = language.test('-race')
            totals.add('go.tests_race', *language.counted(output), output)

    two_at_a_time(before, languages)
    checked = subprocess.run([*exchange, 'check', EXCHANGE], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
    cases = [len(re.findall(rf'^{word} ', checked.stdout, re.M)) for word in ('ok', 'FAIL', 'skip')]
    broken = checked.returncode != 0 and not cases[1]  # it ended before its last case
    totals.add('exchange', cases[0], cases[1] + broken, cases[2], checked.stdout)
    two_at_a_time(test, ready)
    print(f'bindings: {totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped')
    return totals.failed > 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
