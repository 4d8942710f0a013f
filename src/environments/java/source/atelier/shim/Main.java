package atelier.shim;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.net.InetSocketAddress;
import java.net.URI;

/** The Java shim: speaks frames (docs/frames.md) for one instance. The JDK alone, 17 or newer. */
public final class Main {
  private static final int FRAMES_DESCRIPTOR = 3;

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    boolean generic = Environment.variables().remove("ATELIER_GENERIC") != null;
    if (generic || arguments.length > 0) Rehearsal.play();
    if (arguments.length > 0) return; // only to see which classes are needed
    Instance instance = new Instance(connect());
    instance.serve();
  }

  private static Wire connect() throws Exception {
    String target = Environment.variables().remove("ATELIER_CONNECT");
    if (target != null) {
      URI address = URI.create(target);
      java.net.Socket socket = new java.net.Socket();
      socket.connect(new InetSocketAddress(address.getHost().replaceAll("[\\[\\]]", ""), address.getPort()));
      socket.setTcpNoDelay(true);
      return new Wire(socket.getInputStream(), socket.getOutputStream());
    }
    FileDescriptor descriptor = descriptor(FRAMES_DESCRIPTOR);
    return new Wire(new FileInputStream(descriptor), new FileOutputStream(descriptor));
  }

  /** An open descriptor by its number, for which Java has no public way: the jar's manifest opens java.io for it. */
  private static FileDescriptor descriptor(int number) throws IOException, ReflectiveOperationException {
    FileDescriptor descriptor = new FileDescriptor();
    Field field = FileDescriptor.class.getDeclaredField("fd");
    field.setAccessible(true);
    field.setInt(descriptor, number);
    if (!descriptor.valid()) throw new IOException("Descriptor " + number + " is not open.");
    return descriptor;
  }
}
