package atelier.shim;

import atelier.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * The life of an instance: HELLO, LOAD, calls, DRAIN. The main thread reads the stream; others run the code. There are no lambdas on the way of a
 * first call: the JDK makes each when it is met, which takes as long as all the rest.
 */
final class Instance implements Consumer<Call> {
  private final Wire wire;
  private final Runner runner = new Runner();
  private final Map<Integer, Call> calls = new ConcurrentHashMap<>();
  private volatile boolean draining;

  Instance(Wire wire) {
    this.wire = wire;
  }

  /** Ends with the process. */
  void serve() throws Exception {
    Map<String, Object> hello = new LinkedHashMap<>();
    hello.put("protocol", 1);
    hello.put("shim", "java");
    hello.put("runtime", System.getProperty("java.version"));
    hello.put("pid", ProcessHandle.current().pid());
    String secret = Environment.variables().remove("ATELIER_SECRET");
    if (secret != null) hello.put("secret", secret);
    wire.send(Wire.HELLO, 0, 0, json(hello));
    try {
      while (wire.next()) receive();
    } catch (IOException gone) {
      // the platform has gone
    } finally {
      Runtime.getRuntime().halt(0); // the code may hold threads that never end
    }
  }

  private void receive() throws IOException {
    switch (wire.type) {
      case Wire.CALL:
        Call call = new Call(wire, wire.call, wire.flags, wire.payload, this);
        calls.put(call.number, call);
        runner.start(call);
        break;
      case Wire.PING:
        wire.send(Wire.PONG, 0, 0, wire.payload);
        break;
      case Wire.LOAD:
        byte[] payload = wire.payload;
        // On a thread of its own: the stream is read while the code loads.
        Thread loading = new Thread(new Loading(this, payload), "atelier-load");
        loading.setDaemon(true);
        loading.start();
        break;
      case Wire.DRAIN:
        draining = true;
        exitWhenDrained();
        break;
      default:
        Call known = calls.get(wire.call);
        if (known != null) known.receive(wire.type, wire.flags, wire.payload);
    }
  }

  /** This call has ended. */
  @Override
  public void accept(Call call) {
    calls.remove(call.number);
    exitWhenDrained();
  }

  private void exitWhenDrained() {
    if (draining && calls.isEmpty()) Runtime.getRuntime().halt(0);
  }

  static final class Loading implements Runnable {
    private final Instance instance;
    private final byte[] payload;

    Loading(Instance instance, byte[] payload) {
      this.instance = instance;
      this.payload = payload;
    }

    @Override
    public void run() {
      instance.load(payload);
    }
  }

  private void load(byte[] payload) {
    long before = System.nanoTime();
    try {
      try {
        Version version = new Version(payload);
        Map<String, String> variables = Environment.variables();
        variables.remove("ATELIER_DIRECTORY");
        variables.putAll(version.config);
        variables.putAll(version.secrets);
        Output.capture(wire);
        ClassLoader loader = loaderOf(Path.of(version.directory));
        Thread.currentThread().setContextClassLoader(loader);
        runner.use(version, Handler.load(loader, version.entry));
      } catch (Throwable error) {
        Throwable cause = error instanceof ExceptionInInitializerError && error.getCause() != null ? error.getCause() : error;
        wire.send(Wire.LOAD_FAILED, 0, 0, Failure.of(cause));
        Runtime.getRuntime().halt(1);
      }
      Map<String, Object> loaded = Map.of("initUs", (System.nanoTime() - before) / 1000);
      wire.send(Wire.LOADED, 0, 0, json(loaded));
    } catch (IOException gone) {
      Runtime.getRuntime().halt(0);
    }
  }

  /** Of what a build leaves; sources that were not built (as with `atelier dev`) are compiled for this process. */
  static ClassLoader loaderOf(Path folder) throws IOException {
    ClassLoader loader = Code.loader(folder);
    if (Code.isBuilt(folder)) return loader;
    List<Path> sources = Compiler.sources(folder);
    return sources.isEmpty() ? loader : Compiler.compileInMemory(folder, sources, loader);
  }

  private static byte[] json(Object value) {
    return Json.write(value).getBytes(StandardCharsets.UTF_8);
  }
}
