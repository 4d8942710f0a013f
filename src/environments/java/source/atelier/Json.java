package atelier;

import java.lang.reflect.Array;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON to plain values and back. */
public final class Json {
  private static final int DEPTH_MAX = 500;

  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /** Map, List, String, Long, Double, Boolean or null. IllegalArgumentException says where it is no JSON. */
  public static Object parse(String text) {
    Json parser = new Json(text);
    Object value = parser.value(0);
    parser.space();
    if (parser.at < text.length()) throw parser.wrong();
    return value;
  }

  /** The text of maps, collections, arrays, records, texts, numbers, booleans and null; of others what toString says. */
  public static String write(Object value) {
    StringBuilder out = new StringBuilder();
    write(out, value, 0);
    return out.toString();
  }

  private Object value(int depth) {
    if (depth > DEPTH_MAX) throw new IllegalArgumentException("The JSON is nested too deep.");
    space();
    char first = at < text.length() ? text.charAt(at) : 0;
    if (first == '{') return object(depth);
    if (first == '[') return array(depth);
    if (first == '"') return string();
    if (take("true")) return true;
    if (take("false")) return false;
    if (take("null")) return null;
    return number();
  }

  private Map<String, Object> object(int depth) {
    Map<String, Object> fields = new LinkedHashMap<>();
    at++;
    space();
    if (take("}")) return fields;
    do {
      space();
      String name = string();
      space();
      if (!take(":")) throw wrong();
      fields.put(name, value(depth + 1));
      space();
    } while (take(","));
    if (!take("}")) throw wrong();
    return fields;
  }

  private List<Object> array(int depth) {
    List<Object> items = new ArrayList<>();
    at++;
    space();
    if (take("]")) return items;
    do {
      items.add(value(depth + 1));
      space();
    } while (take(","));
    if (!take("]")) throw wrong();
    return items;
  }

  private String string() {
    if (!take("\"")) throw wrong();
    StringBuilder out = new StringBuilder();
    while (at < text.length()) {
      char each = text.charAt(at++);
      if (each == '"') return out.toString();
      if (each < ' ') throw wrong();
      out.append(each == '\\' ? escaped() : each);
    }
    throw wrong();
  }

  private char escaped() {
    char kind = at < text.length() ? text.charAt(at++) : 0;
    int plain = "\"\\/bfnrt".indexOf(kind);
    if (plain >= 0) return "\"\\/\b\f\n\r\t".charAt(plain);
    if (kind != 'u' || at + 4 > text.length()) throw wrong();
    at += 4;
    return (char) Integer.parseInt(text.substring(at - 4, at), 16);
  }

  private Object number() {
    int from = at;
    boolean whole = true;
    while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0)
      whole &= ".eE".indexOf(text.charAt(at++)) < 0;
    String digits = text.substring(from, at);
    if (!digits.matches("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?")) throw wrong();
    if (whole && digits.length() < 19) return Long.valueOf(digits);
    return Double.valueOf(digits);
  }

  private boolean take(String word) {
    if (!text.startsWith(word, at)) return false;
    at += word.length();
    return true;
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
  }

  private IllegalArgumentException wrong() {
    return new IllegalArgumentException("There is no JSON at character " + at + " of " + text.length() + ".");
  }

  private static void write(StringBuilder out, Object value, int depth) {
    if (depth > DEPTH_MAX) throw new IllegalArgumentException("The value is nested too deep, or contains itself.");
    if (value == null || value instanceof Boolean) out.append(value);
    else if (value instanceof Number) {
      double number = ((Number) value).doubleValue();
      out.append(Double.isFinite(number) ? value.toString() : "null");
    } else if (value instanceof Map) {
      String comma = "{";
      for (Map.Entry<?, ?> field : ((Map<?, ?>) value).entrySet()) {
        quote(out.append(comma), String.valueOf(field.getKey()));
        write(out.append(':'), field.getValue(), depth + 1);
        comma = ",";
      }
      out.append(comma.equals("{") ? "{}" : "}");
    } else if (value instanceof Iterable) {
      String comma = "[";
      for (Object item : (Iterable<?>) value) {
        write(out.append(comma), item, depth + 1);
        comma = ",";
      }
      out.append(comma.equals("[") ? "[]" : "]");
    } else if (value.getClass().isArray()) {
      out.append('[');
      for (int i = 0; i < Array.getLength(value); i++) {
        if (i > 0) out.append(',');
        write(out, Array.get(value, i), depth + 1);
      }
      out.append(']');
    } else if (value instanceof Record) write(out, fieldsOf((Record) value), depth);
    else quote(out, value.toString());
  }

  private static Map<String, Object> fieldsOf(Record value) {
    Map<String, Object> fields = new LinkedHashMap<>();
    for (RecordComponent component : value.getClass().getRecordComponents()) {
      try {
        component.getAccessor().setAccessible(true);
        fields.put(component.getName(), component.getAccessor().invoke(value));
      } catch (ReflectiveOperationException error) {
        throw new IllegalArgumentException("The record " + value.getClass().getName() + " cannot be read.", error);
      }
    }
    return fields;
  }

  private static void quote(StringBuilder out, String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char each = text.charAt(i);
      int short_ = "\"\\\n\r\t".indexOf(each);
      if (short_ >= 0) out.append('\\').append("\"\\nrt".charAt(short_));
      else if (each < ' ' || each == '\u2028' || each == '\u2029') out.append(String.format("\\u%04x", (int) each));
      else out.append(each);
    }
    out.append('"');
  }
}
