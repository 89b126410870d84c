package hnx;

/** A call that failed. */
public final class HnxException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int status;
    private final String code;

    private HnxException(int status, String code, String text) {
        super(code + ": " + text);
        this.status = status;
        this.code = code;
    }

    /** Throws what went wrong in the call of this thread that returned status, unless nothing did. */
    static void check(int status) {
        if (status == Abi.HNX_OK) {
            return;
        }
        byte[] text = new byte[1024];
        int length = (int) Math.min(Abi.hnx_last_error(text, text.length), text.length - 1);
        throw new HnxException(status, Abi.hnx_status_name(status).getString(0),
            new String(text, 0, length, java.nio.charset.StandardCharsets.UTF_8));
    }

    /** Number of the status. */
    public int status() {
        return status;
    }

    /** Name of the status, such as "HNX_ERR_NOT_FOUND". */
    public String code() {
        return code;
    }
}
