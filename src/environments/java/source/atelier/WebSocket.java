package atelier;

import java.io.IOException;

/** The code's end of a WebSocket. The platform speaks the protocol; here are whole messages. */
public interface WebSocket {
  /** Sends text of at most 1 MiB, waiting while the other side is behind. */
  void send(String text) throws IOException;

  /** Sends bytes, at most 1 MiB. */
  void send(byte[] bytes) throws IOException;

  /** The next message, a String or byte[]; null when there will be none. */
  Object receive() throws IOException;

  void close(int code, String reason) throws IOException;

  /** What the other side said when it closed, or -1. */
  int closeCode();
}
