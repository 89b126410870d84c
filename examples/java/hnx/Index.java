package hnx;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.Buffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.LongPredicate;
import java.util.function.ToIntFunction;

/**
 * libhnx for Java: an HNSW vector index.
 *
 * <p>Any method may be called from any thread at any time, {@link #close} too. Labels are 64 bits without a sign.
 * A call that fails throws {@link HnxException}; arguments whose sizes contradict each other, IllegalArgumentException; a
 * closed index, IllegalStateException. Arrays are copied to the library and back; direct buffers are not.
 */
public final class Index implements AutoCloseable {
    /** What {@link #save} writes. */
    public enum Format {
        /** hnswlib's file. */
        HNSWLIB(Abi.HNX_FORMAT_HNSWLIB),
        /** Chroma's file. */
        CHROMA(Abi.HNX_FORMAT_CHROMA),
        /** Chroma's directory. */
        CHROMA_DIRECTORY(Abi.HNX_FORMAT_CHROMA_DIRECTORY);

        private final int number;

        Format(int number) {
            this.number = number;
        }
    }

    /** Which labels {@link #labels} lists. */
    public enum Which {
        /** Those that are not deleted. */
        LIVE(Abi.HNX_LABELS_LIVE),
        /** The deleted ones. */
        DELETED(Abi.HNX_LABELS_DELETED),
        /** Both. */
        ALL(Abi.HNX_LABELS_ALL);

        private final int number;

        Which(int number) {
            this.number = number;
        }
    }

    private static final Cleaner CLEANER = Cleaner.create();

    private final Handle handle;
    private final Cleaner.Cleanable cleanable;
    private final int dim;

    private Index(Pointer pointer) {
        handle = new Handle(pointer);
        cleanable = CLEANER.register(this, handle);
        dim = (int) Abi.hnx_dim(pointer);
    }

    /** Version of the loaded library. */
    public static String version() {
        return Abi.hnx_version().getString(0);
    }

    /** The instruction set it uses. */
    public static String cpuName() {
        return Abi.hnx_cpu_name().getString(0);
    }

    // ------------------------------------------------------------------------------------------ making, closing

    /** Makes an empty index. */
    public static Index create(Options.Create options) {
        Abi.hnx_options c = new Abi.hnx_options();
        c.metric = options.metric.number;
        c.flags = options.allowReplaceDeleted ? Abi.HNX_ALLOW_REPLACE_DELETED : 0;
        c.dim = natural(options.dim, "dim");
        c.max_elements = natural(options.maxElements, "maxElements");
        c.m = natural(options.m, "m");
        c.ef_construction = natural(options.efConstruction, "efConstruction");
        c.random_seed = options.seed;
        if (options.persistPath != null) {
            byte[] path = bytes(options.persistPath);
            Memory memory = new Memory(path.length);
            memory.write(0, path, 0, path.length);
            c.persist_path = memory;
        }
        PointerByReference out = new PointerByReference();
        HnxException.check(Abi.hnx_init(c, out));
        return new Index(out.getValue());
    }

    /** Opens a file of hnswlib or Chroma, or a directory of Chroma, which {@link #persist} then writes to. */
    public static Index load(Path path, Options.Load options) {
        Abi.hnx_load_options c = new Abi.hnx_load_options();
        c.metric = options.metric.number;
        c.flags = options.flags;
        c.dim = natural(options.dim, "dim");
        c.max_elements = natural(options.maxElements, "maxElements");
        c.check = options.check;
        PointerByReference out = new PointerByReference();
        HnxException.check(Abi.hnx_load(bytes(path), c, out));
        return new Index(out.getValue());
    }

    /**
     * Compares a directory with the checksums beside it. Damage is an HnxException, HNX_ERR_CORRUPT, whose text names file,
     * byte and record.
     */
    public static Verified verify(Path path) {
        Abi.hnx_verify_info c = new Abi.hnx_verify_info();
        HnxException.check(Abi.hnx_verify(bytes(path), c));
        return new Verified(c.records, c.checked);
    }

    /** Builds an index, in memory, from what can be read of a damaged directory or file. */
    public static Salvaged salvage(Path path, Options.Salvage options) {
        Abi.hnx_salvage_options c = new Abi.hnx_salvage_options();
        c.metric = options.metric.number;
        c.flags = options.flags;
        c.dim = natural(options.dim, "dim");
        c.m = natural(options.m, "m");
        c.ef_construction = natural(options.efConstruction, "efConstruction");
        c.threads = (int) natural(options.threads, "threads");
        PointerByReference out = new PointerByReference();
        Abi.hnx_salvage_info info = new Abi.hnx_salvage_info();
        HnxException.check(Abi.hnx_salvage(bytes(path), c, out, info));
        return new Salvaged(new Index(out.getValue()), info.damage, info.stated, info.records, info.kept, info.deleted,
            info.missing, info.unwritten, info.unreadable, info.not_finite, info.implausible, info.duplicates,
            info.lengths_lost, info.mismatched);
    }

    /** Frees the index: now, or when the calls that run have ended. May be called again. */
    @Override
    public void close() {
        cleanable.clean();
    }

    private int use(ToIntFunction<Pointer> call) {
        Pointer pointer = handle.enter();
        try {
            return call.applyAsInt(pointer);
        } finally {
            handle.leave();
            Reference.reachabilityFence(this);
        }
    }

    /** The error's text belongs to the thread, so it can be read after the handle was left. */
    private void checked(ToIntFunction<Pointer> call) {
        HnxException.check(use(call));
    }

    private static long natural(long n, String name) {
        if (n < 0) {
            throw new IllegalArgumentException(name + " is " + n);
        }
        return n;
    }

    private static byte[] bytes(Path path) {
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        return Arrays.copyOf(name, name.length + 1);
    }

    private int rows(int floats, String name) {
        if (floats % dim != 0) {
            throw new IllegalArgumentException(floats + " floats in " + name + " are no vectors of " + dim);
        }
        return floats / dim;
    }

    private static void same(long expected, long got, String what) {
        if (expected != got) {
            throw new IllegalArgumentException(what + ": " + got + " instead of " + expected);
        }
    }

    /** The part of a buffer from position to limit, as C sees it. */
    private static <B extends Buffer> B direct(B buffer, ByteOrder order, String name) {
        if (!buffer.isDirect() || order != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException(name + " is not a direct buffer in native byte order");
        }
        @SuppressWarnings("unchecked") // a slice is of the same type
        B slice = (B) buffer.slice();
        return slice;
    }

    // ------------------------------------------------------------------------------------------ adding, deleting

    private static Abi.hnx_add_options adding(Options.Add options) {
        Abi.hnx_add_options c = new Abi.hnx_add_options();
        c.threads = (int) natural(options.threads, "threads");
        c.flags = options.flags;
        return c;
    }

    /** Adds a vector for each label, or updates those whose label exists; on all cores. */
    public void add(float[] vectors, long[] labels) {
        add(vectors, labels, new Options.Add());
    }

    /** Adds a vector for each label, or updates those whose label exists. It ends at the first row that fails. */
    public void add(float[] vectors, long[] labels, Options.Add options) {
        int rows = rows(vectors.length, "vectors");
        same(rows, labels.length, "labels");
        Abi.hnx_add_options c = adding(options);
        checked(pointer -> Abi.hnx_add(pointer, vectors, labels, rows, c, null));
    }

    /** As above, from direct buffers in native byte order, between position and limit. */
    public void add(FloatBuffer vectors, LongBuffer labels, Options.Add options) {
        FloatBuffer v = direct(vectors, vectors.order(), "vectors");
        LongBuffer l = direct(labels, labels.order(), "labels");
        int rows = rows(v.remaining(), "vectors");
        same(rows, l.remaining(), "labels");
        Abi.hnx_add_options c = adding(options);
        checked(pointer -> Abi.hnx_add(pointer, (Buffer) v, l, rows, c, null));
    }

    /** Deletes a label. */
    public void markDeleted(long label) {
        checked(pointer -> Abi.hnx_mark_deleted(pointer, label));
    }

    /** Takes a deletion back. */
    public void unmarkDeleted(long label) {
        checked(pointer -> Abi.hnx_unmark_deleted(pointer, label));
    }

    /** Sets the capacity. */
    public void resize(long maxElements) {
        natural(maxElements, "maxElements");
        checked(pointer -> Abi.hnx_resize(pointer, maxElements));
    }

    /** Sets the size of the candidate list of queries that give none; 10 at first. */
    public void setEf(long ef) {
        natural(ef, "ef");
        checked(pointer -> Abi.hnx_set_ef(pointer, ef));
    }

    /** Sets what {@link Exactness#DEFAULT} stands for on this index, and the codes that it keeps: none for F32. */
    public void setExactness(Exactness exactness) {
        checked(pointer -> Abi.hnx_set_exactness(pointer, exactness.number));
    }

    // ------------------------------------------------------------------------------------------ asking

    /** A filter in C's memory while a query runs, and what its function threw. */
    private static final class Filter implements Abi.hnx_accept_fn {
        private final Abi.hnx_filter struct = new Abi.hnx_filter();
        private final LongPredicate accept;
        private Throwable thrown;

        Filter(Options.Query options) {
            accept = options.filter;
            struct.accept = accept == null ? null : this;
            struct.flags = options.listed;
            if (options.labels != null) {
                Memory memory = new Memory(8L * Math.max(1, options.labels.length));
                memory.write(0, options.labels, 0, options.labels.length);
                struct.labels = memory;
                struct.label_count = options.labels.length;
            }
            struct.write();
        }

        @Override
        public int invoke(Pointer context, long label) {
            try {
                return accept.test(label) ? 1 : 0;
            } catch (Throwable error) { // must not pass through C: thrown again by query()
                thrown = error;
                return -1;
            }
        }
    }

    private interface Asking {
        int ask(Pointer pointer, Abi.hnx_query_options options);
    }

    private void query(Options.Query options, Asking asking) {
        Abi.hnx_query_options c = new Abi.hnx_query_options();
        c.ef = natural(options.ef, "ef");
        c.threads = (int) natural(options.threads, "threads");
        c.exactness = options.exactness.number;
        Filter filter = options.filter == null && options.labels == null ? null : new Filter(options);
        c.filter = filter == null ? null : filter.struct.getPointer();
        int status = use(pointer -> asking.ask(pointer, c));
        Reference.reachabilityFence(filter);
        if (filter != null && filter.thrown instanceof RuntimeException exception) {
            throw exception;
        }
        if (filter != null && filter.thrown instanceof Error error) {
            throw error;
        }
        HnxException.check(status);
    }

    /** Finds the k nearest vectors of each query, with the index's ef. */
    public Result query(float[] queries, int k) {
        return query(queries, k, new Options.Query());
    }

    /** Finds the k nearest vectors of each query. Fewer is no error. */
    public Result query(float[] queries, int k, Options.Query options) {
        int rows = rows(queries.length, "queries");
        int cells = cells(rows, k);
        Result result = new Result(k, new long[cells], new float[cells], new long[rows]);
        query(options, (pointer, c) ->
            Abi.hnx_query(pointer, queries, rows, k, c, result.labels(), result.distances(), result.counts()));
        return result;
    }

    /** As above, from and to direct buffers in native byte order, between position and limit; distances may be null. */
    public void query(FloatBuffer queries, int k, Options.Query options, LongBuffer labels, FloatBuffer distances) {
        FloatBuffer q = direct(queries, queries.order(), "queries");
        LongBuffer l = direct(labels, labels.order(), "labels");
        FloatBuffer d = distances == null ? null : direct(distances, distances.order(), "distances");
        int rows = rows(q.remaining(), "queries");
        int cells = cells(rows, k);
        same(cells, l.remaining(), "labels");
        same(cells, d == null ? cells : d.remaining(), "distances");
        if (l.isReadOnly() || d != null && d.isReadOnly()) {
            throw new IllegalArgumentException("a result is a read-only buffer");
        }
        query(options, (pointer, c) -> Abi.hnx_query(pointer, (Buffer) q, rows, k, c, l, d, null));
    }

    private static int cells(int rows, int k) {
        long cells = (long) rows * natural(k, "k");
        if (cells > Integer.MAX_VALUE - 16) {
            throw new IllegalArgumentException(rows + " queries with k " + k + " do not fit into an array");
        }
        return (int) cells;
    }

    /** Reads vectors back. */
    public float[] get(long[] labels) {
        long floats = (long) labels.length * dim;
        if (floats > Integer.MAX_VALUE - 16) {
            throw new IllegalArgumentException(labels.length + " vectors do not fit into an array");
        }
        float[] vectors = new float[(int) floats];
        checked(pointer -> Abi.hnx_get(pointer, labels, labels.length, vectors));
        return vectors;
    }

    /** Lists labels, in the order they were added. */
    public long[] labels(Which which) {
        LongByReference count = new LongByReference(count());
        while (true) { // others may add meanwhile
            long[] labels = new long[Math.toIntExact(count.getValue() + 16)];
            checked(pointer -> Abi.hnx_labels(pointer, which.number, labels, labels.length, count));
            if (count.getValue() <= labels.length) {
                return Arrays.copyOf(labels, (int) count.getValue());
            }
        }
    }

    /** The state of the index. */
    public Stats stats() {
        Abi.hnx_stats_info c = new Abi.hnx_stats_info();
        checked(pointer -> Abi.hnx_stats(pointer, c));
        return new Stats(Metric.values()[c.metric], dim, c.count, c.deleted, c.capacity, c.m, c.ef_construction, c.ef,
            c.max_level, Exactness.values()[c.exactness], c.record_bytes, c.other_bytes, c.dirty_records, c.code_bytes,
            c.vector_bytes, c.link_bytes, c.label_bytes);
    }

    /** Floats per vector. */
    public int dim() {
        return dim;
    }

    /** Records, deleted ones included. */
    public long count() {
        long[] count = new long[1];
        use(pointer -> {
            count[0] = Abi.hnx_count(pointer);
            return 0;
        });
        return count[0];
    }

    boolean isFreed() {
        return handle.isFreed();
    }

    // ------------------------------------------------------------------------------------------ files

    /** Writes what changed since the last call to the directory of the index. */
    public Persisted persist() {
        Abi.hnx_persist_info c = new Abi.hnx_persist_info();
        checked(pointer -> Abi.hnx_persist_dirty(pointer, null, c));
        return new Persisted(c.generation, c.records_written, c.bytes_written);
    }

    /** Writes the whole index. */
    public void save(Path path, Format format) {
        byte[] name = bytes(path);
        checked(pointer -> Abi.hnx_save(pointer, name, format.number));
    }

    /** Writes the codes beside the file or directory of this index, so that {@link Options.Load#mmap} has them at once. */
    public void saveCodes(Path path) {
        byte[] name = bytes(path);
        checked(pointer -> Abi.hnx_save_codes(pointer, name));
    }
}
