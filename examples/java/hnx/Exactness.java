package hnx;

/** How exact a query is. */
public enum Exactness {
    /** What {@link Stats#exactness} says. */
    DEFAULT(Abi.HNX_EXACTNESS_DEFAULT),
    /** On the stored floats, as hnswlib does it. */
    F32(Abi.HNX_EXACTNESS_F32),
    /** The answers of F32, by any means that prove to give them. */
    CERTIFIED(Abi.HNX_EXACTNESS_CERTIFIED),
    /** Codes guide the search, floats decide. */
    GUIDED(Abi.HNX_EXACTNESS_GUIDED);

    final int number;

    Exactness(int number) {
        this.number = number;
    }
}
