package hnx;

/**
 * What a query found: k cells for each query, nearest first, of which counts are used; the others are -1 (2^64 - 1) and
 * infinity. Labels are unsigned.
 */
public record Result(int k, long[] labels, float[] distances, long[] counts) {}
