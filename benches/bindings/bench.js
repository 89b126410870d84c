'use strict';
// See bench.c. A fourth argument "sync" has it block.
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { Index } = require(path.join(__dirname, '..', '..', 'examples', 'node', 'index.js'));

async function main([name, file, dim, sync]) {
    dim = Number(dim);
    const bytes = fs.readFileSync(file);
    const queries = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const index = await Index.load(name, { dim });
    const options = { ef: 80, threads: 1 };
    let sum = 0n;
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [what, times] = [line.split(' ')[0], Number(line.split(' ')[1])];
        const [wall, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
        for (let i = 0; i < times; i++) {
            const from = what === 'single' ? queries.subarray((i % 1000) * dim, (i % 1000 + 1) * dim) : queries;
            sum += (sync ? index.querySync(from, 10, options) : await index.query(from, 10, options)).labels[0];
        }
        const used = process.cpuUsage(cpu);
        console.log(`${(process.hrtime.bigint() - wall) / BigInt(times)} ${Math.round((used.user + used.system) * 1e3 / times)} ${sum}`);
    }
    index.close();
}

main(process.argv.slice(2));
