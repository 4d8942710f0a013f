package atelier.shim;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The build's last step: compiles sources and looks for the entry. Nothing of the code runs. */
public final class Build {
  private Build() {}

  /** `folder entry [ready] [program]`; `ready`: the classes are made by other tools; `program`: the class has a main method and no handler. */
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    List<String> words = List.of(arguments).subList(2, arguments.length);
    if (!words.contains("ready")) {
      List<Path> sources = Compiler.sources(folder);
      if (!sources.isEmpty()) {
        if (!Compiler.compile(folder, sources, folder.resolve(Code.CLASSES))) System.exit(1);
        System.out.println(sources.size() + (sources.size() == 1 ? " source file is" : " source files are") + " compiled");
      }
    }
    try {
      boolean program = words.contains("program");
      System.out.println(program
          ? "the program is " + Handler.checkProgram(Code.loader(folder), arguments[1])
          : "the handler is " + Handler.check(Code.loader(folder), arguments[1]));
    } catch (IllegalArgumentException wrong) {
      System.err.println(wrong.getMessage());
      System.exit(1);
    } catch (LinkageError wrong) {
      System.err.println("The class of the entry " + arguments[1] + " cannot be loaded: " + wrong + hint(wrong));
      System.exit(1);
    }
  }

  private static String hint(LinkageError wrong) {
    if (wrong instanceof UnsupportedClassVersionError) return "\nIt was compiled for a newer Java than this server has.";
    if (wrong instanceof NoClassDefFoundError) return "\nA class that it needs is not in the package: add its jar to lib, or its dependency to the pom.xml.";
    return "";
  }
}
