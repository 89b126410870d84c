package hnx;

import com.sun.jna.Pointer;

/** A handle of the library, and the calls that use it. It does not know its Index, whose end it is there for. */
final class Handle implements Runnable {
    private Pointer pointer;
    private int users;
    private boolean closed;

    Handle(Pointer pointer) {
        this.pointer = pointer;
    }

    /** The handle, which is not freed before {@link #leave}. */
    synchronized Pointer enter() {
        if (closed) {
            throw new IllegalStateException("the index is closed");
        }
        users++;
        return pointer;
    }

    synchronized void leave() {
        users--;
        free();
    }

    /** Frees now, or when the calls that run have ended. */
    @Override
    public synchronized void run() {
        closed = true;
        free();
    }

    synchronized boolean isFreed() {
        return pointer == null;
    }

    private void free() {
        if (closed && users == 0 && pointer != null) {
            Abi.hnx_free(pointer);
            pointer = null;
        }
    }
}
