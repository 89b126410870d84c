package hnx;

/** The state of an index. */
public record Stats(Metric metric, int dim, long count, long deleted, long capacity, long m, long efConstruction, long ef,
    int maxLevel, Exactness exactness, long recordBytes, long otherBytes, long dirtyRecords, long codeBytes,
    long vectorBytes, long linkBytes, long labelBytes) {}
