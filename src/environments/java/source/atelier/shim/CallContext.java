package atelier.shim;

import atelier.Context;
import atelier.WebSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** What a handler is told beside the request, of one call. */
final class CallContext implements Context {
  private final Call call;
  private final Version version;

  CallContext(Call call, Version version) {
    this.call = call;
    this.version = version;
  }

  @Override
  public String invocationId() {
    return call.id;
  }

  @Override
  public String traceparent() {
    return call.headers.get("traceparent");
  }

  @Override
  public long deadline() {
    return call.deadline;
  }

  @Override
  public long remainingMs() {
    return Math.max(0, call.deadline - System.currentTimeMillis());
  }

  @Override
  public String cancelled() {
    return call.cancelReason();
  }

  @Override
  public Map<String, String> config() {
    return version.config;
  }

  @Override
  public Map<String, String> secrets() {
    return version.secrets;
  }

  @Override
  public Map<String, Object> function() {
    return version.function;
  }

  @Override
  public String instance() {
    return version.instance;
  }

  @Override
  public int memoryMiB() {
    return version.memoryMiB;
  }

  @Override
  public Path directory() {
    return Path.of(version.directory);
  }

  @Override
  public WebSocket upgradeWebSocket(String protocol) throws IOException {
    return Socket.accept(call, protocol);
  }
}
