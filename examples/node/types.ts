// Compiled by the tests, never run: index.d.ts says what it should.
import { CreateOptions, Exactness, HnxError, Index, Result, cpuName, verify, version } from './index';

export async function life(options: CreateOptions): Promise<number> {
    const index: Index = Index.create({ ...options, metric: 'cosine', dim: 4, seed: 7n });
    await index.add(new Float32Array(8), [1, 2n], { threads: 1 });
    index.addSync(new Float32Array(4), new BigUint64Array([3n]));
    const result: Result = await index.query(new Float32Array(4), 2, { only: new Set([1n, 2n]) });
    const first: bigint = result.labels[0];
    index.querySync(new Float32Array(4), 2, { filter: (label: bigint) => label !== first });
    await index.saveCodes('file');
    const exactness: Exactness = index.stats().exactness;
    index.querySync(new Float32Array(4), 2, { exactness });
    const { index: salvaged, kept } = await Index.salvage('damaged', { dim: 4, metric: 'cosine' });
    salvaged.close();
    const { checked } = await verify('directory');
    // @ts-expect-error A function cannot be asked off the event loop.
    await index.query(new Float32Array(4), 2, { filter: () => true });
    // @ts-expect-error Doubles are not floats.
    index.addSync(new Float64Array(4), [1]);
    // @ts-expect-error There is no such metric.
    Index.create({ metric: 'l1', dim: 4 });
    // @ts-expect-error It is made by create() and load().
    new Index();
    const error = new HnxError('text');
    index.close();
    return kept + checked + error.status + result.distances[0] + version().length + cpuName().length;
}
