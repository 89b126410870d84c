'use strict';
// libhnx for Node: an HNSW vector index. The types and what they mean are in index.d.ts.
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const abi = require('./abi.js');

/** The library: the one HNX_LIB names, else the one built in this tree, else the system's. */
function load() {
    const built = path.join(__dirname, '..', '..', 'target', 'release', 'libhnx.so');
    const name = process.env.HNX_LIB || (fs.existsSync(built) ? built : 'libhnx.so.0.1');
    try {
        return abi.open(name);
    } catch (error) {
        throw new Error(`${name}: ${error.message}`, { cause: error });
    }
}

const lib = load();
if (!lib.hnx_version().startsWith('0.1.')) throw new Error(`libhnx is ${lib.hnx_version()}; this module needs 0.1`);

const METRICS = { l2: abi.HNX_METRIC_L2, ip: abi.HNX_METRIC_IP, cosine: abi.HNX_METRIC_COSINE };
const EXACTNESS = {
    default: abi.HNX_EXACTNESS_DEFAULT, f32: abi.HNX_EXACTNESS_F32, certified: abi.HNX_EXACTNESS_CERTIFIED, guided: abi.HNX_EXACTNESS_GUIDED,
};
const DAMAGE = {
    header: abi.HNX_DAMAGE_HEADER, records: abi.HNX_DAMAGE_RECORDS, lengths: abi.HNX_DAMAGE_LENGTHS, lists: abi.HNX_DAMAGE_LISTS,
};
const CHECKS = { default: abi.HNX_CHECK_DEFAULT, fast: abi.HNX_CHECK_FAST, deep: abi.HNX_CHECK_DEEP };
const FORMATS = { hnswlib: abi.HNX_FORMAT_HNSWLIB, chroma: abi.HNX_FORMAT_CHROMA, directory: abi.HNX_FORMAT_CHROMA_DIRECTORY };
const WHICH = { live: abi.HNX_LABELS_LIVE, deleted: abi.HNX_LABELS_DELETED, all: abi.HNX_LABELS_ALL };
const U64 = 2n ** 64n;

/** A call that failed: `status` by its number, `code` by its name, such as 'HNX_ERR_NOT_FOUND', `text` the cause. */
class HnxError extends Error {
    constructor(status, text, rowStatus) {
        super(`${lib.hnx_status_name(status)}: ${text}`);
        this.name = 'HnxError';
        this.text = text;
        if (rowStatus) this.rowStatus = rowStatus;
        this.status = status;
        this.code = lib.hnx_status_name(status);
    }
}

/** The last failure of this thread. */
function lastError(status) {
    const text = Buffer.alloc(1024);
    const length = Math.min(lib.hnx_last_error(text, text.length), text.length - 1);
    return new HnxError(status, text.toString('utf8', 0, length));
}

function check(status) {
    if (status !== abi.HNX_OK) throw lastError(status);
}

/** Runs a function on a thread of libuv's pool. */
function onThread(name, ...parameters) {
    return promisify(lib[name].async)(...parameters);
}

/**
 * Runs a call that may be repeated on a thread of libuv's pool. The text of a failure stays on that thread, so a call
 * that failed is made once more here: it fails again and says why, or succeeds.
 */
async function off(name, ...parameters) {
    if (await onThread(name, ...parameters) !== abi.HNX_OK) check(lib[name](...parameters));
}

// ---------------------------------------------------------------------------------------------- what callers give

function integer(value, name, most = Number.MAX_SAFE_INTEGER) {
    if (!Number.isSafeInteger(value) || value < 0 || value > most) throw new TypeError(`${name} is ${value}: not an integer from 0 to ${most}`);
    return value;
}

function oneOf(table, key, name) {
    if (!Object.hasOwn(table, key)) throw new TypeError(`${name} is ${key}: not one of ${Object.keys(table).join(', ')}`);
    return table[key];
}

/** Options, none of which is misspelt. */
function known(options, ...keys) {
    if (options === null || typeof options !== 'object') throw new TypeError(`options are ${options === null ? 'null' : typeof options}, not an object`);
    for (const key in options) if (!keys.includes(key)) throw new TypeError(`unknown option ${key}: not one of ${keys.join(', ')}`);
    return options;
}

function label(value) {
    if (typeof value === 'number') return BigInt(integer(value, 'a label'));
    if (typeof value !== 'bigint' || value < 0n || value >= U64) throw new TypeError(`a label is ${String(value)}: not an integer below 2^64`);
    return value;
}

/** Labels as 64-bit numbers; a BigUint64Array is not copied. */
function labelArray(labels, name) {
    if (labels instanceof BigUint64Array) return labels;
    if (labels == null || typeof labels === 'string' || typeof labels[Symbol.iterator] !== 'function') throw new TypeError(`${name} is neither a BigUint64Array nor a list of labels`);
    return BigUint64Array.from(Array.from(labels, label));
}

function file(name) {
    if (typeof name !== 'string' || name.includes('\0')) throw new TypeError(`the path is ${typeof name === 'string' ? 'one with a zero byte' : typeof name}`);
    return name;
}

/** Numbers of 64 bits as they are counted here. */
function counts(info, ...names) {
    return names.map((name) => Number(info[name]));
}

function flags(...pairs) {
    return pairs.reduce((sum, [on, bit]) => sum | (on ? bit : 0), 0);
}

// ---------------------------------------------------------------------------------------------- handles

/** A handle and the calls that use it. It must not refer to its Index, whose end it is there for. */
class Handle {
    constructor(pointer) {
        this.pointer = pointer;
        this.users = 0;
        this.closed = false;
    }

    free() {
        if (this.closed && this.users === 0 && this.pointer) {
            lib.hnx_free(this.pointer);
            this.pointer = null;
        }
    }

    close() {
        this.closed = true;
        this.free();
    }
}

const forgotten = new FinalizationRegistry((handle) => handle.close());
const INSIDE = Symbol('made by Index.create() or Index.load()');

class Index {
    #handle;
    #dim;

    constructor(inside, pointer) {
        if (inside !== INSIDE) throw new TypeError('use Index.create() or Index.load()');
        this.#handle = new Handle(pointer);
        this.#dim = lib.hnx_dim(pointer);
        forgotten.register(this, this.#handle, this.#handle);
    }

    static create(options) {
        known(options, 'metric', 'dim', 'maxElements', 'm', 'efConstruction', 'seed', 'persistPath', 'allowReplaceDeleted');
        const out = [null];
        check(lib.hnx_init(abi.struct('hnx_options', {
            metric: oneOf(METRICS, options.metric ?? 'l2', 'metric'),
            flags: flags([options.allowReplaceDeleted, abi.HNX_ALLOW_REPLACE_DELETED]),
            dim: integer(options.dim, 'dim'),
            max_elements: integer(options.maxElements ?? 0, 'maxElements'),
            m: integer(options.m ?? 0, 'm'),
            ef_construction: integer(options.efConstruction ?? 0, 'efConstruction'),
            random_seed: label(options.seed ?? 0),
            persist_path: options.persistPath === undefined ? null : file(options.persistPath),
        }), out));
        return new Index(INSIDE, out[0]);
    }

    static async load(name, options) {
        known(options, 'metric', 'dim', 'maxElements', 'allowReplaceDeleted', 'mmap', 'readOnly', 'check');
        const out = [null];
        await off('hnx_load', file(name), abi.struct('hnx_load_options', {
            metric: oneOf(METRICS, options.metric ?? 'l2', 'metric'),
            flags: flags([options.allowReplaceDeleted, abi.HNX_ALLOW_REPLACE_DELETED], [options.mmap, abi.HNX_LOAD_MMAP],
                [options.readOnly, abi.HNX_LOAD_READ_ONLY]),
            dim: integer(options.dim, 'dim'),
            max_elements: integer(options.maxElements ?? 0, 'maxElements'),
            check: oneOf(CHECKS, options.check ?? 'default', 'check'),
        }), out);
        return new Index(INSIDE, out[0]);
    }

    static async salvage(name, options) {
        known(options, 'metric', 'dim', 'm', 'efConstruction', 'threads', 'allowReplaceDeleted', 'beyondCount');
        const [out, info] = [[null], abi.struct('hnx_salvage_info')];
        await off('hnx_salvage', file(name), abi.struct('hnx_salvage_options', {
            metric: oneOf(METRICS, options.metric ?? 'l2', 'metric'),
            flags: flags([options.allowReplaceDeleted, abi.HNX_ALLOW_REPLACE_DELETED], [options.beyondCount, abi.HNX_SALVAGE_BEYOND_COUNT]),
            dim: integer(options.dim, 'dim'),
            m: integer(options.m ?? 0, 'm'),
            ef_construction: integer(options.efConstruction ?? 0, 'efConstruction'),
            threads: integer(options.threads ?? 0, 'threads', 2 ** 31),
        }), out, info);
        const [stated, records, kept, deleted, missing, unwritten, unreadable, notFinite, implausible, duplicates, lengthsLost,
            mismatched] = counts(info, 'stated', 'records', 'kept', 'deleted', 'missing', 'unwritten', 'unreadable', 'not_finite',
            'implausible', 'duplicates', 'lengths_lost', 'mismatched');
        return {
            index: new Index(INSIDE, out[0]), damage: Object.keys(DAMAGE).filter((part) => info.damage & DAMAGE[part]), stated, records,
            kept, deleted, missing, unwritten, unreadable, notFinite, implausible, duplicates, lengthsLost, mismatched,
        };
    }

    close() {
        forgotten.unregister(this.#handle);
        this.#handle.close();
    }

    [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
        this.close();
    }

    #use() {
        if (this.#handle.closed) throw new Error('the index is closed');
        return this.#handle.pointer;
    }

    /** Runs `call` with the handle, which is not freed before its promise settles. */
    async #meanwhile(call) {
        const pointer = this.#use();
        const handle = this.#handle;
        handle.users++;
        try {
            return await call(pointer);
        } finally {
            handle.users--;
            handle.free();
        }
    }

    #now(call) {
        const pointer = this.#use();
        const handle = this.#handle;
        handle.users++; // a filter may close the index
        try {
            return call(pointer);
        } finally {
            handle.users--;
            handle.free();
        }
    }

    #rows(vectors, name) {
        if (!(vectors instanceof Float32Array)) throw new TypeError(`${name} is not a Float32Array`);
        if (vectors.length % this.#dim !== 0) throw new RangeError(`${vectors.length} floats in ${name} are no vectors of ${this.#dim}`);
        return vectors.length / this.#dim;
    }

    // ------------------------------------------------------------------------------------------ adding, deleting

    #adding(vectors, labels, options) {
        known(options, 'threads', 'replaceDeleted', 'insertOnly', 'updateOnly', 'guided');
        const rows = this.#rows(vectors, 'vectors');
        labels = labelArray(labels, 'labels');
        if (labels.length !== rows) throw new RangeError(`${rows} vectors for ${labels.length} labels`);
        const how = abi.struct('hnx_add_options', {
            threads: integer(options.threads ?? 0, 'threads', 2 ** 31),
            flags: flags([options.replaceDeleted, abi.HNX_ADD_REPLACE_DELETED], [options.insertOnly, abi.HNX_ADD_INSERT_ONLY],
                [options.updateOnly, abi.HNX_ADD_UPDATE_ONLY], [options.guided, abi.HNX_ADD_GUIDED]),
        });
        return { rows, labels, how };
    }

    async add(vectors, labels, options = {}) {
        const { rows, labels: given, how } = this.#adding(vectors, labels, options);
        // Copies: the caller may change, transfer or shrink his arrays while a thread reads them.
        const [floats, numbers, statuses] = [vectors.slice(), given.slice(), new Int32Array(rows)];
        await this.#meanwhile(async (pointer) => {
            const status = await onThread('hnx_add', pointer, floats, numbers, rows, how, statuses);
            if (status === abi.HNX_OK) return;
            check(lib.hnx_add(pointer, null, null, 0, how, null)); // what has nothing to do with rows, with its text
            if (statuses.every((s) => s === abi.HNX_OK)) throw new HnxError(status, 'nothing was added');
            // The first row that failed is added once more here: it fails again and says why, or succeeds.
            const one = (row) => lib.hnx_add(pointer, floats.subarray(row * this.#dim, (row + 1) * this.#dim), numbers.subarray(row, row + 1), 1, how, null);
            for (let row; (row = statuses.findIndex((s) => s !== abi.HNX_OK)) >= 0;) {
                statuses[row] = one(row);
                if (statuses[row] === abi.HNX_OK) continue;
                const why = lastError(statuses[row]).text.replace(/^row 0: /, '');
                throw new HnxError(statuses[row], `row ${row}, label ${numbers[row]}: ${why}; ${statuses.filter((s) => s !== abi.HNX_OK).length} of ${rows} rows were not added`, statuses);
            }
        });
    }

    addSync(vectors, labels, options = {}) {
        const { rows, labels: numbers, how } = this.#adding(vectors, labels, options);
        this.#now((pointer) => check(lib.hnx_add(pointer, vectors, numbers, rows, how, null)));
    }

    markDeleted(which) {
        const number = label(which);
        this.#now((pointer) => check(lib.hnx_mark_deleted(pointer, number)));
    }

    unmarkDeleted(which) {
        const number = label(which);
        this.#now((pointer) => check(lib.hnx_unmark_deleted(pointer, number)));
    }

    resize(maxElements) {
        integer(maxElements, 'maxElements');
        this.#now((pointer) => check(lib.hnx_resize(pointer, maxElements)));
    }

    setEf(ef) {
        integer(ef, 'ef');
        this.#now((pointer) => check(lib.hnx_set_ef(pointer, ef)));
    }

    setExactness(exactness) {
        const number = oneOf(EXACTNESS, exactness, 'exactness');
        this.#now((pointer) => check(lib.hnx_set_exactness(pointer, number)));
    }

    // ------------------------------------------------------------------------------------------ asking

    #asking(queries, k, options) {
        known(options, 'ef', 'threads', 'exactness', 'only', 'except', 'filter');
        const rows = this.#rows(queries, 'queries');
        integer(k, 'k', 2 ** 31);
        if (options.only !== undefined && options.except !== undefined) throw new TypeError('only and except exclude each other');
        const listed = options.only ?? options.except;
        const how = abi.struct('hnx_query_options', {
            ef: integer(options.ef ?? 0, 'ef'),
            threads: integer(options.threads ?? 0, 'threads', 2 ** 31),
            exactness: oneOf(EXACTNESS, options.exactness ?? 'default', 'exactness'),
        });
        if (listed !== undefined) {
            const labels = labelArray(listed, 'the list of a filter').slice();
            how.filter = abi.struct('hnx_filter', {
                labels, label_count: labels.length, flags: options.only ? abi.HNX_FILTER_ONLY : abi.HNX_FILTER_EXCEPT,
            });
        }
        const cells = rows * k;
        const result = { k, labels: new BigUint64Array(cells), distances: new Float32Array(cells), counts: new Uint32Array(rows) };
        return { rows, how, result, counts: new BigUint64Array(rows) };
    }

    async query(queries, k, options = {}) {
        if (options?.filter !== undefined) throw new TypeError('a function cannot be asked off the event loop: list the labels, or querySync()');
        const { rows, how, result, counts } = this.#asking(queries, k, options);
        const floats = queries.slice(); // see add()
        await this.#meanwhile((pointer) => off('hnx_query', pointer, floats, rows, k, how, result.labels, result.distances, counts));
        counts.forEach((count, at) => { result.counts[at] = Number(count); });
        return result;
    }

    querySync(queries, k, options = {}) {
        const { rows, how, result, counts } = this.#asking(queries, k, options);
        let thrown = null;
        if (options.filter !== undefined) {
            if (typeof options.filter !== 'function') throw new TypeError('filter is not a function');
            how.filter ??= abi.struct('hnx_filter');
            how.filter.accept = (_, asked) => {
                try {
                    return options.filter(BigInt(asked)) ? 1 : 0;
                } catch (error) {
                    thrown = [error];
                    return -1;
                }
            };
        }
        this.#now((pointer) => {
            const status = lib.hnx_query(pointer, queries, rows, k, how, result.labels, result.distances, counts);
            if (thrown) throw thrown[0];
            check(status);
        });
        counts.forEach((count, at) => { result.counts[at] = Number(count); });
        return result;
    }

    get(labels) {
        const numbers = labelArray(labels, 'labels');
        const vectors = new Float32Array(numbers.length * this.#dim);
        this.#now((pointer) => check(lib.hnx_get(pointer, numbers, numbers.length, vectors)));
        return vectors;
    }

    labels(which = 'live') {
        const list = oneOf(WHICH, which, 'which');
        return this.#now((pointer) => {
            let labels = new BigUint64Array(lib.hnx_count(pointer) + 16);
            for (const count = [0]; ; labels = new BigUint64Array(count[0] + 16)) { // other threads may add meanwhile
                check(lib.hnx_labels(pointer, list, labels, labels.length, count));
                if (count[0] <= labels.length) return labels.slice(0, count[0]);
            }
        });
    }

    stats() {
        const info = abi.struct('hnx_stats_info');
        this.#now((pointer) => check(lib.hnx_stats(pointer, info)));
        return {
            metric: Object.keys(METRICS).find((name) => METRICS[name] === info.metric),
            dim: info.dim, count: info.count, deleted: info.deleted, capacity: info.capacity, m: info.m,
            efConstruction: info.ef_construction, ef: info.ef, maxLevel: info.max_level,
            recordBytes: Number(info.record_bytes), otherBytes: Number(info.other_bytes),
            dirtyRecords: Number(info.dirty_records), codeBytes: Number(info.code_bytes),
            vectorBytes: Number(info.vector_bytes), linkBytes: Number(info.link_bytes),
            labelBytes: Number(info.label_bytes),
            exactness: Object.keys(EXACTNESS).find((name) => EXACTNESS[name] === info.exactness),
        };
    }

    get dim() {
        return this.#dim;
    }

    get count() {
        return this.#now((pointer) => lib.hnx_count(pointer));
    }

    // ------------------------------------------------------------------------------------------ files

    async persist() {
        const info = abi.struct('hnx_persist_info');
        await this.#meanwhile((pointer) => off('hnx_persist_dirty', pointer, null, info));
        return { generation: Number(info.generation), records: Number(info.records_written), bytes: Number(info.bytes_written) };
    }

    async save(name, format = 'hnswlib') {
        const [where, number] = [file(name), oneOf(FORMATS, format, 'format')];
        await this.#meanwhile((pointer) => off('hnx_save', pointer, where, number));
    }

    async saveCodes(name) {
        const where = file(name);
        await this.#meanwhile((pointer) => off('hnx_save_codes', pointer, where));
    }
}

async function verify(name) {
    const info = abi.struct('hnx_verify_info');
    await off('hnx_verify', file(name), info);
    const [records, checked] = counts(info, 'records', 'checked');
    return { records, checked };
}

module.exports = { Index, HnxError, verify, version: () => lib.hnx_version(), cpuName: () => lib.hnx_cpu_name() };
