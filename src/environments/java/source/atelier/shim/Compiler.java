package atelier.shim;

import java.io.File;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;

/** Source files to classes, by the JDK's own compiler. */
final class Compiler {
  private static final Set<String> SKIPPED = Set.of("target", "test", "node_modules", Code.CLASSES);

  private Compiler() {}

  /** Every source file of a package, tests left out. */
  static List<Path> sources(Path folder) throws IOException {
    List<Path> found = new ArrayList<>();
    Files.walkFileTree(folder, new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult preVisitDirectory(Path each, BasicFileAttributes attributes) {
        String name = each.getFileName().toString();
        boolean skipped = !each.equals(folder) && (SKIPPED.contains(name) || name.startsWith("."));
        return skipped ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult visitFile(Path each, BasicFileAttributes attributes) {
        if (each.toString().endsWith(".java") && attributes.isRegularFile()) found.add(each);
        return FileVisitResult.CONTINUE;
      }
    });
    found.sort(null);
    return found;
  }

  /** Compiles into `to`; false when the compiler found errors, which it has printed. */
  static boolean compile(Path folder, List<Path> sources, Path to) throws IOException {
    Files.createDirectories(to);
    List<String> options = options(folder);
    options.addAll(List.of("-d", to.toString()));
    sources.forEach(each -> options.add(each.toString()));
    return compiler().run(null, null, null, options.toArray(String[]::new)) == 0;
  }

  /** A loader of what these sources become, over `parent`. What the compiler says of errors is the message of the exception. */
  static ClassLoader compileInMemory(Path folder, List<Path> sources, ClassLoader parent) throws IOException {
    JavaCompiler compiler = compiler();
    StringWriter said = new StringWriter();
    try (var files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8)) {
      MemoryClasses classes = new MemoryClasses(files, parent);
      var task = compiler.getTask(said, classes, null, options(folder), null, files.getJavaFileObjectsFromPaths(sources));
      if (!task.call()) throw new IllegalArgumentException(said.toString().strip());
      return classes.loader();
    }
  }

  private static List<String> options(Path folder) throws IOException {
    List<Path> path = new ArrayList<>(Code.path(folder));
    path.remove(folder); // or the compiler would take sources from it by their names
    path.add(Path.of(System.getProperty("java.class.path")));
    String classPath = path.stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator));
    return new ArrayList<>(List.of("-encoding", "UTF-8", "-g", "-parameters", "-proc:none", "-cp", classPath));
  }

  private static JavaCompiler compiler() {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    if (compiler == null) throw new IllegalStateException("This Java has no compiler: install a JDK (default-jdk-headless) on the server.");
    return compiler;
  }
}
