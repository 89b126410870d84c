package hnx;

import com.sun.jna.Callback;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.net.URISyntaxException;
import java.nio.Buffer;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The declarations of include/hnx.h for JNA, and nothing else. size_t is long: libhnx exists for 64 bits only. Functions
 * that take arrays come twice, for arrays and for direct buffers.
 */
final class Abi {
    static final String VERSION = "0.1";

    static final int HNX_METRIC_L2 = 0;
    static final int HNX_METRIC_IP = 1;
    static final int HNX_METRIC_COSINE = 2;
    static final int HNX_ALLOW_REPLACE_DELETED = 1;
    static final int HNX_LOAD_MMAP = 2;
    static final int HNX_LOAD_READ_ONLY = 4;
    static final int HNX_CHECK_DEFAULT = 0;
    static final int HNX_CHECK_FAST = 1;
    static final int HNX_CHECK_DEEP = 2;
    static final int HNX_ADD_REPLACE_DELETED = 1;
    static final int HNX_ADD_INSERT_ONLY = 2;
    static final int HNX_ADD_UPDATE_ONLY = 4;
    static final int HNX_ADD_GUIDED = 8;
    static final int HNX_EXACTNESS_DEFAULT = 0;
    static final int HNX_EXACTNESS_F32 = 1;
    static final int HNX_EXACTNESS_CERTIFIED = 2;
    static final int HNX_EXACTNESS_GUIDED = 3;
    static final int HNX_FILTER_ONLY = 1;
    static final int HNX_FILTER_EXCEPT = 2;
    static final int HNX_LABELS_LIVE = 0;
    static final int HNX_LABELS_DELETED = 1;
    static final int HNX_LABELS_ALL = 2;
    static final int HNX_FORMAT_HNSWLIB = 0;
    static final int HNX_FORMAT_CHROMA = 1;
    static final int HNX_FORMAT_CHROMA_DIRECTORY = 2;
    static final int HNX_SALVAGE_BEYOND_COUNT = 8;
    static final int HNX_DAMAGE_HEADER = 1;
    static final int HNX_DAMAGE_RECORDS = 2;
    static final int HNX_DAMAGE_LENGTHS = 4;
    static final int HNX_DAMAGE_LISTS = 8;
    static final int HNX_OK = 0;
    static final int HNX_ERR_INVALID_ARGUMENT = -1;
    static final int HNX_ERR_OUT_OF_MEMORY = -2;
    static final int HNX_ERR_FULL = -3;
    static final int HNX_ERR_NOT_FOUND = -4;
    static final int HNX_ERR_ALREADY_DELETED = -5;
    static final int HNX_ERR_NOT_DELETED = -6;
    static final int HNX_ERR_IO = -7;
    static final int HNX_ERR_CORRUPT = -8;
    static final int HNX_ERR_VERSION = -9;
    static final int HNX_ERR_UNSUPPORTED = -10;
    static final int HNX_ERR_LOCKED = -11;
    static final int HNX_ERR_READ_ONLY = -12;
    static final int HNX_ERR_CANCELLED = -13;
    static final int HNX_ERR_POISONED = -14;
    static final int HNX_ERR_INTERNAL = -15;
    static final int HNX_ERR_EXISTS = -16;
    static final int HNX_ERR_CONFLICT = -17;

    interface hnx_accept_fn extends Callback {
        int invoke(Pointer context, long label);
    }

    /** A struct that begins with its own size; zero means default in the rest. */
    public abstract static class Sized extends Structure {
        public long struct_size;

        Sized() {
            struct_size = size();
        }
    }

    @FieldOrder({"struct_size", "metric", "flags", "dim", "max_elements", "m", "ef_construction", "random_seed", "persist_path"})
    public static final class hnx_options extends Sized {
        public int metric;
        public int flags;
        public long dim;
        public long max_elements;
        public long m;
        public long ef_construction;
        public long random_seed;
        public Pointer persist_path;
    }

    @FieldOrder({"struct_size", "metric", "flags", "dim", "max_elements", "check", "reserved"})
    public static final class hnx_load_options extends Sized {
        public int metric;
        public int flags;
        public long dim;
        public long max_elements;
        public int check;
        public int reserved;
    }

    @FieldOrder({"struct_size", "threads", "flags"})
    public static final class hnx_add_options extends Sized {
        public int threads;
        public int flags;
    }

    @FieldOrder({"struct_size", "ef", "threads", "exactness", "filter"})
    public static final class hnx_query_options extends Sized {
        public long ef;
        public int threads;
        public int exactness;
        public Pointer filter;
    }

    @FieldOrder({"struct_size", "accept", "context", "labels", "label_count", "flags", "reserved"})
    public static final class hnx_filter extends Sized {
        public hnx_accept_fn accept;
        public Pointer context;
        public Pointer labels;
        public long label_count;
        public int flags;
        public int reserved;
    }

    @FieldOrder({"struct_size", "flags", "reserved"})
    public static final class hnx_persist_options extends Sized {
        public int flags;
        public int reserved;
    }

    @FieldOrder({"struct_size", "generation", "records_written", "bytes_written"})
    public static final class hnx_persist_info extends Sized {
        public long generation;
        public long records_written;
        public long bytes_written;
    }

    @FieldOrder({"struct_size", "records", "checked", "damaged", "first_record", "first_offset", "first_file"})
    public static final class hnx_verify_info extends Sized {
        public long records;
        public long checked;
        public long damaged;
        public long first_record;
        public long first_offset;
        public Pointer first_file;
    }

    @FieldOrder({"struct_size", "metric", "flags", "dim", "m", "ef_construction", "threads", "reserved"})
    public static final class hnx_salvage_options extends Sized {
        public int metric;
        public int flags;
        public long dim;
        public long m;
        public long ef_construction;
        public int threads;
        public int reserved;
    }

    @FieldOrder({"struct_size", "damage", "reserved", "stated", "records", "kept", "deleted", "missing", "unwritten",
        "unreadable", "not_finite", "implausible", "duplicates", "lengths_lost", "mismatched"})
    public static final class hnx_salvage_info extends Sized {
        public int damage;
        public int reserved;
        public long stated;
        public long records;
        public long kept;
        public long deleted;
        public long missing;
        public long unwritten;
        public long unreadable;
        public long not_finite;
        public long implausible;
        public long duplicates;
        public long lengths_lost;
        public long mismatched;
    }

    @FieldOrder({"struct_size", "metric", "flags", "dim", "count", "deleted", "capacity", "m", "ef_construction", "ef",
        "max_level", "exactness", "record_bytes", "other_bytes", "dirty_records", "code_bytes",
        "vector_bytes", "link_bytes", "label_bytes"})
    public static final class hnx_stats_info extends Sized {
        public int metric;
        public int flags;
        public long dim;
        public long count;
        public long deleted;
        public long capacity;
        public long m;
        public long ef_construction;
        public long ef;
        public int max_level;
        public int exactness;
        public long record_bytes;
        public long other_bytes;
        public long dirty_records;
        public long code_bytes;
        public long vector_bytes;
        public long link_bytes;
        public long label_bytes;
    }

    static native int hnx_init(hnx_options options, PointerByReference out_index);
    static native int hnx_load(byte[] path, hnx_load_options options, PointerByReference out_index);
    static native void hnx_free(Pointer index);
    static native int hnx_add(Pointer index, float[] vectors, long[] labels, long count, hnx_add_options options, int[] out_row_status);
    static native int hnx_add(Pointer index, Buffer vectors, Buffer labels, long count, hnx_add_options options, Buffer out_row_status);
    static native int hnx_mark_deleted(Pointer index, long label);
    static native int hnx_unmark_deleted(Pointer index, long label);
    static native int hnx_resize(Pointer index, long max_elements);
    static native int hnx_set_ef(Pointer index, long ef);
    static native int hnx_set_exactness(Pointer index, int exactness);
    static native int hnx_query(Pointer index, float[] queries, long query_count, long k, hnx_query_options options, long[] out_labels, float[] out_distances, long[] out_counts);
    static native int hnx_query(Pointer index, Buffer queries, long query_count, long k, hnx_query_options options, Buffer out_labels, Buffer out_distances, Buffer out_counts);
    static native int hnx_get(Pointer index, long[] labels, long count, float[] out_vectors);
    static native int hnx_labels(Pointer index, int which, long[] out_labels, long capacity, LongByReference out_count);
    static native int hnx_persist_dirty(Pointer index, hnx_persist_options options, hnx_persist_info out_info);
    static native int hnx_save(Pointer index, byte[] path, int format);
    static native int hnx_save_codes(Pointer index, byte[] path);
    static native int hnx_verify(byte[] path, hnx_verify_info out_info);
    static native int hnx_salvage(byte[] path, hnx_salvage_options options, PointerByReference out_index, hnx_salvage_info out_info);
    static native long hnx_count(Pointer index);
    static native long hnx_deleted_count(Pointer index);
    static native long hnx_capacity(Pointer index);
    static native long hnx_dim(Pointer index);
    static native int hnx_stats(Pointer index, hnx_stats_info out_stats);
    static native Pointer hnx_version();
    static native Pointer hnx_cpu_name();
    static native Pointer hnx_status_name(int status);
    static native long hnx_last_error(byte[] buffer, long capacity);

    static {
        Native.register(Abi.class, NativeLibrary.getInstance(find()));
        String version = hnx_version().getString(0);
        if (!version.startsWith(VERSION + ".")) {
            throw new UnsatisfiedLinkError("libhnx is " + version + "; this class needs " + VERSION);
        }
    }

    /** The library: the one HNX_LIB names, else the one built in the tree around these classes, else the system's. */
    private static String find() {
        String named = System.getenv("HNX_LIB");
        if (named != null && !named.isEmpty()) {
            return named;
        }
        try {
            Path place = Path.of(Abi.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            for (; place != null; place = place.getParent()) {
                Path built = place.resolve("target/release/libhnx.so");
                if (Files.exists(built)) {
                    return built.toString();
                }
            }
        } catch (URISyntaxException unknown) {
            // then the system's
        }
        return "libhnx.so." + VERSION;
    }

    private Abi() {}
}
