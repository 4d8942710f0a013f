package atelier.shim;

import atelier.Json;
import atelier.Request;
import atelier.Response;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** Plays a load and some calls before anybody waits, so that the first real ones meet classes that are loaded. */
public final class Rehearsal {
  private static final int CALLS = 10; // fewer than make the JDK generate classes
  private static final String FOLDER = "rehearsal"; // beside the shim: /function holds others' code still, and cannot be listed
  private static final String LOAD = "{\"directory\":\"/function\",\"entry\":\"Rehearsed\",\"config\":{\"a\":\"b\"},"
      + "\"secrets\":{},\"function\":{\"name\":\"f\",\"version\":1},\"instance\":\"i\",\"concurrency\":1,\"memoryMiB\":128}";
  private static final String HEAD = "POST /path?name=value\nid\n9999999999999\nhost: example.org\nx-forwarded-proto: https";

  static void play() throws Exception {
    try {
      loadFromJar();
      Version version = new Version(LOAD.getBytes(StandardCharsets.UTF_8));
      Path shim = Path.of(System.getProperty("java.class.path"));
      Handler handler = Handler.load(Instance.loaderOf(shim.resolveSibling(FOLDER)), version.entry);
      for (int i = 0; i < CALLS; i++) call(handler, version);
      new Instance.Loading(null, null); // loads its class
      Failure.of(new IllegalStateException("rehearsed"));
      Json.parse("[1, 2.5, true, null, {\"a\": \"\\n\"}]");
    } catch (Throwable error) {
      throw new IllegalStateException("The rehearsal failed.", error);
    }
  }

  /** What comes first when code is loaded from an archive. */
  private static void loadFromJar() throws Exception {
    URL own = Rehearsal.class.getProtectionDomain().getCodeSource().getLocation();
    try (URLClassLoader loader = new URLClassLoader(new URL[] {own}, ClassLoader.getPlatformClassLoader());
        InputStream resource = loader.getResourceAsStream("META-INF/MANIFEST.MF")) {
      loader.loadClass("atelier.Json").getMethod("write", Object.class).invoke(null, Map.of("a", resource.available()));
    }
  }

  private static void call(Handler handler, Version version) throws Throwable {
    byte[] head = HEAD.getBytes(StandardCharsets.UTF_8);
    byte[] first = new byte[4 + head.length];
    Wire.putInt(first, 0, head.length);
    System.arraycopy(head, 0, first, 4, head.length);
    ByteArrayOutputStream frames = new ByteArrayOutputStream();
    byte[] body = "body".getBytes(StandardCharsets.UTF_8);
    new Wire(InputStream.nullInputStream(), frames).send(Wire.CALL, Wire.END, 1, first, body, 0, body.length);
    Wire wire = new Wire(new ByteArrayInputStream(frames.toByteArray()), new ByteArrayOutputStream());
    wire.next();
    Call call = new Call(wire, wire.call, wire.flags, wire.payload, ended -> {});
    Request request = new Request(call.method, call.target, call.headers, call);
    Answer.send(call, Response.of(handler.handle(request, new CallContext(call, version))));
  }
}
