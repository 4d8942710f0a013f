package atelier.shim;

import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Where the classes of a package are. */
final class Code {
  /** Folder that the build fills from sources. */
  static final String CLASSES = "classes";
  private static final String MAVEN_CLASSES = "target/classes";
  private static final String LIBRARIES = "lib";

  private Code() {}

  static ClassLoader loader(Path folder) {
    List<URL> urls = new ArrayList<>();
    for (Path each : path(folder)) urls.add(url(each));
    return new URLClassLoader("function", urls.toArray(URL[]::new), Code.class.getClassLoader());
  }

  static boolean isBuilt(Path folder) {
    return Files.isDirectory(folder.resolve(CLASSES)) || Files.isDirectory(folder.resolve(MAVEN_CLASSES));
  }

  /** Compiled classes, resources beside the sources, and every jar at the root and in lib. */
  static List<Path> path(Path folder) {
    List<Path> path = new ArrayList<>();
    for (String each : List.of(CLASSES, MAVEN_CLASSES)) if (Files.isDirectory(folder.resolve(each))) path.add(folder.resolve(each));
    path.add(folder);
    path.addAll(jars(folder));
    path.addAll(jars(folder.resolve(LIBRARIES)));
    return path;
  }

  private static List<Path> jars(Path folder) {
    List<Path> found = new ArrayList<>();
    String[] names = folder.toFile().list();
    if (names == null) return found;
    Arrays.sort(names);
    for (String name : names) if (name.endsWith(".jar")) found.add(folder.resolve(name));
    return found;
  }

  private static URL url(Path path) {
    try {
      return path.toUri().toURL();
    } catch (MalformedURLException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
