package atelier.shim;

import atelier.Json;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What LOAD says. */
final class Version {
  final String directory;
  final String entry;
  final Map<String, String> config;
  final Map<String, String> secrets;
  final Map<String, Object> function;
  final String instance;
  final int concurrency;
  final int memoryMiB;

  @SuppressWarnings("unchecked")
  Version(byte[] payload) {
    Map<String, Object> spec = (Map<String, Object>) Json.parse(new String(payload, StandardCharsets.UTF_8));
    // Without a sandbox there is no /function: the backend says where the bundle is instead.
    String elsewhere = System.getenv("ATELIER_DIRECTORY");
    directory = elsewhere == null ? (String) spec.get("directory") : elsewhere;
    entry = (String) spec.get("entry");
    config = texts(spec.get("config"));
    secrets = texts(spec.get("secrets"));
    function = (Map<String, Object>) spec.get("function");
    instance = (String) spec.get("instance");
    concurrency = ((Long) spec.get("concurrency")).intValue();
    memoryMiB = ((Long) spec.get("memoryMiB")).intValue();
  }

  private static Map<String, String> texts(Object fields) {
    Map<String, String> texts = new LinkedHashMap<>();
    if (fields != null) ((Map<?, ?>) fields).forEach((name, value) -> texts.put((String) name, (String) value));
    return texts;
  }
}
