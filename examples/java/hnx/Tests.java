package hnx;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Tests of the Java binding: hnx.Tests. HNX_EXCHANGE names a folder that ctests/bindings/run.py has filled;
 * hnx.Tests --write FOLDER writes what the other bindings read. HNX_DATA: examples/data, from elsewhere.
 */
final class Tests {
    private static final int ROWS = 2000;
    private static final int DIM = 128;
    private static final int K = 10;
    private static final String EXCHANGE = System.getenv("HNX_EXCHANGE");
    private static final float[] BASE = read("sift15k.bvecs", ROWS);
    private static final float[] QUERIES = read("sift15k-query.bvecs", 50);
    private static final long[] LABELS = LongStream.range(0, ROWS).map(row -> 3 * row + 1).toArray();
    private static final Options.Query WIDE = new Options.Query().ef(200);

    private static float[] read(String name, int rows) {
        try {
            String data = System.getenv().getOrDefault("HNX_DATA", "examples/data");
            byte[] bytes = Files.readAllBytes(Path.of(data, name));
            float[] values = new float[rows * DIM];
            for (int at = 0; at < values.length; at++) {
                values[at] = bytes[at / DIM * (DIM + 4) + 4 + at % DIM] & 0xff;
            }
            return values;
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static boolean live(int row) {
        return row % 10 != 0;
    }

    private static float[] row(int row) {
        return Arrays.copyOfRange(BASE, row * DIM, (row + 1) * DIM);
    }

    private static double squared(int query, int row) {
        double sum = 0;
        for (int i = 0; i < DIM; i++) {
            sum += Math.pow(QUERIES[query * DIM + i] - BASE[row * DIM + i], 2);
        }
        return sum;
    }

    /** Labels of the K nearest rows that are wanted, by all distances. */
    private static long[] nearest(IntPredicate wanted) {
        return IntStream.range(0, QUERIES.length / DIM).boxed().flatMapToLong(query -> {
            double[] distances = IntStream.range(0, ROWS).mapToDouble(row -> squared(query, row)).toArray();
            return IntStream.range(0, ROWS).filter(wanted).boxed().sorted(Comparator.comparingDouble(row -> distances[row]))
                .limit(K).mapToLong(row -> LABELS[row]);
        }).toArray();
    }

    private static void check(boolean condition, Object... about) {
        if (!condition) {
            throw new AssertionError(Arrays.deepToString(about));
        }
    }

    private static void checkNear(long[] found, long[] expected) {
        int hits = 0;
        for (int cell = 0; cell < found.length; cell++) {
            for (int i = cell / K * K; i < cell / K * K + K; i++) {
                hits += found[cell] == expected[i] ? 1 : 0;
            }
        }
        check(found.length == expected.length && hits >= 0.99 * found.length, "hits", hits, "of", found.length);
    }

    private interface Body {
        void run() throws Exception;
    }

    private static Throwable thrown(Body body) {
        try {
            body.run();
        } catch (Throwable error) {
            return error;
        }
        throw new AssertionError("nothing was thrown");
    }

    private static void checkFails(String code, String text, Body body) {
        Throwable error = thrown(body);
        check(error instanceof HnxException e && e.code().equals(code) && e.getMessage().contains(text), code, text, error);
    }

    private static Index build(Options.Create options) {
        Index index = Index.create(options);
        index.add(BASE, LABELS, new Options.Add().threads(1));
        index.setEf(200);
        return index;
    }

    private static Index build() {
        return build(new Options.Create(Metric.L2, DIM));
    }

    private static void deleteSome(Index index) {
        IntStream.range(0, ROWS).filter(row -> !live(row)).forEach(row -> index.markDeleted(LABELS[row]));
    }

    private static void remove(Path folder) throws IOException {
        try (Stream<Path> inside = Files.walk(folder)) {
            for (Path path : inside.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    private static void write(Path folder) {
        try (Index index = build(new Options.Create(Metric.L2, DIM).maxElements(ROWS).persistPath(folder.resolve("java-persisted")))) {
            deleteSome(index);
            index.save(folder.resolve("java.hnswlib"), Index.Format.HNSWLIB);
            index.save(folder.resolve("java.chroma"), Index.Format.CHROMA);
            index.persist();
        }
    }

    // ------------------------------------------------------------------------------------------ the tests

    private static FloatBuffer floats(float[] values) {
        FloatBuffer buffer = ByteBuffer.allocateDirect(4 * values.length).order(ByteOrder.nativeOrder()).asFloatBuffer();
        return buffer.put(values).flip();
    }

    private static LongBuffer longs(int count) {
        return ByteBuffer.allocateDirect(8 * count).order(ByteOrder.nativeOrder()).asLongBuffer();
    }

    private static void exactNeighbours() {
        try (Index index = build()) {
            Result result = index.query(QUERIES, K);
            checkNear(result.labels(), nearest(row -> true));
            for (int query = 0; query < 50; query++) {
                int row = (int) (result.labels()[query * K] - 1) / 3;
                check(result.distances()[query * K] == (float) squared(query, row) && result.counts()[query] == K, query);
            }
            check(Arrays.equals(index.get(new long[] {LABELS[5]}), row(5)));
        }
    }

    private static void directBuffers() {
        try (Index arrays = build(); Index index = Index.create(new Options.Create(Metric.L2, DIM))) {
            LongBuffer labels = longs(ROWS + 1).position(1);
            labels.put(LABELS).position(1);
            float[] shifted = new float[BASE.length + 3];
            System.arraycopy(BASE, 0, shifted, 3, BASE.length);
            index.add(floats(shifted).position(3), labels, new Options.Add().threads(1));
            Result expected = arrays.query(QUERIES, K, WIDE);
            LongBuffer found = longs(50 * K + 7);
            FloatBuffer distances = floats(new float[50 * K + 5]);
            index.query(floats(QUERIES), K, WIDE, found.position(7), distances.position(2).limit(50 * K + 2));
            check(found.get(6) == 0 && distances.get(1) == 0 && found.position() == 7, "a buffer was left");
            for (int cell = 0; cell < 50 * K; cell++) {
                check(found.get(cell + 7) == expected.labels()[cell] && distances.get(cell + 2) == expected.distances()[cell], cell);
            }
            index.query(floats(QUERIES), K, WIDE, longs(50 * K), null);
            List<Body> bad = List.of(
                () -> index.query(floats(QUERIES), K, WIDE, longs(50 * K - 1), null),
                () -> index.query(floats(QUERIES), K, WIDE, longs(50 * K), floats(new float[3])),
                () -> index.query(FloatBuffer.wrap(QUERIES), K, WIDE, longs(50 * K), null),
                () -> index.query(floats(QUERIES), K, WIDE, LongBuffer.allocate(50 * K), null),
                () -> index.query(floats(QUERIES), K, WIDE, longs(50 * K).asReadOnlyBuffer(), null),
                () -> index.query(ByteBuffer.allocateDirect(4 * DIM).order(ByteOrder.BIG_ENDIAN).asFloatBuffer(), K, WIDE, longs(K), null),
                () -> index.query(floats(QUERIES).position(1), K, WIDE, longs(50 * K), null),
                () -> index.add(floats(BASE), longs(3), new Options.Add()));
            bad.forEach(call -> check(thrown(call) instanceof IllegalArgumentException, bad.indexOf(call)));
        }
    }

    private static void filters() {
        try (Index index = build()) {
            long[] odd = Arrays.stream(LABELS).filter(label -> label % 2 == 1).toArray();
            long[] even = Arrays.stream(LABELS).filter(label -> label % 2 == 0).toArray();
            long[] expected = nearest(row -> LABELS[row] % 2 == 1);
            for (Options.Query options : List.of(new Options.Query().only(odd), new Options.Query().except(even),
                    new Options.Query().filter(label -> label % 2 == 1),
                    new Options.Query().except(even[3]).filter(label -> label % 2 == 1))) {
                checkNear(index.query(QUERIES, K, options).labels(), expected);
            }
            Result few = index.query(row(0), K, new Options.Query().only(1, 4, 5));
            check(few.counts()[0] == 2 && few.labels()[2] == -1 && few.distances()[9] == Float.POSITIVE_INFINITY, few);
            check(index.query(row(0), K, new Options.Query().only()).counts()[0] == 0);
            RuntimeException mine = new RuntimeException("mine");
            check(thrown(() -> index.query(QUERIES, K, new Options.Query().filter(label -> { throw mine; }))) == mine);
            AssertionError error = new AssertionError("mine, too");
            check(thrown(() -> index.query(QUERIES, K, new Options.Query().filter(label -> { throw error; }))) == error);
            checkNear(index.query(QUERIES, K).labels(), nearest(row -> true));
        }
    }

    private static void deletePersistReopen() throws IOException {
        Path folder = Files.createTempDirectory("hnx-java-");
        Path path = folder.resolve("persisted");
        Result before;
        try (Index index = build(new Options.Create(Metric.L2, DIM).persistPath(path))) {
            Persisted all = index.persist();
            check(all.generation() == 1 && all.records() == ROWS && index.stats().dirtyRecords() == 0, all);
            deleteSome(index);
            before = index.query(QUERIES, K);
            checkNear(before.labels(), nearest(Tests::live));
            check(index.persist().records() == ROWS / 10);
            Stats stats = index.stats();
            check(stats.count() == ROWS && stats.deleted() == ROWS / 10 && stats.m() == 16 && stats.metric() == Metric.L2, stats);
            check(Arrays.equals(index.labels(Index.Which.ALL), LABELS));
            check(index.labels(Index.Which.DELETED).length == ROWS / 10 && index.labels(Index.Which.LIVE)[0] == LABELS[1]);
            index.unmarkDeleted(LABELS[0]);
        }
        for (Options.Load options : List.of(new Options.Load(Metric.L2, DIM), new Options.Load(Metric.L2, DIM).mmap(),
                new Options.Load(Metric.L2, DIM).checkDeep(), new Options.Load(Metric.L2, DIM).readOnly())) {
            try (Index index = Index.load(path, options)) {
                Result after = index.query(QUERIES, K, WIDE);
                check(Arrays.equals(before.labels(), after.labels()) && Arrays.equals(before.distances(), after.distances()));
                if (options.flags == Abi.HNX_LOAD_READ_ONLY) {
                    checkFails("HNX_ERR_READ_ONLY", "", () -> index.markDeleted(LABELS[1]));
                }
            }
        }
        remove(folder);
    }

    private static void exactness() {
        try (Index index = build(new Options.Create(Metric.COSINE, DIM))) {
            check(index.stats().exactness() == Exactness.GUIDED && index.stats().codeBytes() >= ROWS * DIM, index.stats());
            Result exact = index.query(QUERIES, K, new Options.Query().exactness(Exactness.F32));
            Result certified = index.query(QUERIES, K, new Options.Query().exactness(Exactness.CERTIFIED));
            check(Arrays.equals(exact.labels(), certified.labels()) && Arrays.equals(exact.distances(), certified.distances()));
            index.setExactness(Exactness.F32);
            check(index.stats().exactness() == Exactness.F32 && index.stats().codeBytes() == 0, index.stats());
            check(Arrays.equals(exact.labels(), index.query(QUERIES, K).labels()));
        }
    }

    private static void codesBeside() throws IOException {
        Path folder = Files.createTempDirectory("hnx-java-");
        Path path = folder.resolve("file");
        Path others = folder.resolve("another");
        try (Index index = build(); Index another = build(new Options.Create(Metric.L2, DIM).m(8))) {
            index.save(path, Index.Format.HNSWLIB);
            index.saveCodes(path);
            another.save(others, Index.Format.HNSWLIB);
            checkFails("HNX_ERR_CONFLICT", others.toString(), () -> index.saveCodes(others));
            Options.Query guided = new Options.Query().ef(200).exactness(Exactness.GUIDED);
            Result expected = index.query(QUERIES, K, guided);
            for (Options.Load options : List.of(new Options.Load(Metric.L2, DIM).mmap(),
                    new Options.Load(Metric.L2, DIM).mmap().readOnly())) {
                try (Index mapped = Index.load(path, options)) {
                    check(mapped.stats().exactness() == Exactness.GUIDED && mapped.stats().codeBytes() > 0, mapped.stats());
                    Result found = mapped.query(QUERIES, K, guided);
                    check(Arrays.equals(expected.labels(), found.labels()) && Arrays.equals(expected.distances(), found.distances()));
                }
            }
        }
        remove(folder);
    }

    private static void verifyAndSalvage() throws IOException {
        Path folder = Files.createTempDirectory("hnx-java-");
        Path path = folder.resolve("persisted");
        try (Index index = build(new Options.Create(Metric.L2, DIM).persistPath(path))) {
            deleteSome(index);
            index.persist();
        }
        check(Index.verify(path).equals(new Verified(ROWS, ROWS)));
        Path records = path.resolve("data_level0.bin");
        byte[] bytes = Files.readAllBytes(records);
        bytes[1000] ^= 1;
        Files.write(records, bytes);
        checkFails("HNX_ERR_CORRUPT", path + ": data_level0.bin: record", () -> Index.verify(path));
        checkFails("HNX_ERR_NOT_FOUND", "absent", () -> Index.verify(Path.of("absent")));
        Files.delete(path.resolve("link_lists.bin"));
        Salvaged found = Index.salvage(path, new Options.Salvage(Metric.L2, DIM));
        try (Index index = found.index()) {
            check((found.damage() & Salvaged.DAMAGED_LISTS) != 0 && found.kept() >= ROWS - 1, found);
            check(index.count() == found.kept() && index.stats().deleted() == found.deleted(), found);
            checkNear(index.query(QUERIES, K, WIDE).labels(), nearest(Tests::live));
        }
        checkFails("HNX_ERR_NOT_FOUND", "absent", () -> Index.salvage(Path.of("absent"), new Options.Salvage(Metric.L2, DIM)));
        remove(folder);
    }

    private static void filesOfOthers() throws IOException {
        long[] expected = nearest(Tests::live);
        try (Stream<Path> inside = Files.list(Path.of(EXCHANGE))) {
            List<Path> paths = inside.toList();
            check(paths.size() > 2, paths);
            for (Path path : paths) {
                try (Index index = Index.load(path, new Options.Load(Metric.L2, DIM))) {
                    checkNear(index.query(QUERIES, K, WIDE).labels(), expected);
                    check(index.count() == ROWS && index.stats().deleted() == ROWS / 10, path);
                    check(Arrays.equals(index.get(Arrays.copyOfRange(LABELS, 1, 10)), Arrays.copyOfRange(BASE, DIM, 10 * DIM)), path);
                }
            }
        }
    }

    private static void failures() {
        float[] nan = new float[2 * DIM];
        nan[DIM + 7] = Float.NaN;
        try (Index index = build(new Options.Create(Metric.L2, DIM).maxElements(ROWS))) {
            checkFails("HNX_ERR_NOT_FOUND", "77777", () -> index.markDeleted(77777));
            checkFails("HNX_ERR_NOT_FOUND", "18446744073709551615", () -> index.markDeleted(-1));
            checkFails("HNX_ERR_NOT_DELETED", "label 1", () -> index.unmarkDeleted(1));
            checkFails("HNX_ERR_FULL", "row 0", () -> index.add(row(0), new long[] {2}));
            checkFails("HNX_ERR_EXISTS", "label 1", () -> index.add(row(0), new long[] {1}, new Options.Add().insertOnly()));
            checkFails("HNX_ERR_NOT_FOUND", "label 2", () -> index.add(row(0), new long[] {2}, new Options.Add().updateOnly()));
            checkFails("HNX_ERR_INVALID_ARGUMENT", "not allowed", () -> index.add(row(0), new long[] {2}, new Options.Add().replaceDeleted()));
            checkFails("HNX_ERR_INVALID_ARGUMENT", "row 1", () -> index.add(nan, new long[] {1, 4}));
            checkFails("HNX_ERR_INVALID_ARGUMENT", "query 1", () -> index.query(nan, K));
            checkFails("HNX_ERR_INVALID_ARGUMENT", "k is 0", () -> index.query(QUERIES, 0));
            checkFails("HNX_ERR_NOT_FOUND", "label 2", () -> index.get(new long[] {1, 2}));
            checkFails("HNX_ERR_INVALID_ARGUMENT", "less than", () -> index.resize(3));
            checkFails("HNX_ERR_INVALID_ARGUMENT", "ef is 0", () -> index.setEf(0));
            checkFails("HNX_ERR_INVALID_ARGUMENT", "directory", index::persist);
            checkFails("HNX_ERR_IO", "No such file", () -> index.save(Path.of("/absent/file"), Index.Format.CHROMA));
            checkFails("HNX_ERR_NOT_FOUND", "/absent", () -> Index.load(Path.of("/absent"), new Options.Load(Metric.L2, 3)));
            checkFails("HNX_ERR_INVALID_ARGUMENT", "dim", () -> Index.create(new Options.Create(Metric.L2, 0)));
            List<Body> bad = List.of(() -> index.add(new float[DIM + 1], new long[] {1}), () -> index.add(row(0), new long[] {1, 2}),
                () -> index.query(new float[DIM / 2], K), () -> index.query(row(0), -1), () -> index.query(QUERIES, Integer.MAX_VALUE),
                () -> index.query(row(0), 1, new Options.Query().ef(-1)), () -> index.query(row(0), 1, new Options.Query().threads(-1)),
                () -> index.resize(-1), () -> index.setEf(-1), () -> Index.create(new Options.Create(Metric.L2, -1)));
            bad.forEach(call -> check(thrown(call) instanceof IllegalArgumentException, bad.indexOf(call)));
            check(thrown(() -> index.query(null, K)) instanceof NullPointerException);
            check(index.query(new float[0], K).labels().length == 0);
            index.add(new float[0], new long[0]);
            checkNear(index.query(QUERIES, K).labels(), nearest(row -> true));
        }
    }

    private static void useAfterClose() {
        Index index = build();
        index.close();
        index.close();
        check(index.isFreed());
        List<Body> calls = List.of(() -> index.add(BASE, LABELS), () -> index.query(QUERIES, K), () -> index.get(LABELS),
            () -> index.markDeleted(1), () -> index.unmarkDeleted(1), () -> index.labels(Index.Which.ALL), index::stats, index::count,
            index::persist, () -> index.save(Path.of("/tmp/never"), Index.Format.HNSWLIB), () -> index.saveCodes(Path.of("/tmp/never")),
            () -> index.setEf(3), () -> index.resize(3));
        calls.forEach(call -> check(thrown(call) instanceof IllegalStateException, calls.indexOf(call)));
    }

    private static void closeDuringUse() throws InterruptedException {
        for (int round = 0; round < 3; round++) {
            Index index = build();
            ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
            List<Thread> threads = new ArrayList<>();
            for (int worker = 0; worker < 6; worker++) {
                int number = worker;
                threads.add(new Thread(() -> {
                    try {
                        for (int row = number;; row = (row + 7) % ROWS) {
                            check(index.query(row(row), 1).distances()[0] == 0, row);
                            index.add(row(row), new long[] {1000000 + number});
                        }
                    } catch (IllegalStateException closed) {
                        check(closed.getMessage().contains("closed"));
                    } catch (Throwable error) {
                        failures.add(error);
                    }
                }));
            }
            threads.forEach(Thread::start);
            Thread.sleep(100);
            index.close();
            for (Thread thread : threads) {
                thread.join();
            }
            check(failures.isEmpty() && index.isFreed(), failures);
        }
    }

    private static void closeInsideFilter() {
        Index index = build();
        Result result = index.query(row(0), K, new Options.Query().filter(label -> {
            index.close();
            return true;
        }));
        check(result.counts()[0] == K && index.isFreed());
    }

    private static long maps() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.count();
        }
    }

    private static void garbageIsFreed() throws Exception {
        long before = maps();
        for (int i = 0; i < 50; i++) {
            Index.create(new Options.Create(Metric.L2, 4));
        }
        for (int i = 0; i < 200 && maps() > before + 100; i++) {
            System.gc();
            Thread.sleep(10);
        }
        check(maps() < before + 150, before, maps());
    }

    private record Case(String name, Body body) {}

    public static void main(String[] arguments) {
        if (arguments.length == 2 && arguments[0].equals("--write")) {
            write(Path.of(arguments[1]));
            return;
        }
        int passed = 0;
        int failed = 0;
        int skipped = 0;
        for (Case test : List.of(new Case("exact neighbours", Tests::exactNeighbours), new Case("direct buffers", Tests::directBuffers),
                new Case("filters", Tests::filters), new Case("delete, persist, reopen", Tests::deletePersistReopen),
                new Case("exactness", Tests::exactness), new Case("codes beside a file", Tests::codesBeside),
                new Case("verify and salvage", Tests::verifyAndSalvage),
                new Case("files of others", EXCHANGE == null ? null : Tests::filesOfOthers), new Case("failures", Tests::failures),
                new Case("use after close", Tests::useAfterClose), new Case("close during use", Tests::closeDuringUse),
                new Case("close inside a filter", Tests::closeInsideFilter), new Case("garbage is freed", Tests::garbageIsFreed))) {
            if (test.body == null) {
                System.out.println("skip  " + test.name + ": HNX_EXCHANGE is not set");
                skipped++;
                continue;
            }
            try {
                test.body.run();
                System.out.println("ok    " + test.name);
                passed++;
            } catch (Throwable error) {
                System.out.println("FAIL  " + test.name + ": " + error);
                error.printStackTrace(System.out);
                failed++;
            }
        }
        System.out.printf("= %d %d %d%n", passed, failed, skipped);
        System.exit(failed == 0 ? 0 : 1);
    }
}
