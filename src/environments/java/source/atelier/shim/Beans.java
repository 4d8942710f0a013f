package atelier.shim;

import atelier.Json;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Objects with setters and getters from plain data and back. Properties that nobody knows are left out. */
final class Beans {
  private static final int DEPTH_MAX = 100;

  private Beans() {}

  /** `value`, as Json.parse gives it, as an object of this type. IllegalArgumentException says what does not fit. */
  static Object read(Object value, Type type) {
    return read(value, type, 0);
  }

  /** What Json.write understands. */
  static Object plain(Object value) {
    return plain(value, 0);
  }

  private static Object read(Object value, Type type, int depth) {
    if (depth > DEPTH_MAX) throw new IllegalArgumentException("The value is nested too deep.");
    Type[] inner = type instanceof ParameterizedType ? ((ParameterizedType) type).getActualTypeArguments() : new Type[0];
    Type raw = type instanceof ParameterizedType ? ((ParameterizedType) type).getRawType() : type;
    if (!(raw instanceof Class) || raw == Object.class) return value;
    Class<?> wanted = (Class<?>) raw;
    if (value == null) return wanted.isPrimitive() ? Array.get(Array.newInstance(wanted, 1), 0) : null;
    if (wanted == String.class || wanted == CharSequence.class) return value instanceof String ? value : Json.write(value);
    if (wanted == boolean.class || wanted == Boolean.class) return fits(value instanceof Boolean, value, wanted);
    if (wanted.isPrimitive() || Number.class.isAssignableFrom(wanted)) return number(value, wanted);
    if (wanted.isEnum()) return constant(value, wanted);
    if (wanted == byte[].class) return Base64.getDecoder().decode(value.toString());
    if (wanted.isArray() || Collection.class.isAssignableFrom(wanted) || wanted == Iterable.class)
      return items(value, wanted, inner, depth);
    if (Map.class.isAssignableFrom(wanted)) {
      Type of = inner.length == 2 ? inner[1] : Object.class;
      Map<Object, Object> map = new LinkedHashMap<>();
      asMap(value, wanted).forEach((name, each) -> map.put(name, read(each, of, depth + 1)));
      return map;
    }
    return wanted.isRecord() ? record(asMap(value, wanted), wanted, depth) : bean(asMap(value, wanted), wanted, depth);
  }

  private static Object number(Object value, Class<?> wanted) {
    if (wanted == char.class) return fits(value instanceof String && ((String) value).length() == 1, value, wanted).toString().charAt(0);
    Number number = (Number) fits(value instanceof Number, value, wanted);
    if (wanted == int.class || wanted == Integer.class) return Math.toIntExact(number.longValue());
    if (wanted == long.class || wanted == Long.class) return number.longValue();
    if (wanted == double.class || wanted == Double.class) return number.doubleValue();
    if (wanted == float.class || wanted == Float.class) return number.floatValue();
    if (wanted == short.class || wanted == Short.class) return number.shortValue();
    if (wanted == byte.class || wanted == Byte.class) return number.byteValue();
    if (wanted == BigDecimal.class) return new BigDecimal(number.toString());
    return wanted == BigInteger.class ? new BigDecimal(number.toString()).toBigInteger() : number;
  }

  private static Object constant(Object value, Class<?> wanted) {
    for (Object each : wanted.getEnumConstants()) if (((Enum<?>) each).name().equals(value)) return each;
    return fits(false, value, wanted);
  }

  private static Object items(Object value, Class<?> wanted, Type[] inner, int depth) {
    List<?> items = (List<?>) fits(value instanceof List, value, wanted);
    Type of = wanted.isArray() ? wanted.getComponentType() : inner.length == 1 ? inner[0] : Object.class;
    Collection<Object> read = Set.class.isAssignableFrom(wanted) ? new LinkedHashSet<>() : new ArrayList<>();
    for (Object item : items) read.add(read(item, of, depth + 1));
    if (!wanted.isArray()) return read;
    Object array = Array.newInstance(wanted.getComponentType(), read.size());
    int at = 0;
    for (Object item : read) Array.set(array, at++, item);
    return array;
  }

  private static Object record(Map<?, ?> fields, Class<?> wanted, int depth) {
    RecordComponent[] components = wanted.getRecordComponents();
    Class<?>[] types = new Class<?>[components.length];
    Object[] values = new Object[components.length];
    for (int i = 0; i < components.length; i++) {
      types[i] = components[i].getType();
      values[i] = read(fields.get(components[i].getName()), components[i].getGenericType(), depth + 1);
    }
    return make(wanted, types, values);
  }

  private static Object bean(Map<?, ?> fields, Class<?> wanted, int depth) {
    Object bean = make(wanted, new Class<?>[0], new Object[0]);
    Map<String, Method> setters = new LinkedHashMap<>();
    for (Method each : wanted.getMethods())
      if (each.getName().startsWith("set") && each.getParameterCount() == 1 && !each.isBridge() && !Modifier.isStatic(each.getModifiers()))
        setters.put(each.getName().substring(3).toLowerCase(Locale.ROOT), each);
    fields.forEach((key, value) -> {
      String name = key.toString().toLowerCase(Locale.ROOT);
      Method setter = setters.get(name);
      if (setter == null && name.startsWith("is")) setter = setters.get(name.substring(2));
      try {
        if (setter != null) setter.invoke(bean, read(value, setter.getGenericParameterTypes()[0], depth + 1));
        else {
          Field field = wanted.getField(key.toString());
          if (!Modifier.isFinal(field.getModifiers())) field.set(bean, read(value, field.getGenericType(), depth + 1));
        }
      } catch (NoSuchFieldException unknown) {
        // not for this class
      } catch (ReflectiveOperationException error) {
        throw new IllegalArgumentException(key + " of " + wanted.getName() + " cannot be set.", error);
      }
    });
    return bean;
  }

  private static Object make(Class<?> wanted, Class<?>[] types, Object[] values) {
    try {
      Constructor<?> constructor = wanted.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return constructor.newInstance(values);
    } catch (InvocationTargetException error) {
      throw new IllegalArgumentException(wanted.getName() + " cannot be made: " + error.getCause().getMessage(), error.getCause());
    } catch (ReflectiveOperationException error) {
      throw new IllegalArgumentException(wanted.getName() + " cannot be made from the event: it has no constructor without parameters.", error);
    }
  }

  private static Map<?, ?> asMap(Object value, Class<?> wanted) {
    return (Map<?, ?>) fits(value instanceof Map, value, wanted);
  }

  private static Object fits(boolean does, Object value, Class<?> wanted) {
    if (does) return value;
    throw new IllegalArgumentException("The event does not fit: " + Json.write(value) + " is no " + wanted.getSimpleName() + ".");
  }

  private static Object plain(Object value, int depth) {
    if (depth > DEPTH_MAX) throw new IllegalArgumentException("The value is nested too deep, or contains itself.");
    if (value == null || value instanceof String || value instanceof Number || value instanceof Boolean) return value;
    if (value instanceof Enum) return ((Enum<?>) value).name();
    if (value instanceof byte[]) return Base64.getEncoder().encodeToString((byte[]) value);
    if (value instanceof Map) {
      Map<String, Object> fields = new LinkedHashMap<>();
      ((Map<?, ?>) value).forEach((name, each) -> fields.put(String.valueOf(name), plain(each, depth + 1)));
      return fields;
    }
    if (value instanceof Iterable || value.getClass().isArray()) {
      List<Object> items = new ArrayList<>();
      if (value instanceof Iterable) for (Object each : (Iterable<?>) value) items.add(plain(each, depth + 1));
      else for (int i = 0; i < Array.getLength(value); i++) items.add(plain(Array.get(value, i), depth + 1));
      return items;
    }
    Map<String, Object> fields = propertiesOf(value, depth);
    return fields.isEmpty() ? value.toString() : fields;
  }

  private static Map<String, Object> propertiesOf(Object value, int depth) {
    Map<String, Object> fields = new LinkedHashMap<>();
    boolean platform = value.getClass().getClassLoader() == null; // dates and the like, which are what they say
    for (Method each : platform ? new Method[0] : value.getClass().getMethods()) {
      String name = propertyOf(each, value.getClass());
      if (name == null) continue;
      try {
        each.setAccessible(true);
        fields.put(name, plain(each.invoke(value), depth + 1));
      } catch (ReflectiveOperationException error) {
        throw new IllegalArgumentException(name + " of " + value.getClass().getName() + " cannot be read.", error);
      }
    }
    return fields;
  }

  /** The property that a method reads, or null. */
  private static String propertyOf(Method method, Class<?> type) {
    if (method.getParameterCount() > 0 || Modifier.isStatic(method.getModifiers()) || method.getDeclaringClass() == Object.class) return null;
    String name = method.getName();
    if (type.isRecord()) {
      for (RecordComponent each : type.getRecordComponents()) if (each.getAccessor().equals(method)) return name;
      return null;
    }
    int from = name.startsWith("get") ? 3 : name.startsWith("is") && method.getReturnType() == boolean.class ? 2 : 0;
    if (from == 0 || name.length() == from || method.getReturnType() == void.class) return null;
    return Character.toLowerCase(name.charAt(from)) + name.substring(from + 1);
  }
}
