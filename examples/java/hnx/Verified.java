package hnx;

/** What {@link Index#verify} compared: the other records were last written by another program. */
public record Verified(long records, long checked) {}
