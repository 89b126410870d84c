package hnx;

/** What distances are. */
public enum Metric {
    /** Squared Euclidean distance. */
    L2(Abi.HNX_METRIC_L2),
    /** 1 - dot product. */
    IP(Abi.HNX_METRIC_IP),
    /** 1 - cosine. */
    COSINE(Abi.HNX_METRIC_COSINE);

    final int number;

    Metric(int number) {
        this.number = number;
    }
}
