package hnx;

import java.nio.file.Path;

/** How an index is made and opened, how rows are added, how queries search. What is not set has its default. */
public final class Options {
    private Options() {}

    /** What {@link Index#create} builds. */
    public static final class Create {
        final Metric metric;
        final int dim;
        long maxElements;
        long m;
        long efConstruction;
        long seed;
        Path persistPath;
        boolean allowReplaceDeleted;

        /** @param dim floats per vector */
        public Create(Metric metric, int dim) {
            this.metric = metric;
            this.dim = dim;
        }

        /** Capacity; 0, the default: grow on demand. */
        public Create maxElements(long n) { maxElements = n; return this; }
        /** Links a record makes; default 16. */
        public Create m(long n) { m = n; return this; }
        /** Candidates an insertion looks at; default 200. */
        public Create efConstruction(long n) { efConstruction = n; return this; }
        /** Seed of the level generator; default 100. */
        public Create seed(long n) { seed = n; return this; }
        /** Directory of {@link Index#persist}; without it the index lives in memory only. */
        public Create persistPath(Path path) { persistPath = path; return this; }
        /** Allows {@link Add#replaceDeleted}. */
        public Create allowReplaceDeleted() { allowReplaceDeleted = true; return this; }
    }

    /** How {@link Index#load} opens. Metric and dim are not in the files. */
    public static final class Load {
        final Metric metric;
        final int dim;
        long maxElements;
        int flags;
        int check;

        /** @param dim floats per vector */
        public Load(Metric metric, int dim) {
            this.metric = metric;
            this.dim = dim;
        }

        /** Capacity; 0, the default: grow on demand. */
        public Load maxElements(long n) { maxElements = n; return this; }
        /** Maps the file instead of reading it. */
        public Load mmap() { flags |= Abi.HNX_LOAD_MMAP; return this; }
        /** Refuses every change. */
        public Load readOnly() { flags |= Abi.HNX_LOAD_READ_ONLY; return this; }
        /** Allows {@link Add#replaceDeleted}. */
        public Load allowReplaceDeleted() { flags |= Abi.HNX_ALLOW_REPLACE_DELETED; return this; }
        /** Checks header, sizes, levels and entry point only. */
        public Load checkFast() { check = Abi.HNX_CHECK_FAST; return this; }
        /** Checks everything, vectors included. */
        public Load checkDeep() { check = Abi.HNX_CHECK_DEEP; return this; }
    }

    /** How {@link Index#salvage} builds. Metric and dim are not in the files. */
    public static final class Salvage {
        final Metric metric;
        final int dim;
        long m;
        long efConstruction;
        int threads;
        int flags;

        /** @param dim floats per vector */
        public Salvage(Metric metric, int dim) {
            this.metric = metric;
            this.dim = dim;
        }

        /** Links a record makes; 0, the default: found out. */
        public Salvage m(long n) { m = n; return this; }
        /** 0, the default: as the header states, or 200. */
        public Salvage efConstruction(long n) { efConstruction = n; return this; }
        /** 0, the default: all cores. */
        public Salvage threads(int n) { threads = n; return this; }
        /** Allows {@link Add#replaceDeleted} on the new index. */
        public Salvage allowReplaceDeleted() { flags |= Abi.HNX_ALLOW_REPLACE_DELETED; return this; }
        /** Keeps also what looks like a record behind the number that the header states. */
        public Salvage beyondCount() { flags |= Abi.HNX_SALVAGE_BEYOND_COUNT; return this; }
    }

    /** How {@link Index#add} adds. */
    public static final class Add {
        int threads;
        int flags;

        /** 0, the default: all cores; 1: rows in order. */
        public Add threads(int n) { threads = n; return this; }
        /** A new label takes the place of a deleted one. */
        public Add replaceDeleted() { flags |= Abi.HNX_ADD_REPLACE_DELETED; return this; }
        /** A label that exists is an error. */
        public Add insertOnly() { flags |= Abi.HNX_ADD_INSERT_ONLY; return this; }
        /** A label that does not exist is an error. */
        public Add updateOnly() { flags |= Abi.HNX_ADD_UPDATE_ONLY; return this; }
        /** Codes find the candidates for links: faster, not hnswlib's graph to the link. */
        public Add guided() { flags |= Abi.HNX_ADD_GUIDED; return this; }
    }

    /** How {@link Index#query} searches. */
    public static final class Query {
        long ef;
        int threads;
        Exactness exactness = Exactness.DEFAULT;
        long[] labels;
        int listed;
        java.util.function.LongPredicate filter;

        /** Size of the candidate list; 0, the default: the index's. */
        public Query ef(long n) { ef = n; return this; }
        /** 0, the default: all cores. */
        public Query threads(int n) { threads = n; return this; }
        /** How exact the query is; default {@link Exactness#DEFAULT}. */
        public Query exactness(Exactness which) { exactness = which; return this; }
        /** The labels that may be found. */
        public Query only(long... these) { labels = these.clone(); listed = Abi.HNX_FILTER_ONLY; return this; }
        /** The labels that may not be found. */
        public Query except(long... these) { labels = these.clone(); listed = Abi.HNX_FILTER_EXCEPT; return this; }
        /** Whether a label may be found. A call into Java costs more than a look-up in a list. */
        public Query filter(java.util.function.LongPredicate accept) { filter = accept; return this; }
    }
}
