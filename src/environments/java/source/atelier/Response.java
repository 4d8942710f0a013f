package atelier;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** An answer. */
public final class Response {
  /** Writes a body piece by piece; each write is sent at once, and waits while the caller is behind. */
  @FunctionalInterface
  public interface Writer {
    void writeTo(OutputStream out) throws Exception;
  }

  private int status = 200;
  private final Headers headers = new Headers();
  private final Object body;

  private Response(Object body, String type) {
    this.body = body;
    if (type != null) headers.set("content-type", type);
  }

  public static Response text(String text) {
    return new Response(text, "text/plain; charset=utf-8");
  }

  public static Response html(String text) {
    return new Response(text, "text/html; charset=utf-8");
  }

  public static Response bytes(byte[] bytes) {
    return new Response(bytes, "application/octet-stream");
  }

  /** Maps, collections, arrays, texts, numbers, booleans, null and records. */
  public static Response json(Object value) {
    return new Response(Json.write(value), "application/json");
  }

  /** A body that is read to its end, and closed. */
  public static Response stream(InputStream stream) {
    return new Response(stream, "application/octet-stream");
  }

  public static Response stream(Writer writer) {
    return new Response(writer, "application/octet-stream");
  }

  public static Response empty(int status) {
    return new Response(null, null).status(status);
  }

  public static Response redirect(String location) {
    return empty(302).header("location", location);
  }

  public Response status(int status) {
    this.status = status;
    return this;
  }

  /** Puts a field in the place of all of the same name. */
  public Response header(String name, String value) {
    headers.set(name, value);
    return this;
  }

  /** Adds a field beside those of the same name. */
  public Response add(String name, String value) {
    headers.add(name, value);
    return this;
  }

  public int status() {
    return status;
  }

  public Headers headers() {
    return headers;
  }

  /** String, byte[], InputStream, Writer or null. */
  public Object body() {
    return body;
  }

  /** An answer for anything a handler may return. */
  public static Response of(Object value) throws IOException {
    if (value instanceof Response) return (Response) value;
    if (value == null) return empty(204);
    if (value instanceof String) return text((String) value);
    if (value instanceof byte[]) return bytes((byte[]) value);
    if (value instanceof InputStream) return stream((InputStream) value);
    return json(value);
  }
}
