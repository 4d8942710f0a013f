package atelier;

import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One request. */
public final class Request {
  private final String method;
  private final String target;
  private final Headers headers;
  private final InputStream stream;
  private byte[] body;

  /** Made by the platform. */
  public Request(String method, String target, Headers headers, InputStream stream) {
    this.method = method;
    this.target = target;
    this.headers = headers;
    this.stream = stream;
  }

  public String method() {
    return method;
  }

  /** Path and query as the caller wrote them. */
  public String target() {
    return target;
  }

  /** The path, decoded. */
  public String path() {
    int query = target.indexOf('?');
    String path = query < 0 ? target : target.substring(0, query);
    return path.indexOf('%') < 0 ? path : decode(path.replace("+", "%2B"));
  }

  public String url() {
    String forwarded = headers.get("x-forwarded-proto");
    String host = headers.get("host");
    return (forwarded != null && forwarded.startsWith("https") ? "https://" : "http://")
        + (host == null ? "localhost" : host)
        + target;
  }

  public Headers headers() {
    return headers;
  }

  /** The value of a header, or null. */
  public String header(String name) {
    return headers.get(name);
  }

  /** Every value of each parameter in the query. */
  public Map<String, List<String>> query() {
    int at = target.indexOf('?');
    return fields(at < 0 ? "" : target.substring(at + 1));
  }

  /** The first value of a parameter in the query, or null. */
  public String query(String name) {
    List<String> values = query().get(name);
    return values == null ? null : values.get(0);
  }

  /** The first value of a parameter in the query, or `otherwise`. */
  public String query(String name, String otherwise) {
    String value = query(name);
    return value == null ? otherwise : value;
  }

  /** The fields of a form in application/x-www-form-urlencoded. */
  public Map<String, List<String>> form() throws IOException {
    return fields(text());
  }

  /** The body as it comes; it can be read once. */
  public InputStream stream() {
    return stream;
  }

  /** All of the body; waits for it. */
  public byte[] body() throws IOException {
    if (body == null) body = stream.readAllBytes();
    return body;
  }

  /** All of the body as UTF-8. */
  public String text() throws IOException {
    return new String(body(), StandardCharsets.UTF_8);
  }

  /** The body as JSON: Map, List, String, Long, Double, Boolean or null. IllegalArgumentException where it is none. */
  public Object json() throws IOException {
    return Json.parse(text());
  }

  private static Map<String, List<String>> fields(String text) {
    Map<String, List<String>> fields = new LinkedHashMap<>();
    if (text.isEmpty()) return fields;
    for (String pair : text.split("&")) {
      int equals = pair.indexOf('=');
      String name = decode(equals < 0 ? pair : pair.substring(0, equals));
      fields.computeIfAbsent(name, any -> new ArrayList<>()).add(equals < 0 ? "" : decode(pair.substring(equals + 1)));
    }
    return fields;
  }

  private static String decode(String text) {
    try {
      return URLDecoder.decode(text, StandardCharsets.UTF_8);
    } catch (IllegalArgumentException error) {
      return text; // a stray percent sign
    }
  }
}
