package atelier.shim;

import atelier.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** What is told of an error. */
final class Failure {
  private static final int MESSAGE_CHARACTERS_MAX = 4_000;
  private static final int STACK_CHARACTERS_MAX = 32_000;

  private Failure() {}

  /** The payload of FAIL and LOAD_FAILED. */
  static byte[] of(Throwable error) {
    String message = error.getMessage();
    if (message == null || message.isEmpty()) message = error.getClass().getName();
    leaveOutOwn(error);
    StringWriter stack = new StringWriter();
    error.printStackTrace(new PrintWriter(stack));
    Map<String, Object> failure = new LinkedHashMap<>();
    failure.put("message", cut(message, MESSAGE_CHARACTERS_MAX));
    failure.put("stack", cut(stack.toString().stripTrailing(), STACK_CHARACTERS_MAX));
    return Json.write(failure).getBytes(StandardCharsets.UTF_8);
  }

  /** What stands below the handler says nothing to its author. */
  private static void leaveOutOwn(Throwable error) {
    StackTraceElement[] trace = error.getStackTrace();
    int size = trace.length;
    while (size > 0 && isOwn(trace[size - 1].getClassName())) size--;
    if (size > 0) error.setStackTrace(Arrays.copyOf(trace, size));
  }

  private static boolean isOwn(String name) {
    return name.startsWith("atelier.shim.") || name.startsWith("jdk.internal.reflect.")
        || name.startsWith("java.lang.reflect.") || name.equals("java.lang.Thread");
  }

  private static String cut(String text, int most) {
    return text.length() <= most ? text : text.substring(0, most);
  }
}
