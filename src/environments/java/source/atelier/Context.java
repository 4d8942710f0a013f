package atelier;

import java.util.Map;

/** What a handler is told beside the request. */
public interface Context {
  /** The caller has it as `atelier-invocation-id`. */
  String invocationId();

  /** The trace that this call belongs to, or null. */
  String traceparent();

  /** Epoch milliseconds at which the platform gives up. */
  long deadline();

  long remainingMs();

  /** Why nobody waits any more (`client`, `deadline`, `shutdown`), or null. The thread is interrupted when it happens. */
  String cancelled();

  Map<String, String> config();

  Map<String, String> secrets();

  /** project, app, name and version. */
  Map<String, Object> function();

  String instance();

  int memoryMiB();

  /** The folder with the function's files, where java.io's relative paths do not lead. */
  java.nio.file.Path directory();

  /** Accepts the WebSocket that this call offers; it is open until it is closed or the handler returns. */
  WebSocket upgradeWebSocket(String protocol) throws java.io.IOException;
}
