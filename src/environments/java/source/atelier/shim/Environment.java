package atelier.shim;

import java.lang.reflect.Field;
import java.util.Map;

/** Environment variables of a process that runs already. Java has no way to set them: its own copy of them is changed. */
final class Environment {
  private Environment() {}

  @SuppressWarnings("unchecked")
  static Map<String, String> variables() throws ReflectiveOperationException {
    Field shown = Class.forName("java.lang.ProcessEnvironment").getDeclaredField("theUnmodifiableEnvironment");
    shown.setAccessible(true);
    Object unmodifiable = shown.get(null);
    Field inner = unmodifiable.getClass().getDeclaredField("m");
    inner.setAccessible(true);
    return (Map<String, String>) inner.get(unmodifiable);
  }
}
