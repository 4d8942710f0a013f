package atelier.shim;

import atelier.Context;
import atelier.Json;
import atelier.Request;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** A request as AWS's HTTP gateways send it on, or its body alone. */
final class LambdaEvent {
  private static final String BODY_TYPE = "application/vnd.atelier.event+json";
  private static final Pattern TEXT =
      Pattern.compile("(?i)(text/|application/(json|xml|javascript|x-www-form-urlencoded|[\\w.+-]+\\+(json|xml))\\b).*");
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("dd/MMM/yyyy:HH:mm:ss Z", Locale.ROOT);

  private LambdaEvent() {}

  /** Whether the body itself is the event: the configuration says so, or its type. */
  static boolean isBody(Request request, Context context) {
    String type = request.header("content-type");
    return "body".equals(context.config().get("ATELIER_LAMBDA_EVENT")) || type != null && type.startsWith(BODY_TYPE);
  }

  static byte[] bytes(Request request, Context context, boolean plain) throws IOException {
    if (plain) return request.body().length == 0 ? new byte[] {'{', '}'} : request.body();
    return Json.write(of(request, context, false, Object.class)).getBytes(StandardCharsets.UTF_8);
  }

  /** Payload format 2.0; 1.0 for handlers whose parameter is AWS's class for that. */
  static Object of(Request request, Context context, boolean plain, Class<?> type) throws IOException {
    if (plain) return request.body().length == 0 ? Map.of() : request.json();
    return type.getSimpleName().equals("APIGatewayProxyRequestEvent") ? first(request, context) : second(request, context);
  }

  private static Map<String, Object> second(Request request, Context context) throws IOException {
    int question = request.target().indexOf('?');
    String path = question < 0 ? request.target() : request.target().substring(0, question);
    Map<String, Object> event = new LinkedHashMap<>();
    event.put("version", "2.0");
    event.put("routeKey", "$default");
    event.put("rawPath", path);
    event.put("rawQueryString", question < 0 ? "" : request.target().substring(question + 1));
    String cookies = request.header("cookie");
    if (cookies != null) event.put("cookies", Arrays.asList(cookies.split(";\\s*")));
    Map<String, String> headers = headers(request);
    headers.remove("cookie");
    event.put("headers", headers);
    if (question >= 0) event.put("queryStringParameters", query(request, true));
    Map<String, Object> http = new LinkedHashMap<>();
    http.put("method", request.method());
    http.put("path", path);
    http.put("protocol", "HTTP/1.1");
    http.put("sourceIp", sourceIp(request));
    http.put("userAgent", headers.getOrDefault("user-agent", ""));
    ZonedDateTime now = ZonedDateTime.now(ZoneOffset.UTC);
    Map<String, Object> about = about(request, context);
    about.put("http", http);
    about.put("routeKey", "$default");
    about.put("time", TIME.format(now));
    about.put("timeEpoch", now.toInstant().toEpochMilli());
    event.put("requestContext", about);
    addBody(event, request);
    return event;
  }

  private static Map<String, Object> first(Request request, Context context) throws IOException {
    Map<String, Object> event = new LinkedHashMap<>();
    event.put("version", "1.0");
    event.put("resource", "$default");
    event.put("path", request.path());
    event.put("httpMethod", request.method());
    event.put("headers", headers(request));
    Map<String, List<String>> all = new LinkedHashMap<>();
    for (String name : headers(request).keySet()) all.put(name, request.headers().all(name));
    event.put("multiValueHeaders", all);
    Map<String, List<String>> query = request.query();
    event.put("queryStringParameters", query.isEmpty() ? null : query(request, false));
    event.put("multiValueQueryStringParameters", query.isEmpty() ? null : query);
    Map<String, Object> about = about(request, context);
    about.put("httpMethod", request.method());
    about.put("path", request.path());
    about.put("identity", Map.of("sourceIp", sourceIp(request)));
    event.put("requestContext", about);
    addBody(event, request);
    return event;
  }

  private static Map<String, Object> about(Request request, Context context) {
    Map<String, Object> about = new LinkedHashMap<>();
    about.put("accountId", "");
    about.put("apiId", "");
    about.put("domainName", request.header("host") == null ? "" : request.header("host"));
    about.put("requestId", context.invocationId());
    about.put("stage", "$default");
    return about;
  }

  private static void addBody(Map<String, Object> event, Request request) throws IOException {
    byte[] body = request.body();
    String type = request.header("content-type");
    boolean text = type != null && TEXT.matcher(type).matches();
    if (body.length > 0) event.put("body", text ? request.text() : Base64.getEncoder().encodeToString(body));
    event.put("isBase64Encoded", body.length > 0 && !text);
  }

  private static Map<String, String> headers(Request request) {
    Map<String, String> headers = new LinkedHashMap<>();
    for (Map.Entry<String, String> line : request.headers().lines()) headers.computeIfAbsent(line.getKey(), request::header);
    return headers;
  }

  private static Map<String, String> query(Request request, boolean joined) {
    Map<String, String> query = new LinkedHashMap<>();
    request.query().forEach((name, values) -> query.put(name, joined ? String.join(",", values) : values.get(values.size() - 1)));
    return query;
  }

  private static String sourceIp(Request request) {
    String forwarded = request.header("x-forwarded-for");
    return forwarded == null ? "" : forwarded.split(",")[0].strip();
  }
}
