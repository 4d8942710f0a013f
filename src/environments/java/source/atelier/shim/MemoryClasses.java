package atelier.shim;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;

/** Keeps what the compiler makes in memory, and loads it from there. */
final class MemoryClasses extends ForwardingJavaFileManager<JavaFileManager> {
  private final Map<String, ByteArrayOutputStream> made = new ConcurrentHashMap<>();
  private final ClassLoader parent;

  MemoryClasses(JavaFileManager files, ClassLoader parent) {
    super(files);
    this.parent = parent;
  }

  ClassLoader loader() {
    return new ClassLoader(parent) {
      @Override
      protected Class<?> findClass(String name) throws ClassNotFoundException {
        ByteArrayOutputStream bytes = made.get(name);
        if (bytes == null) throw new ClassNotFoundException(name);
        return defineClass(name, bytes.toByteArray(), 0, bytes.size());
      }
    };
  }

  @Override
  public JavaFileObject getJavaFileForOutput(Location location, String name, JavaFileObject.Kind kind, FileObject sibling) {
    return new SimpleJavaFileObject(URI.create("memory:///" + name.replace('.', '/') + kind.extension), kind) {
      @Override
      public OutputStream openOutputStream() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        made.put(name, bytes);
        return bytes;
      }
    };
  }
}
