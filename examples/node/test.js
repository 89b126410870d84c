'use strict';
// Tests of the Node binding: node --expose-gc --test test.js. HNX_EXCHANGE names a folder that ctests/bindings/run.py has
// filled; `node test.js --write FOLDER` writes what the other bindings read.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const { Index, HnxError, verify } = require('./index.js');

const [ROWS, DIM, K] = [2000, 128, 10];

function read(name, most) {
    const bytes = fs.readFileSync(path.join(__dirname, '..', 'data', name));
    const values = new Float32Array(most * DIM);
    for (let row = 0; row < most; row++) values.set(bytes.subarray(row * (4 + DIM) + 4, (row + 1) * (4 + DIM)), row * DIM);
    return values;
}

const BASE = read('sift15k.bvecs', ROWS);
const QUERIES = read('sift15k-query.bvecs', 50);
const LABELS = BigUint64Array.from({ length: ROWS }, (_, row) => BigInt(3 * row + 1));
const live = (row) => row % 10 !== 0;
const row = (number) => BASE.subarray(number * DIM, (number + 1) * DIM);

function squared(a, b) {
    let sum = 0;
    for (let i = 0; i < DIM; i++) sum += (a[i] - b[i]) ** 2;
    return sum;
}

/** The labels of the K nearest rows that are wanted, by all distances. */
function nearest(wanted = () => true) {
    const rows = Array.from({ length: ROWS }, (_, i) => i).filter(wanted);
    return Array.from({ length: 50 }, (_, q) => {
        const query = QUERIES.subarray(q * DIM, (q + 1) * DIM);
        const distances = new Map(rows.map((i) => [i, squared(query, row(i))]));
        return [...rows].sort((a, b) => distances.get(a) - distances.get(b)).slice(0, K).map((i) => LABELS[i]);
    });
}

function assertNear(result, expected) {
    let hits = 0;
    expected.forEach((near, q) => { hits += near.filter((label) => result.labels.subarray(q * K, q * K + K).includes(label)).length; });
    assert.ok(hits / (K * expected.length) >= 0.99, `recall ${hits / (K * expected.length)}`);
}

function build(options = {}) {
    const index = Index.create({ dim: DIM, ...options });
    index.addSync(BASE, LABELS, { threads: 1 });
    index.setEf(200);
    return index;
}

function deleteSome(index) {
    LABELS.forEach((label, number) => { if (!live(number)) index.markDeleted(label); });
}

function temporary(t) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hnx-node-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    return folder;
}

async function write(folder) {
    const index = build({ maxElements: ROWS, persistPath: path.join(folder, 'node-persisted') });
    deleteSome(index);
    await index.save(path.join(folder, 'node.hnswlib'));
    await index.save(path.join(folder, 'node.chroma'), 'chroma');
    await index.persist();
    index.close();
}

const fails = (code, text) => (error) => error instanceof HnxError && error.code === code && error.message.includes(text);

function tests() {
    test('exact neighbours', async () => {
        const index = build();
        const result = await index.query(QUERIES, K);
        assertNear(result, nearest());
        result.counts.forEach((count, q) => {
            assert.equal(count, K);
            assert.equal(result.distances[q * K], squared(QUERIES.subarray(q * DIM, q * DIM + DIM), row(Number(result.labels[q * K] - 1n) / 3)));
        });
        assert.deepEqual(index.querySync(QUERIES, K), result);
        assert.deepEqual(index.get(LABELS.subarray(5, 7)), BASE.slice(5 * DIM, 7 * DIM));
        index.close();
    });

    test('filters', async () => {
        const index = build();
        const odd = LABELS.filter((label) => label % 2n === 1n);
        const even = LABELS.filter((label) => label % 2n === 0n);
        const expected = nearest((i) => LABELS[i] % 2n === 1n);
        for (const only of [odd, [...odd], new Set(odd), [...odd].map(Number)]) assertNear(await index.query(QUERIES, K, { only }), expected);
        assertNear(await index.query(QUERIES, K, { except: even }), expected);
        assertNear(index.querySync(QUERIES, K, { filter: (label) => label % 2n === 1n }), expected);
        const few = await index.query(QUERIES.subarray(0, DIM), K, { only: [1, 4, 5] });
        assert.deepEqual([few.counts[0], few.labels[2], few.distances[9]], [2, 2n ** 64n - 1n, Infinity]);
        assert.equal((await index.query(QUERIES.subarray(0, DIM), K, { only: [] })).counts[0], 0);
        assert.equal((await index.query(QUERIES.subarray(0, DIM), K, { except: [] })).counts[0], K);
        assert.throws(() => index.querySync(QUERIES, K, { filter: () => { throw new Error('mine'); } }), /mine/);
        await assert.rejects(index.query(QUERIES, K, { filter: () => true }), /event loop/);
        assertNear(await index.query(QUERIES, K), nearest());
        index.close();
    });

    test('delete, persist, reopen', async (t) => {
        const persistPath = path.join(temporary(t), 'persisted');
        const index = build({ persistPath });
        assert.equal((await index.persist()).records, ROWS);
        deleteSome(index);
        const before = await index.query(QUERIES, K);
        assertNear(before, nearest(live));
        assert.deepEqual([(await index.persist()).records, index.stats().deleted, index.count], [ROWS / 10, ROWS / 10, ROWS]);
        assert.deepEqual(index.labels('all'), LABELS);
        assert.deepEqual(index.labels(), LABELS.filter((_, i) => live(i)));
        assert.deepEqual(index.labels('deleted'), LABELS.filter((_, i) => !live(i)));
        index.unmarkDeleted(1);
        index.close();
        for (const options of [{}, { mmap: true }, { readOnly: true }, { check: 'deep' }]) {
            const again = await Index.load(persistPath, { dim: DIM, ...options });
            assert.deepEqual(await again.query(QUERIES, K, { ef: 200 }), before);
            if (options.readOnly) assert.throws(() => again.markDeleted(4), fails('HNX_ERR_READ_ONLY', ''));
            again.close();
        }
    });

    test('exactness', async () => {
        const index = build({ metric: 'cosine' });
        assert.equal(index.stats().exactness, 'guided');
        assert.ok(index.stats().codeBytes >= ROWS * DIM);
        assert.deepEqual(await index.query(QUERIES, K, { exactness: 'certified' }), index.querySync(QUERIES, K, { exactness: 'f32' }));
        index.setExactness('f32');
        assert.equal(index.stats().exactness, 'f32');
        assert.deepEqual(index.querySync(QUERIES, K), index.querySync(QUERIES, K, { exactness: 'f32' }));
        assert.throws(() => index.setExactness('f64'), /exactness is f64/);
        assert.throws(() => index.querySync(QUERIES, K, { exactness: 'f64' }), /exactness is f64: not one of default, f32/);
        index.close();
    });

    test('codes beside a file', async (t) => {
        const folder = temporary(t);
        const [name, others] = [path.join(folder, 'file'), path.join(folder, 'another')];
        const [index, another] = [build(), build({ m: 8 })];
        await index.save(name);
        await index.saveCodes(name);
        await another.save(others);
        await assert.rejects(index.saveCodes(others), fails('HNX_ERR_CONFLICT', others));
        const expected = await index.query(QUERIES, K, { exactness: 'guided' });
        for (const readOnly of [false, true]) {
            const mapped = await Index.load(name, { dim: DIM, mmap: true, readOnly });
            const stats = mapped.stats();
            assert.ok(stats.exactness === 'guided' && stats.codeBytes > 0, JSON.stringify(stats));
            assert.deepEqual(await mapped.query(QUERIES, K, { ef: 200, exactness: 'guided' }), expected);
            mapped.close();
        }
        index.close();
        another.close();
    });

    test('verify and salvage', async (t) => {
        const persistPath = path.join(temporary(t), 'persisted');
        const index = build({ persistPath });
        deleteSome(index);
        await index.persist();
        index.close();
        assert.deepEqual(await verify(persistPath), { records: ROWS, checked: ROWS });
        const file = fs.openSync(path.join(persistPath, 'data_level0.bin'), 'r+');
        fs.writeSync(file, 'damage', 1000);
        fs.closeSync(file);
        await assert.rejects(verify(persistPath), fails('HNX_ERR_CORRUPT', `${persistPath}: data_level0.bin: record`));
        await assert.rejects(verify('absent'), fails('HNX_ERR_NOT_FOUND', 'absent'));
        fs.rmSync(path.join(persistPath, 'link_lists.bin'));
        const { index: salvaged, ...found } = await Index.salvage(persistPath, { dim: DIM });
        assert.ok(found.damage.includes('lists') && found.kept >= ROWS - 1, JSON.stringify(found));
        assert.deepEqual([salvaged.count, salvaged.stats().deleted], [found.kept, found.deleted]);
        assertNear(await salvaged.query(QUERIES, K, { ef: 200 }), nearest(live));
        salvaged.close();
        await assert.rejects(Index.salvage('absent', { dim: DIM }), fails('HNX_ERR_NOT_FOUND', 'absent'));
    });

    test('files of others', { skip: !process.env.HNX_EXCHANGE && 'HNX_EXCHANGE is not set' }, async () => {
        const expected = nearest(live);
        const names = fs.readdirSync(process.env.HNX_EXCHANGE);
        assert.ok(names.length > 2);
        for (const name of names) {
            const index = await Index.load(path.join(process.env.HNX_EXCHANGE, name), { dim: DIM });
            assertNear(await index.query(QUERIES, K, { ef: 200 }), expected);
            assert.deepEqual([index.count, index.stats().deleted], [ROWS, ROWS / 10], name);
            assert.deepEqual(index.get(LABELS.subarray(1, 10)), BASE.slice(DIM, 10 * DIM), name);
            index.close();
        }
    });

    test('failures of the library', async () => {
        const index = build({ maxElements: ROWS });
        const nan = new Float32Array(2 * DIM).fill(NaN, DIM);
        assert.throws(() => index.markDeleted(77777), fails('HNX_ERR_NOT_FOUND', '77777'));
        assert.throws(() => index.unmarkDeleted(1), fails('HNX_ERR_NOT_DELETED', 'label 1'));
        assert.throws(() => index.addSync(row(0), [2]), fails('HNX_ERR_FULL', 'row 0'));
        assert.throws(() => index.addSync(nan, [1, 4]), fails('HNX_ERR_INVALID_ARGUMENT', 'row 1'));
        await assert.rejects(index.add(row(0), [2]), fails('HNX_ERR_FULL', 'row 0, label 2: '));
        await assert.rejects(index.add(nan, [1, 4]), (error) => {
            assert.match(error.message, /^HNX_ERR_INVALID_ARGUMENT: row 1, label 4: .*NaN.*; 1 of 2 rows were not added$/);
            assert.deepEqual([...error.rowStatus], [0, error.status]);
            return true;
        });
        await assert.rejects(index.add(BASE.slice(0, 2 * DIM), [1, 2]), (error) => error.rowStatus[0] === 0 && /^row 1, label 2: .*1 of 2/.test(error.text));
        await assert.rejects(index.add(row(0), [1], { insertOnly: true }), fails('HNX_ERR_EXISTS', 'label 1'));
        await assert.rejects(index.add(row(0), [2], { updateOnly: true }), fails('HNX_ERR_NOT_FOUND', 'label 2'));
        await assert.rejects(index.add(row(0), [2], { replaceDeleted: true }), fails('HNX_ERR_INVALID_ARGUMENT', 'not allowed'));
        await assert.rejects(index.query(nan, K), fails('HNX_ERR_INVALID_ARGUMENT', 'query 1'));
        await assert.rejects(index.query(QUERIES, 0), fails('HNX_ERR_INVALID_ARGUMENT', 'k is 0'));
        await assert.rejects(index.persist(), fails('HNX_ERR_INVALID_ARGUMENT', 'directory'));
        await assert.rejects(index.save('/absent/file'), fails('HNX_ERR_IO', 'No such file'));
        await assert.rejects(Index.load('/absent', { dim: 3 }), fails('HNX_ERR_NOT_FOUND', '/absent'));
        await assert.rejects(Index.load(path.join(__dirname, 'test.js'), { dim: 3 }), (error) => error instanceof HnxError);
        assert.throws(() => index.get([1, 2]), fails('HNX_ERR_NOT_FOUND', 'label 2'));
        assert.throws(() => index.resize(3), fails('HNX_ERR_INVALID_ARGUMENT', 'less than'));
        assert.throws(() => Index.create({ dim: 0 }), fails('HNX_ERR_INVALID_ARGUMENT', 'dim'));
        assertNear(await index.query(QUERIES, K), nearest());
        index.close();
    });

    test('arguments of a wrong type or length', async () => {
        const index = build();
        const bad = [
            () => index.addSync(Array.from(row(0)), [1]), () => index.addSync(new Float64Array(DIM), [1]),
            () => index.addSync(row(0).subarray(1), [1]), () => index.addSync(row(0), [1, 2]), () => index.addSync(row(0), 1),
            () => index.addSync(row(0), [1.5]), () => index.addSync(row(0), [-1]), () => index.addSync(row(0), [2n ** 64n]),
            () => index.addSync(row(0), [2 ** 53]), () => index.addSync(row(0), '1'), () => index.addSync(row(0), [null]),
            () => index.addSync(row(0), [1], { threads: -1 }), () => index.markDeleted('1'), () => index.markDeleted(undefined),
            () => index.querySync(null, K), () => index.querySync(row(0), -1), () => index.querySync(row(0), 1.5),
            () => index.querySync(row(0), '3'), () => index.querySync(row(0), 3, { ef: -1 }), () => index.querySync(row(0), 2 ** 40),
            () => index.querySync(row(0), 3, { filter: 7 }), () => index.querySync(row(0), 3, { only: [1], except: [2] }),
            () => index.labels('none'), () => index.resize(-1), () => index.setEf(NaN), () => Index.create({}),
            () => Index.create({ dim: 4, metric: 'toString' }), () => Index.create({ dim: 4, persistPath: 'a\0b' }), () => new Index(),
        ];
        for (const call of bad) assert.throws(call, (error) => error instanceof TypeError || error instanceof RangeError, String(call));
        for (const call of [() => index.add(null, [1]), () => index.query(row(0), -1), () => index.save(7), () => index.save('x', 'pdf'),
            () => index.saveCodes(7), () => Index.load('x\0', { dim: 4 }), () => Index.load('x', { dim: '4' })]) {
            await assert.rejects(call, (error) => error instanceof TypeError || error instanceof RangeError, String(call));
        }
        const misspelt = { efs: 80 };
        for (const call of [() => Index.create({ dim: 4, ...misspelt }), () => index.addSync(row(0), [1], misspelt),
            () => index.querySync(row(0), 1, misspelt)]) assert.throws(call, { name: 'TypeError', message: /^unknown option efs/ });
        for (const call of [() => Index.load('x', { dim: 4, ...misspelt }), () => Index.salvage('x', { dim: 4, ...misspelt }),
            () => index.add(row(0), [1], misspelt), () => index.query(row(0), 1, misspelt)]) {
            await assert.rejects(call, (error) => error instanceof TypeError && error.message.startsWith('unknown option efs'), String(call));
        }
        assert.throws(() => index.querySync(row(0), 1, 5), TypeError);
        assert.deepEqual((await index.query(new Float32Array(0), K)).labels.length, 0);
        await index.add(new Float32Array(0), []);
        index.addSync(row(3), [2n ** 64n - 2n]);
        assert.deepEqual([...index.querySync(row(3), 2).labels].sort(), [10n, 2n ** 64n - 2n]);
        index.close();
    });

    test('use after close', async () => {
        const index = build();
        index.close();
        index.close();
        for (const call of [() => index.addSync(row(0), [1]), () => index.querySync(row(0), 1), () => index.markDeleted(1),
            () => index.unmarkDeleted(1), () => index.get([1]), () => index.labels(), () => index.stats(), () => index.count,
            () => index.setEf(3), () => index.resize(3)]) assert.throws(call, /closed/);
        for (const call of [() => index.add(row(0), [1]), () => index.query(row(0), 1), () => index.persist(), () => index.save('x'),
            () => index.saveCodes('x')]) {
            await assert.rejects(call, /closed/);
        }
    });

    test('the event loop is free', async () => {
        const index = build();
        const many = new Float32Array(200 * QUERIES.length);
        for (let i = 0; i < 200; i++) many.set(QUERIES, i * QUERIES.length);
        let [turns, done] = [0, false];
        const work = index.query(many, K, { threads: 1 }).finally(() => { done = true; });
        while (!done) {
            await new Promise(setImmediate);
            turns++;
        }
        await work;
        assert.ok(turns > 3, `${turns} turns of the event loop`);
        index.close();
    });

    test('close during use, and arrays that change', async () => {
        const index = build();
        const work = [];
        for (let i = 0; i < 40; i++) {
            const [query, labels] = [row(i).slice(), [1000000 + i]];
            work.push(index.query(query, 1).then((result) => assert.equal(result.distances[0], 0)));
            work.push(index.add(query, labels));
            query.fill(NaN);
            labels[0] = 1;
            structuredClone(query.buffer, { transfer: [query.buffer] });
        }
        index.close();
        assert.throws(() => index.stats(), /closed/);
        await Promise.all(work);
    });

    test('close inside a filter', () => {
        const index = build();
        const result = index.querySync(row(0), K, { filter: () => { index.close(); return true; } });
        assert.equal(result.counts[0], K);
        assert.throws(() => index.querySync(row(0), K), /closed/);
    });

    test('what is forgotten is freed', { skip: !global.gc && 'node runs without --expose-gc' }, async () => {
        const maps = () => fs.readFileSync('/proc/self/maps', 'utf8').split('\n').length;
        const before = maps();
        for (let i = 0; i < 50; i++) Index.create({ dim: 4 });
        for (let i = 0; i < 100 && maps() > before + 60; i++) {
            global.gc();
            await new Promise((resolve) => { setTimeout(resolve, 10); });
        }
        assert.ok(maps() < before + 100, `${before} mappings before, ${maps()} now`);
    });
}

if (process.argv[2] === '--write') write(process.argv[3]);
else tests();
