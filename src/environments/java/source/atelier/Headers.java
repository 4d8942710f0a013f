package atelier;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** Header fields in their order, without regard to case. */
public final class Headers {
  private final List<Map.Entry<String, String>> lines = new ArrayList<>();

  /** The value of a field, or null. One that repeats reads as one value, joined. */
  public String get(String name) {
    List<String> values = all(name);
    if (values.isEmpty()) return null;
    return String.join(name.equalsIgnoreCase("cookie") ? "; " : ", ", values);
  }

  /** Every value of a field. */
  public List<String> all(String name) {
    List<String> values = new ArrayList<>();
    for (Map.Entry<String, String> line : lines) if (line.getKey().equalsIgnoreCase(name)) values.add(line.getValue());
    return values;
  }

  /** Every field, in order; names are in lower case. */
  public List<Map.Entry<String, String>> lines() {
    return Collections.unmodifiableList(lines);
  }

  /** Adds a field beside those of the same name. */
  public Headers add(String name, String value) {
    lines.add(Map.entry(name.toLowerCase(java.util.Locale.ROOT), value));
    return this;
  }

  /** Puts a field in the place of all of the same name. */
  public Headers set(String name, String value) {
    lines.removeIf(line -> line.getKey().equalsIgnoreCase(name));
    return add(name, value);
  }
}
