import atelier.Context;
import atelier.Request;
import java.util.Map;

public class Main {
  /** Answers with a Map, which becomes JSON; text, bytes, a stream and a Response work as well. */
  public Object handle(Request request, Context context) {
    String name = request.query("name", "world");
    System.out.println("saying hello to " + name);
    return Map.of("message", "Hello, " + name + "!", "version", context.function().get("version"));
  }
}
