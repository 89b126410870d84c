package hnx;

/** An index in memory, and what was kept and dropped; hnx_salvage_info in hnx.h says what each number is. */
public record Salvaged(Index index, int damage, long stated, long records, long kept, long deleted, long missing, long unwritten,
    long unreadable, long notFinite, long implausible, long duplicates, long lengthsLost, long mismatched) {
    /** Of damage: the header is missing, or none. */
    public static final int DAMAGED_HEADER = Abi.HNX_DAMAGE_HEADER;
    /** Of damage: records are missing, were dropped, or differ from their checksums. */
    public static final int DAMAGED_RECORDS = Abi.HNX_DAMAGE_RECORDS;
    /** Of damage: lengths of cosine vectors are missing or are none. */
    public static final int DAMAGED_LENGTHS = Abi.HNX_DAMAGE_LENGTHS;
    /** Of damage: the lists of the upper levels are missing, or their sizes lead nowhere. */
    public static final int DAMAGED_LISTS = Abi.HNX_DAMAGE_LISTS;
}
