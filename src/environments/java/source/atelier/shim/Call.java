package atelier.shim;

import atelier.Headers;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.function.Consumer;

/** One call: what has come of the request, what may still be sent, and how it ends. Its monitor guards what both threads touch. */
final class Call extends InputStream {
  private static final int WINDOW_STEP_BYTES = Wire.WINDOW_BYTES / 2;
  private static final byte[] NOTHING = {};

  final int number;
  final String id;
  final String method;
  final String target;
  final long deadline;
  final Headers headers = new Headers();
  final Output.Lines[] lines = new Output.Lines[2];
  long loggedBytes;
  Socket socket;
  private final Wire wire;
  private final Consumer<Call> onEnd;
  private final ArrayDeque<byte[]> parts = new ArrayDeque<>();
  private byte[] part = NOTHING;
  private int partAt;
  private boolean complete;
  private int consumed;
  private long credit = Wire.WINDOW_BYTES;
  private volatile String cancelReason;
  private volatile boolean over;
  private volatile boolean answered;
  private Thread thread;

  Call(Wire wire, int number, int flags, byte[] payload, Consumer<Call> onEnd) {
    this.wire = wire;
    this.number = number;
    this.onEnd = onEnd;
    int size = Wire.getInt(payload, 0);
    String[] head = new String(payload, 4, size, StandardCharsets.UTF_8).split("\n", -1);
    int space = head[0].indexOf(' ');
    method = head[0].substring(0, space);
    target = head[0].substring(space + 1);
    id = head[1];
    deadline = Long.parseLong(head[2]);
    for (int i = 3; i < head.length; i++) {
      int colon = head[i].indexOf(": ");
      if (colon > 0) headers.add(head[i].substring(0, colon), head[i].substring(colon + 2));
    }
    if (payload.length > 4 + size) parts.add(java.util.Arrays.copyOfRange(payload, 4 + size, payload.length));
    complete = (flags & Wire.END) != 0;
  }

  String cancelReason() {
    return cancelReason;
  }

  boolean isOver() {
    return over;
  }

  boolean isAnswered() {
    return answered;
  }

  /** From now on this thread is interrupted when nobody waits any more. */
  synchronized void runOn(Thread runner) {
    thread = runner;
    if (cancelReason != null && runner != null) runner.interrupt();
  }

  // The request's body

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 255;
  }

  @Override
  public int read(byte[] into, int offset, int length) throws IOException {
    if (length == 0) return 0;
    if (partAt == part.length && !nextPart()) return -1;
    int size = Math.min(length, part.length - partAt);
    System.arraycopy(part, partAt, into, offset, size);
    partAt += size;
    consumed(size);
    return size;
  }

  private synchronized boolean nextPart() throws IOException {
    while (parts.isEmpty()) {
      if (cancelReason != null) throw new CancelledException(cancelReason);
      if (complete) return false;
      waitForChange();
    }
    part = parts.poll();
    partAt = 0;
    return true;
  }

  /** Lets the platform send as much again as has been read. */
  void consumed(int size) throws IOException {
    int given;
    synchronized (this) {
      if (complete || over) return;
      consumed += size;
      if (consumed < WINDOW_STEP_BYTES) return;
      given = consumed;
      consumed = 0;
    }
    wire.send(Wire.WINDOW, 0, number, Wire.number(given));
  }

  // The answer

  /** The whole answer in one frame; its body fits the window. */
  void answer(byte[] head, byte[] body) throws IOException {
    if (!begin()) return;
    Output.endOf(this);
    sendResult(Wire.END, head, body);
    finish();
  }

  /** The head; the body follows through `write` and `end`. */
  void answerHead(byte[] head) throws IOException {
    if (begin()) sendResult(0, head, NOTHING);
  }

  private void sendResult(int flags, byte[] head, byte[] body) throws IOException {
    byte[] first = new byte[4 + head.length];
    Wire.putInt(first, 0, head.length);
    System.arraycopy(head, 0, first, 4, head.length);
    wire.send(Wire.RESULT, flags, number, first, body, 0, body.length);
  }

  /** Sends a piece of the body, waiting for the window where it is used up. */
  void write(byte[] data, int offset, int length) throws IOException {
    while (length > 0) {
      int size;
      synchronized (this) {
        waitForCredit();
        size = (int) Math.min(Math.min(length, Wire.DATA_BYTES_MAX), credit);
        credit -= size;
      }
      wire.send(Wire.DATA, 0, number, NOTHING, data, offset, size);
      offset += size;
      length -= size;
    }
  }

  /** Sends a WebSocket message, which may take the window below zero. */
  void writeMessage(byte[] data, boolean text) throws IOException {
    synchronized (this) {
      waitForCredit();
      credit -= data.length + Wire.MESSAGE_COST_BYTES;
    }
    wire.send(Wire.MESSAGE, text ? Wire.TEXT : 0, number, data);
  }

  void end(byte[] close) throws IOException {
    if (over) return;
    Output.endOf(this);
    if (cancelReason == null) wire.send(Wire.DATA, Wire.END, number, close);
    else wire.send(Wire.FAIL, 0, number, NOTHING);
    finish();
  }

  void end() throws IOException {
    end(NOTHING);
  }

  /** The code has failed. */
  void fail(Throwable error) throws IOException {
    if (over) return;
    Output.endOf(this);
    wire.send(Wire.FAIL, 0, number, cancelReason == null ? Failure.of(error) : NOTHING);
    finish();
  }

  /** A frame of this call, on the reading thread. */
  void receive(int type, int flags, byte[] payload) {
    if (type == Wire.DATA) {
      if (socket != null) {
        socket.closedByPeer(payload);
        return;
      }
      synchronized (this) {
        if (payload.length > 0) parts.add(payload);
        if ((flags & Wire.END) != 0) complete = true;
        notifyAll();
      }
    } else if (type == Wire.WINDOW && payload.length == 4) {
      synchronized (this) {
        credit += Wire.getInt(payload, 0);
        notifyAll();
      }
    } else if (type == Wire.MESSAGE && socket != null) socket.deliver(payload, (flags & Wire.TEXT) != 0);
    else if (type == Wire.CANCEL) {
      synchronized (this) {
        cancelReason = new String(payload, StandardCharsets.UTF_8);
        if (thread != null) thread.interrupt();
        notifyAll();
      }
      if (socket != null) socket.closedByPeer(null);
    }
  }

  private void waitForCredit() throws IOException {
    while (credit <= 0) {
      if (cancelReason != null) throw new CancelledException(cancelReason);
      waitForChange();
    }
    if (cancelReason != null) throw new CancelledException(cancelReason);
  }

  private void waitForChange() throws IOException {
    try {
      wait();
    } catch (InterruptedException interrupted) {
      if (cancelReason == null) throw new InterruptedIOException("The thread was interrupted.");
    }
  }

  /** Whether an answer may begin; a cancelled call ends here instead. */
  private boolean begin() throws IOException {
    if (over) return false;
    answered = true;
    if (cancelReason == null) return true;
    fail(new CancelledException(cancelReason));
    return false;
  }

  private void finish() {
    over = true;
    onEnd.accept(this);
  }

  /** The caller has left, the deadline has passed, or the instance is going. */
  static final class CancelledException extends IOException {
    private static final long serialVersionUID = 1;

    CancelledException(String reason) {
      super("Nobody waits for this call any more: " + reason + ".");
    }
  }
}
