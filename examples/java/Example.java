import hnx.HnxException;
import hnx.Index;
import hnx.Metric;
import hnx.Options;
import hnx.Persisted;
import hnx.Result;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * The life of an index, in Java, from the root of the source tree:
 *
 *     javac -cp /usr/share/java/jna.jar -d build/java examples/java/hnx/*.java examples/java/*.java
 *     java -cp /usr/share/java/jna.jar:build/java Example [DATA-FOLDER]
 */
final class Example {
    private record Rows(float[] values, int dim, int count) {}

    /** Rows of a .bvecs (width 1) or .ivecs (width 4) file: an int length, then that many values. */
    private static Rows read(Path path, int width) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
        int dim = bytes.getInt(0);
        int count = bytes.capacity() / (4 + dim * width);
        float[] values = new float[count * dim];
        for (int at = 0; at < values.length; at++) {
            if (at % dim == 0) {
                bytes.getInt();
            }
            values[at] = width == 1 ? bytes.get() & 0xff : bytes.getInt();
        }
        return new Rows(values, dim, count);
    }

    private static void remove(Path folder) throws IOException {
        try (Stream<Path> inside = Files.walk(folder)) {
            for (Path path : (Iterable<Path>) inside.sorted(Comparator.reverseOrder())::iterator) {
                Files.delete(path);
            }
        }
    }

    public static void main(String[] arguments) throws IOException {
        Path data = Path.of(arguments.length > 0 ? arguments[0] : "examples/data");
        Rows base = read(data.resolve("sift15k.bvecs"), 1);
        Rows queries = read(data.resolve("sift15k-query.bvecs"), 1);
        Rows truth = read(data.resolve("sift15k-groundtruth.ivecs"), 4);
        System.out.printf("libhnx %s, CPU level %s: %d vectors of %d floats%n", Index.version(), Index.cpuName(), base.count, base.dim);
        Path folder = Files.createTempDirectory("hnx-java-");
        Path directory = folder.resolve("index");
        Options.Query options = new Options.Query().ef(80);
        long[] before;

        // Init, and add a batch on all cores. The capacity grows on demand.
        try (Index index = Index.create(new Options.Create(Metric.L2, base.dim).persistPath(directory))) {
            index.add(base.values, LongStream.range(0, base.count).toArray());

            // Query.
            Result found = index.query(queries.values, 10, options);
            int hits = 0;
            for (int cell = 0; cell < found.labels().length; cell++) {
                for (int i = 0; i < 10; i++) {
                    hits += truth.values[cell / 10 * truth.dim + i] == found.labels()[cell] ? 1 : 0;
                }
            }
            System.out.printf("recall@10 %.4f%n", hits / (double) found.labels().length);

            // Filters: by the labels that may be found, or by a function.
            float[] some = Arrays.copyOf(queries.values, 20 * base.dim);
            long[] odd = LongStream.range(0, base.count).filter(label -> label % 2 == 1).toArray();
            Result listed = index.query(some, 10, new Options.Query().ef(80).only(odd));
            Result asked = index.query(some, 10, new Options.Query().ef(80).filter(label -> label % 2 == 1));
            System.out.printf("odd labels only, by list: %d, by function: %d%n", listed.labels()[0], asked.labels()[0]);

            // Delete.
            long[] gone = new long[queries.count];
            Arrays.setAll(gone, query -> found.labels()[query * 10]);
            gone = Arrays.stream(gone).distinct().sorted().toArray();
            Arrays.stream(gone).forEach(index::markDeleted);
            before = index.query(queries.values, 10, options).labels();
            long[] deleted = gone;
            long again = Arrays.stream(before).filter(label -> Arrays.binarySearch(deleted, label) >= 0).count();
            System.out.printf("deleted %d, of them found: %d%n", gone.length, again);

            // Persist what changed; close.
            Persisted persisted = index.persist();
            System.out.printf("persisted %d: %d records, %d bytes%n", persisted.generation(), persisted.records(), persisted.bytes());
        }

        // Reopen.
        try (Index index = Index.load(directory, new Options.Load(Metric.L2, base.dim))) {
            long[] after = index.query(queries.values, 10, options).labels();
            System.out.printf("reopened %d records, same answers: %b%n", index.count(), Arrays.equals(before, after));

            // An error.
            try {
                index.markDeleted(123456789);
            } catch (HnxException error) {
                System.out.println("caught: " + error.getMessage());
            }
        } finally {
            remove(folder);
        }
    }
}
