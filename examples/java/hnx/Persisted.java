package hnx;

/** What {@link Index#persist} did. */
public record Persisted(long generation, long records, long bytes) {}
