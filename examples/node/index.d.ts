/**
 * libhnx for Node: an HNSW vector index.
 *
 * Methods that return a promise work on a thread of libuv's pool and leave the event loop free; they copy what they are
 * given first. Others block. Any of them may run beside any other, and beside close().
 * A call that fails throws, or rejects with, an {@link HnxError}; arguments of a wrong type and options that do not exist
 * are a TypeError or RangeError.
 */

/** Labels: a BigUint64Array is used as it is; numbers must be safe integers. */
export type Labels = BigUint64Array | Iterable<bigint | number>;

export interface Options {
    /** Default 'l2'. */
    metric?: 'l2' | 'ip' | 'cosine';
    /** Floats per vector. */
    dim: number;
    /** Capacity; 0, the default: grow on demand. */
    maxElements?: number;
    /** With it replaceDeleted may be used. */
    allowReplaceDeleted?: boolean;
}

export interface CreateOptions extends Options {
    /** Links a record makes; default 16. */
    m?: number;
    /** Candidates an insertion looks at; default 200. */
    efConstruction?: number;
    /** Default 100. */
    seed?: number | bigint;
    /** Directory of persist(); without it the index lives in memory only. */
    persistPath?: string;
}

export interface LoadOptions extends Options {
    /** Map the file instead of reading it. */
    mmap?: boolean;
    readOnly?: boolean;
    check?: 'default' | 'fast' | 'deep';
}

export interface AddOptions {
    /** 0, the default: all cores; 1: rows in order. */
    threads?: number;
    replaceDeleted?: boolean;
    insertOnly?: boolean;
    updateOnly?: boolean;
    /** Codes find the candidates for links: faster, not hnswlib's graph to the link. */
    guided?: boolean;
}

export type Exactness = 'f32' | 'certified' | 'guided';

export interface QueryOptions {
    /** Size of the candidate list; 0, the default: the index's. */
    ef?: number;
    /** 0, the default: all cores. */
    threads?: number;
    /** How exact a query is; default 'default', see stats().exactness. */
    exactness?: 'default' | Exactness;
    /** The labels that may be found. */
    only?: Labels;
    /** The labels that may not be found. */
    except?: Labels;
}

export interface SyncQueryOptions extends QueryOptions {
    /** Whether a label may be found. Slower than a list. */
    filter?: (label: bigint) => boolean;
}

/** k cells for each query, nearest first; counts says how many are used, the others hold 2^64 - 1 and Infinity. */
export interface Result {
    k: number;
    labels: BigUint64Array;
    distances: Float32Array;
    counts: Uint32Array;
}

export interface Stats {
    metric: 'l2' | 'ip' | 'cosine';
    dim: number;
    count: number;
    deleted: number;
    capacity: number;
    m: number;
    efConstruction: number;
    ef: number;
    maxLevel: number;
    recordBytes: number;
    otherBytes: number;
    dirtyRecords: number;
    /** What 'default' stands for on this index. */
    exactness: Exactness;
    /** Memory of the codes; 0 while there are none. */
    codeBytes: number;
    /** Of the records and what stands beside them: vectors, links of all levels, labels with their map. */
    vectorBytes: number;
    linkBytes: number;
    labelBytes: number;
}

export interface SalvageOptions {
    /** Default 'l2'. */
    metric?: 'l2' | 'ip' | 'cosine';
    /** Floats per vector. */
    dim: number;
    /** 0, the default: found out. */
    m?: number;
    /** 0, the default: as the header states, or 200. */
    efConstruction?: number;
    /** 0, the default: all cores. */
    threads?: number;
    allowReplaceDeleted?: boolean;
    /** Keep also what looks like a record behind the number that the header states. */
    beyondCount?: boolean;
}

/** An index in memory, and what was kept and dropped: see hnx_salvage_info in hnx.h. */
export interface Salvaged {
    index: Index;
    damage: ('header' | 'records' | 'lengths' | 'lists')[];
    stated: number;
    records: number;
    kept: number;
    deleted: number;
    missing: number;
    unwritten: number;
    unreadable: number;
    notFinite: number;
    implausible: number;
    duplicates: number;
    lengthsLost: number;
    mismatched: number;
}

/** A call that failed. */
export class HnxError extends Error {
    /** Number of the status. */
    readonly status: number;
    /** Its name, such as 'HNX_ERR_NOT_FOUND'. */
    readonly code: string;
    /** The cause. */
    readonly text: string;
    /** Of add(): the status of each row, 0 for those that were added. */
    readonly rowStatus?: Int32Array;
}

export class Index {
    private constructor();
    /** Makes an empty index. */
    static create(options: CreateOptions): Index;
    /** Opens a file of hnswlib or Chroma, or a directory of Chroma, which persist() then writes to. */
    static load(path: string, options: LoadOptions): Promise<Index>;
    /** Builds an index from what can be read of a damaged directory or file. */
    static salvage(path: string, options: SalvageOptions): Promise<Salvaged>;
    /** Frees the index: now, or when the calls that run have ended. May be called again. */
    close(): void;
    /** Adds a vector for each label, or updates those whose label exists. A row that fails leaves the others to be added. */
    add(vectors: Float32Array, labels: Labels, options?: AddOptions): Promise<void>;
    /** As add(), on this thread, without copies; ends at the first row that fails. */
    addSync(vectors: Float32Array, labels: Labels, options?: AddOptions): void;
    markDeleted(label: bigint | number): void;
    unmarkDeleted(label: bigint | number): void;
    /** Sets the capacity. */
    resize(maxElements: number): void;
    /** Sets the size of the candidate list of queries that give none; 10 at first. */
    setEf(ef: number): void;
    /** Sets the exactness of queries that give none, and the codes that are kept: none for 'f32'. */
    setExactness(exactness: 'default' | Exactness): void;
    /** Finds the k nearest vectors of each query. Fewer is no error. */
    query(queries: Float32Array, k: number, options?: QueryOptions): Promise<Result>;
    /** As query(), on this thread, without copies, and with a function as filter. */
    querySync(queries: Float32Array, k: number, options?: SyncQueryOptions): Result;
    /** Reads vectors back. */
    get(labels: Labels): Float32Array;
    /** Lists labels in the order they were added; default 'live'. */
    labels(which?: 'live' | 'deleted' | 'all'): BigUint64Array;
    stats(): Stats;
    /** Floats per vector. */
    readonly dim: number;
    /** Records, deleted ones included. */
    readonly count: number;
    /** Writes what changed since the last call to the directory of the index. */
    persist(): Promise<{ generation: number; records: number; bytes: number }>;
    /** Writes the whole index; default 'hnswlib'. */
    save(path: string, format?: 'hnswlib' | 'chroma' | 'directory'): Promise<void>;
    /** Writes the codes beside the file or directory of this index, so that load() with mmap has them at once. */
    saveCodes(path: string): Promise<void>;
}

/**
 * Compares a directory with the checksums beside it: how many records it has, and how many of them were compared. Damage is
 * an HnxError, HNX_ERR_CORRUPT, whose text names file, byte and record.
 */
export function verify(path: string): Promise<{ records: number; checked: number }>;
/** Version of the loaded library. */
export function version(): string;
/** The instruction set it uses. */
export function cpuName(): string;
