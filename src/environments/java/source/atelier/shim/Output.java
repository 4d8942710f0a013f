package atelier.shim;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** System.out and System.err of the code, sent as LOG with the number of the call whose thread writes. */
final class Output extends OutputStream {
  private static final int PIECE_BYTES_MAX = 64 * 1024;
  private static final long CALL_BYTES_MAX = 2 * 1024 * 1024; // the platform keeps less; a flood is stopped where it starts

  /** The call that runs on this thread. */
  static final ThreadLocal<Call> CURRENT = new ThreadLocal<>();

  private static Wire wire;
  private final int stream;
  private final Lines rest = new Lines();

  private Output(int stream) {
    this.stream = stream;
  }

  static void capture(Wire to) {
    wire = to;
    System.setOut(new PrintStream(new Output(1), false, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(new Output(2), false, StandardCharsets.UTF_8));
  }

  /** What was written without a line break at its end goes out before the answer does. */
  static void endOf(Call call) throws IOException {
    for (int i = 0; i < 2; i++) {
      Lines lines = call.lines[i];
      if (lines == null || lines.size() == 0) continue;
      lines.write('\n');
      send(i + 1, call, lines);
    }
  }

  @Override
  public void write(int one) throws IOException {
    write(new byte[] {(byte) one}, 0, 1);
  }

  @Override
  public void write(byte[] data, int offset, int length) throws IOException {
    Call call = CURRENT.get();
    if (call != null && call.isOver()) call = null;
    Lines lines = rest;
    if (call != null) {
      lines = call.lines[stream - 1];
      if (lines == null) lines = call.lines[stream - 1] = new Lines();
    }
    synchronized (lines) {
      lines.write(data, offset, length);
      if (lines.endsWithBreak() || lines.size() >= PIECE_BYTES_MAX) send(stream, call, lines);
    }
  }

  private static void send(int stream, Call call, Lines lines) throws IOException {
    byte[] text = lines.toByteArray();
    lines.reset();
    if (call != null) {
      if (call.loggedBytes > CALL_BYTES_MAX) return;
      call.loggedBytes += text.length;
    }
    byte[] first = {(byte) stream};
    for (int at = 0; at < text.length; ) {
      int size = Math.min(PIECE_BYTES_MAX, text.length - at);
      while (size > 1 && at + size < text.length && (text[at + size] & 0xc0) == 0x80) size--; // no letter is cut
      wire.send(Wire.LOG, 0, call == null ? 0 : call.number, first, text, at, size);
      at += size;
    }
  }

  /** A line that is not complete yet. */
  static final class Lines extends ByteArrayOutputStream {
    boolean endsWithBreak() {
      return count > 0 && buf[count - 1] == '\n';
    }
  }
}
