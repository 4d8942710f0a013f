package atelier.shim;

import atelier.Json;
import atelier.Response;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/** What an AWS handler returns, as an HTTP gateway reads it. */
final class LambdaAnswer {
  private static final String JSON = "application/json";

  private LambdaAnswer() {}

  /** Of what a stream was given. */
  static Response of(byte[] bytes) {
    try {
      Object value = Json.parse(new String(bytes, StandardCharsets.UTF_8));
      if (hasStatus(value)) return of(value);
    } catch (IllegalArgumentException other) {
      return Response.bytes(bytes);
    }
    return Response.bytes(bytes).header("content-type", JSON);
  }

  /** Of plain data. Without a status it is the body. */
  static Response of(Object result) {
    if (result == null) return Response.empty(204);
    if (result instanceof String) return Response.text((String) result).header("content-type", JSON);
    return hasStatus(result) ? answer((Map<?, ?>) result) : Response.json(result);
  }

  private static boolean hasStatus(Object value) {
    return value instanceof Map && ((Map<?, ?>) value).get("statusCode") instanceof Number;
  }

  private static Response answer(Map<?, ?> result) {
    int status = ((Number) result.get("statusCode")).intValue();
    Object body = result.get("body");
    boolean encoded = Boolean.TRUE.equals(result.get("isBase64Encoded")) || Boolean.TRUE.equals(result.get("base64Encoded"));
    Response response = body == null
        ? Response.empty(status)
        : encoded
            ? Response.bytes(Base64.getDecoder().decode(body.toString()))
            : Response.text(body instanceof String ? (String) body : Json.write(body));
    response.status(status);
    if (body != null) response.header("content-type", JSON);
    each(result.get("headers"), response::header);
    if (result.get("multiValueHeaders") instanceof Map)
      ((Map<?, ?>) result.get("multiValueHeaders")).forEach((name, values) -> {
        boolean first = true;
        for (Object value : values instanceof List ? (List<?>) values : List.of()) {
          if (first) response.header(name.toString(), String.valueOf(value));
          else response.add(name.toString(), String.valueOf(value));
          first = false;
        }
      });
    if (result.get("cookies") instanceof List)
      for (Object cookie : (List<?>) result.get("cookies")) response.add("set-cookie", String.valueOf(cookie));
    return response;
  }

  private interface Field {
    void set(String name, String value);
  }

  private static void each(Object headers, Field field) {
    if (headers instanceof Map) ((Map<?, ?>) headers).forEach((name, value) -> field.set(name.toString(), String.valueOf(value)));
  }
}
