package atelier.shim;

import atelier.Response;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Sends what a handler returned. */
final class Answer {
  private static final byte[] NOTHING = {};

  private Answer() {}

  static void send(Call call, Response response) throws Exception {
    Object body = response.body();
    byte[] bytes = body instanceof byte[] ? (byte[]) body : NOTHING;
    if (body instanceof String) bytes = ((String) body).getBytes(StandardCharsets.UTF_8);
    boolean bare = call.method.equals("HEAD");
    int status = response.status();
    boolean none = body == null || status == 204 || status == 205 || status == 304;
    if (!none && !(body instanceof InputStream) && !(body instanceof Response.Writer)) {
      if ((bare || bytes.length > Wire.WINDOW_BYTES) && response.headers().get("content-length") == null)
        response.header("content-length", Integer.toString(bytes.length));
    }
    byte[] head = headOf(response);
    if (none || bare) {
      if (body instanceof InputStream) ((InputStream) body).close();
      call.answer(head, NOTHING);
    } else if (body instanceof InputStream) {
      try (InputStream stream = (InputStream) body) {
        call.answerHead(head);
        stream.transferTo(new Body(call));
        call.end();
      }
    } else if (body instanceof Response.Writer) {
      call.answerHead(head);
      ((Response.Writer) body).writeTo(new Body(call));
      call.end();
    } else if (bytes.length <= Wire.WINDOW_BYTES) call.answer(head, bytes);
    else {
      call.answerHead(head);
      call.write(bytes, 0, bytes.length);
      call.end();
    }
  }

  /** IllegalArgumentException names what is not fit to be sent. */
  private static byte[] headOf(Response response) {
    int status = response.status();
    if (status < 200 || status > 599)
      throw new IllegalArgumentException("The status " + status + " is not from 200 to 599.");
    StringBuilder head = new StringBuilder().append(status);
    for (Map.Entry<String, String> line : response.headers().lines()) {
      String name = line.getKey();
      if (!isName(name)) throw new IllegalArgumentException("\"" + name + "\" is not a header name.");
      String value = line.getValue() == null ? "" : line.getValue().strip();
      if (!isValue(value))
        throw new IllegalArgumentException("The value of the header " + name + " holds characters that no header may hold.");
      head.append('\n').append(name).append(": ").append(value);
    }
    return head.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static boolean isName(String name) {
    for (int i = 0; i < name.length(); i++) {
      char each = name.charAt(i);
      boolean letter = each >= 'a' && each <= 'z' || each >= '0' && each <= '9';
      if (!letter && "!#$%&'*+.^_`|~-".indexOf(each) < 0) return false;
    }
    return !name.isEmpty();
  }

  private static boolean isValue(String value) {
    for (int i = 0; i < value.length(); i++) {
      char each = value.charAt(i);
      if (each != '\t' && (each < ' ' || each > 255 || each >= 127 && each < 160)) return false;
    }
    return true;
  }

  /** The body of an answer that is written piece by piece. */
  private static final class Body extends OutputStream {
    private final Call call;

    Body(Call call) {
      this.call = call;
    }

    @Override
    public void write(int one) throws IOException {
      write(new byte[] {(byte) one}, 0, 1);
    }

    @Override
    public void write(byte[] data, int offset, int length) throws IOException {
      if (call.isOver()) throw new IOException("The answer has ended.");
      call.write(data, offset, length);
    }
  }
}
