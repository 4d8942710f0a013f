package atelier.shim;

import atelier.WebSocket;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.LinkedBlockingQueue;

/** The code's end of a WebSocket, over one call. What waits in its queue is bounded by the call's window. */
final class Socket implements WebSocket {
  private static final Object GONE = new Object();

  private final Call call;
  private final LinkedBlockingQueue<Object> messages = new LinkedBlockingQueue<>();
  private volatile int closeCode = -1;
  private volatile boolean ended;

  private Socket(Call call) {
    this.call = call;
  }

  static Socket accept(Call call, String protocol) throws IOException {
    if (!"websocket".equals(call.headers.get("upgrade")))
      throw new IllegalStateException("This call offers no WebSocket: it has no \"upgrade: websocket\".");
    call.socket = new Socket(call);
    String head = protocol == null ? "101" : "101\nsec-websocket-protocol: " + protocol;
    call.answerHead(head.getBytes(StandardCharsets.UTF_8));
    return call.socket;
  }

  @Override
  public void send(String text) throws IOException {
    send(text.getBytes(StandardCharsets.UTF_8), true);
  }

  @Override
  public void send(byte[] bytes) throws IOException {
    send(bytes, false);
  }

  private void send(byte[] bytes, boolean text) throws IOException {
    if (bytes.length > Wire.PAYLOAD_BYTES_MAX)
      throw new IllegalArgumentException("A message may hold " + Wire.PAYLOAD_BYTES_MAX + " bytes.");
    if (ended || call.isOver()) throw new IOException("The socket is closed.");
    call.writeMessage(bytes, text);
  }

  @Override
  public Object receive() throws IOException {
    if (ended) return null;
    Object message;
    try {
      message = messages.take();
    } catch (InterruptedException interrupted) {
      message = GONE;
    }
    if (message == GONE) {
      ended = true;
      return null;
    }
    byte[] bytes = message instanceof Text ? ((Text) message).bytes : (byte[]) message;
    call.consumed(bytes.length + Wire.MESSAGE_COST_BYTES);
    return message instanceof Text ? new String(bytes, StandardCharsets.UTF_8) : bytes;
  }

  @Override
  public void close(int code, String reason) throws IOException {
    ended = true;
    byte[] text = reason.getBytes(StandardCharsets.UTF_8);
    byte[] payload = new byte[2 + Math.min(text.length, 123)];
    payload[0] = (byte) (code >> 8);
    payload[1] = (byte) code;
    System.arraycopy(text, 0, payload, 2, payload.length - 2);
    call.end(payload);
  }

  @Override
  public int closeCode() {
    return closeCode;
  }

  // Called on the reading thread

  void deliver(byte[] payload, boolean text) {
    messages.add(text ? new Text(payload) : payload);
  }

  /** `payload` is that of the close frame, or null when the other side is just gone. */
  void closedByPeer(byte[] payload) {
    if (payload != null && payload.length >= 2) closeCode = (payload[0] & 255) << 8 | (payload[1] & 255);
    messages.add(GONE);
  }

  private static final class Text {
    final byte[] bytes;

    Text(byte[] bytes) {
      this.bytes = bytes;
    }
  }
}
