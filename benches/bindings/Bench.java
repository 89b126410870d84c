import com.sun.management.OperatingSystemMXBean;
import hnx.Index;
import hnx.Metric;
import hnx.Options;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Scanner;

/** See bench.c. A fourth argument "direct" has it use direct buffers. */
final class Bench {
    public static void main(String[] arguments) throws Exception {
        int dim = Integer.parseInt(arguments[2]);
        boolean direct = arguments.length > 3;
        byte[] bytes = Files.readAllBytes(Path.of(arguments[1]));
        FloatBuffer buffer = ByteBuffer.allocateDirect(bytes.length).order(ByteOrder.nativeOrder()).put(bytes).flip().asFloatBuffer();
        float[] queries = new float[buffer.capacity()];
        buffer.get(queries).rewind();
        float[][] rows = new float[1000][];
        Arrays.setAll(rows, i -> Arrays.copyOfRange(queries, i * dim, (i + 1) * dim));
        LongBuffer labels = ByteBuffer.allocateDirect(80000).order(ByteOrder.nativeOrder()).asLongBuffer();
        FloatBuffer distances = ByteBuffer.allocateDirect(40000).order(ByteOrder.nativeOrder()).asFloatBuffer();
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        Options.Query options = new Options.Query().ef(80).threads(1);
        Scanner in = new Scanner(System.in);
        long sum = 0;
        try (Index index = Index.load(Path.of(arguments[0]), new Options.Load(Metric.L2, dim))) {
            while (in.hasNext()) {
                boolean single = in.next().equals("single");
                int times = in.nextInt();
                long wall = System.nanoTime();
                long cpu = system.getProcessCpuTime();
                for (int i = 0; i < times; i++) {
                    if (direct) {
                        if (single) {
                            index.query(buffer.slice(i % 1000 * dim, dim), 10, options, labels.slice(0, 10), distances.slice(0, 10));
                        } else {
                            index.query(buffer, 10, options, labels, distances);
                        }
                        sum += labels.get(0);
                    } else {
                        sum += index.query(single ? rows[i % 1000] : queries, 10, options).labels()[0];
                    }
                }
                System.out.println((System.nanoTime() - wall) / times + " " + (system.getProcessCpuTime() - cpu) / times + " " + sum);
            }
        }
    }
}
