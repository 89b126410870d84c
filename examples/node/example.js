#!/usr/bin/env node
'use strict';
// The life of an index, in Node: npm install && node example.js [DATA-FOLDER]
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Index, HnxError, version, cpuName } = require('./index.js');

const data = process.argv[2] ?? path.join(__dirname, '..', 'data');

/** Rows of a .bvecs (width 1) or .ivecs (width 4) file: an int32 length, then that many values. */
function read(name, width) {
    const bytes = fs.readFileSync(path.join(data, name));
    const dim = bytes.readInt32LE(0);
    const rows = bytes.length / (4 + dim * width);
    const values = new Float32Array(rows * dim);
    for (let row = 0; row < rows; row++) {
        for (let i = 0; i < dim; i++) {
            const at = row * (4 + dim * width) + 4 + i * width;
            values[row * dim + i] = width === 1 ? bytes[at] : bytes.readInt32LE(at);
        }
    }
    return { values, rows, dim };
}

async function main() {
    const base = read('sift15k.bvecs', 1);
    const queries = read('sift15k-query.bvecs', 1);
    const truth = read('sift15k-groundtruth.ivecs', 4);
    console.log(`libhnx ${version()}, CPU level ${cpuName()}: ${base.rows} vectors of ${base.dim} floats`);
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hnx-node-'));
    try {
        // Init, and add a batch off the event loop. The capacity grows on demand.
        const directory = path.join(folder, 'index');
        let index = Index.create({ metric: 'l2', dim: base.dim, persistPath: directory });
        await index.add(base.values, BigUint64Array.from({ length: base.rows }, (_, row) => BigInt(row)));

        // Query.
        index.setEf(80);
        const found = await index.query(queries.values, 10);
        let hits = 0;
        found.labels.forEach((label, cell) => {
            const row = Math.floor(cell / 10) * truth.dim;
            hits += truth.values.subarray(row, row + 10).includes(Number(label)) ? 1 : 0;
        });
        console.log(`recall@10 ${(hits / found.labels.length).toFixed(4)}`);

        // Filters: by the labels that may be found, or by a function, which needs this thread.
        const some = queries.values.subarray(0, 20 * base.dim);
        const odd = Array.from({ length: base.rows / 2 }, (_, i) => 2 * i + 1);
        const listed = await index.query(some, 10, { only: odd });
        const asked = index.querySync(some, 10, { filter: (label) => label % 2n === 1n });
        console.log(`odd labels only, by list: ${listed.labels.slice(0, 3)}, by function: ${asked.labels.slice(0, 3)}`);

        // Delete.
        const gone = new Set(found.labels.filter((_, cell) => cell % 10 === 0));
        for (const label of gone) index.markDeleted(label);
        const left = await index.query(queries.values, 10);
        console.log(`deleted ${gone.size}, of them found: ${left.labels.filter((label) => gone.has(label)).length}`);

        // Persist what changed, close, reopen.
        const persisted = await index.persist();
        console.log(`persisted ${persisted.generation}: ${persisted.records} records, ${persisted.bytes} bytes`);
        index.close();
        index = await Index.load(directory, { metric: 'l2', dim: base.dim });
        index.setEf(80);
        const again = await index.query(queries.values, 10);
        console.log(`reopened, same answers: ${again.labels.join() === left.labels.join()}`);

        // An error.
        try {
            index.markDeleted(123456789);
        } catch (error) {
            if (!(error instanceof HnxError) || error.code !== 'HNX_ERR_NOT_FOUND') throw error;
            console.log(`caught: ${error.message}`);
        }
        index.close();
    } finally {
        fs.rmSync(folder, { recursive: true });
    }
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
