package atelier.shim;

import atelier.Context;
import atelier.Request;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** The method that answers calls, found by the rules in docs/environments.md. */
final class Handler {
  private static final List<String> CONVENTIONS = List.of("plain", "function", "lambda");

  private final Method method;
  private final Object target;
  private final boolean isFunction;
  private final Lambda lambda;

  private Handler(Method method, Object target, boolean isFunction, boolean isLambda) {
    this.method = method;
    this.target = target;
    this.isFunction = isFunction;
    lambda = isLambda ? new Lambda(method, target) : null;
  }

  /** Loads the entry's class and makes its object. Throws with a sentence for the author. */
  static Handler load(ClassLoader loader, String entry) throws Throwable {
    String[] parts = split(entry);
    Class<?> type = classOf(loader, parts[0], entry, true);
    Method method = find(type, entry);
    Object target = null;
    if (!Modifier.isStatic(method.getModifiers())) {
      try {
        var constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        target = constructor.newInstance();
      } catch (NoSuchMethodException missing) {
        throw new IllegalArgumentException(type.getName() + " has no constructor without parameters.");
      } catch (InvocationTargetException error) {
        throw error.getCause();
      }
    }
    method.setAccessible(true);
    return new Handler(method, target, isFunction(type, parts), isLambda(type, parts));
  }

  /** Looks for the same without running anything of the code. */
  static Method check(ClassLoader loader, String entry) {
    return find(classOf(loader, split(entry)[0], entry, false), entry);
  }

  /** The class of a program, which has a main method. */
  static Class<?> checkProgram(ClassLoader loader, String entry) {
    Class<?> type = classOf(loader, split(entry)[0], entry, false);
    try {
      Method main = type.getMethod("main", String[].class);
      if (Modifier.isStatic(main.getModifiers())) return type;
    } catch (NoSuchMethodException missing) {
      // said below
    }
    throw new IllegalArgumentException(type.getName() + " is no program: with this contract it needs a method public static void main(String[] arguments).");
  }

  ClassLoader loader() {
    return method.getDeclaringClass().getClassLoader();
  }

  Object handle(Request request, Context context) throws Throwable {
    if (lambda != null) return lambda.handle(request, context);
    Class<?>[] types = method.getParameterTypes();
    Object[] arguments = new Object[types.length];
    for (int i = 0; i < types.length; i++) {
      if (types[i] == Context.class) arguments[i] = context;
      else arguments[i] = types[i] == Request.class ? request : isFunction || types[i] == String.class ? request.text() : request.body();
    }
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException error) {
      throw error.getCause();
    }
  }

  /** `Class`, `Class:method`, `Class:method:convention`, and `Class::method`, as AWS writes it. */
  private static String[] split(String entry) {
    String[] parts = entry.replace("::", ":").split(":", -1);
    if (parts.length > 3 || parts[0].isEmpty())
      throw new IllegalArgumentException("The entry \"" + entry + "\" is not of the form Class:method:convention.");
    if (parts.length == 3 && !CONVENTIONS.contains(parts[2]))
      throw new IllegalArgumentException("There is no convention \"" + parts[2] + "\" (in the entry " + entry + "): use "
          + String.join(", ", CONVENTIONS) + ".");
    return parts;
  }

  private static Class<?> classOf(ClassLoader loader, String name, String entry, boolean run) {
    try {
      return Class.forName(name.replaceFirst("\\.java$", ""), run, loader);
    } catch (ClassNotFoundException missing) {
      throw new IllegalArgumentException("The entry " + entry + " names the class " + missing.getMessage() + ", and the package has no such class.");
    }
  }

  private static boolean isFunction(Class<?> type, String[] parts) {
    if (parts.length == 3) return parts[2].equals("function");
    return parts.length == 1 && !isLambda(type, parts) && Function.class.isAssignableFrom(type) && candidates(type, "handle").isEmpty();
  }

  private static boolean isLambda(Class<?> type, String[] parts) {
    if (parts.length == 3) return parts[2].equals("lambda");
    return candidates(type, "handle").isEmpty() && Lambda.isOne(type, parts.length > 1 && !parts[1].isEmpty() ? parts[1] : null);
  }

  private static Method find(Class<?> type, String entry) {
    String[] parts = split(entry);
    if (isLambda(type, parts)) {
      String wanted = parts.length > 1 && !parts[1].isEmpty() ? parts[1] : Lambda.METHOD;
      Method method = Lambda.find(type, wanted);
      if (method != null) return method;
      throw new IllegalArgumentException(type.getName() + " has no handler: the convention lambda needs a public method " + wanted
          + "(event, Context context) or " + wanted + "(InputStream input, OutputStream output, Context context).");
    }
    boolean function = isFunction(type, parts);
    String name = parts.length > 1 && !parts[1].isEmpty() ? parts[1] : function ? "apply" : "handle";
    List<Method> found = candidates(type, name);
    if (found.size() == 1) return found.get(0);
    if (function && !found.isEmpty()) return found.get(0);
    if (found.size() > 1)
      throw new IllegalArgumentException(type.getName() + " has " + found.size() + " methods " + name + " that could be the handler: give one of them another name.");
    throw new IllegalArgumentException(type.getName() + " has no handler: it needs a public method " + name
        + "(Request request, Context context); either or both may be missing, and String or byte[] gets the body." + others(type));
  }

  private static List<Method> candidates(Class<?> type, String name) {
    List<Method> found = new ArrayList<>();
    for (Method each : type.getMethods()) {
      if (!each.getName().equals(name) || each.isBridge() && !Function.class.isAssignableFrom(type)) continue;
      if (each.getDeclaringClass() == Object.class || Modifier.isAbstract(each.getModifiers())) continue;
      if (fits(each, Function.class.isAssignableFrom(type))) found.add(each);
    }
    if (found.size() > 1) found.removeIf(Method::isBridge);
    return found;
  }

  private static boolean fits(Method method, boolean function) {
    for (Class<?> each : method.getParameterTypes()) {
      if (each == Request.class || each == Context.class || each == String.class || each == byte[].class) continue;
      if (!(function && each == Object.class)) return false;
    }
    return method.getParameterCount() <= 2;
  }

  private static String others(Class<?> type) {
    List<String> names = new ArrayList<>();
    for (Method each : type.getDeclaredMethods())
      if (Modifier.isPublic(each.getModifiers()) && !each.isBridge() && fits(each, false)) names.add(each.getName());
    return names.isEmpty() ? "" : " It has: " + String.join(", ", names) + "; name one in the entry, as in " + type.getName() + ":" + names.get(0) + ".";
  }
}
