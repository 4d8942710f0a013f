package atelier.shim;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Frames to bytes and back (docs/frames.md), for the shim's end of the stream. */
final class Wire {
  static final int HELLO = 1, LOAD = 2, LOADED = 3, LOAD_FAILED = 4;
  static final int CALL = 16, RESULT = 17, DATA = 18, WINDOW = 19, CANCEL = 20, FAIL = 21, MESSAGE = 22, LOG = 23;
  static final int PING = 32, PONG = 33, DRAIN = 34;
  static final int END = 1, TEXT = 2;
  static final int DATA_BYTES_MAX = 64 * 1024;
  static final int WINDOW_BYTES = 262_144;
  static final int MESSAGE_COST_BYTES = 64;
  static final int PAYLOAD_BYTES_MAX = 1024 * 1024;
  private static final int HEAD_BYTES = 10;
  private static final byte[] NOTHING = {};

  private final InputStream in;
  private final OutputStream out;
  private final byte[] buffer = new byte[8192];
  private int from;
  private int to;

  /** Of the frame that was read last. */
  int type;
  int flags;
  int call;
  byte[] payload = NOTHING;

  Wire(InputStream in, OutputStream out) {
    this.in = in;
    this.out = out;
  }

  void send(int type, int flags, int call, byte[] payload) throws IOException {
    send(type, flags, call, NOTHING, payload, 0, payload.length);
  }

  /** `first` and a piece of `data` as one payload, in one write, from any thread. */
  void send(int type, int flags, int call, byte[] first, byte[] data, int offset, int length) throws IOException {
    byte[] frame = new byte[HEAD_BYTES + first.length + length];
    putInt(frame, 0, first.length + length);
    frame[4] = (byte) type;
    frame[5] = (byte) flags;
    putInt(frame, 6, call);
    System.arraycopy(first, 0, frame, HEAD_BYTES, first.length);
    System.arraycopy(data, offset, frame, HEAD_BYTES + first.length, length);
    synchronized (out) {
      out.write(frame);
    }
  }

  /** Reads the next frame; false when the stream ends, or what comes is no frame. */
  boolean next() throws IOException {
    if (!fill(HEAD_BYTES)) return false;
    int length = getInt(buffer, from);
    type = buffer[from + 4] & 255;
    flags = buffer[from + 5] & 255;
    call = getInt(buffer, from + 6);
    from += HEAD_BYTES;
    if (length < 0 || length > PAYLOAD_BYTES_MAX) return false;
    payload = length == 0 ? NOTHING : new byte[length];
    int ready = Math.min(length, to - from);
    System.arraycopy(buffer, from, payload, 0, ready);
    from += ready;
    return in.readNBytes(payload, ready, length - ready) == length - ready;
  }

  private boolean fill(int least) throws IOException {
    if (to - from >= least) return true;
    System.arraycopy(buffer, from, buffer, 0, to - from);
    to -= from;
    from = 0;
    while (to < least) {
      int read = in.read(buffer, to, buffer.length - to);
      if (read <= 0) return false;
      to += read;
    }
    return true;
  }

  static byte[] number(int value) {
    byte[] bytes = new byte[4];
    putInt(bytes, 0, value);
    return bytes;
  }

  static int getInt(byte[] bytes, int at) {
    return (bytes[at] & 255) << 24 | (bytes[at + 1] & 255) << 16 | (bytes[at + 2] & 255) << 8 | (bytes[at + 3] & 255);
  }

  static void putInt(byte[] bytes, int at, int value) {
    bytes[at] = (byte) (value >> 24);
    bytes[at + 1] = (byte) (value >> 16);
    bytes[at + 2] = (byte) (value >> 8);
    bytes[at + 3] = (byte) value;
  }
}
