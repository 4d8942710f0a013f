package atelier.shim;

import atelier.Context;
import atelier.Request;
import atelier.Response;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Handlers as AWS Lambda calls them: its interfaces RequestHandler and RequestStreamHandler, and methods that take its context. They
 * are those of the function's own aws-lambda-java-core, and are known here by their names alone.
 */
final class Lambda {
  static final String METHOD = "handleRequest";
  private static final String PACKAGE = "com.amazonaws.services.lambda.runtime.";
  private static final Set<String> INTERFACES = Set.of(PACKAGE + "RequestHandler", PACKAGE + "RequestStreamHandler");
  private static final String CONTEXT = PACKAGE + "Context";

  private final Method method;
  private final Object target;

  Lambda(Method method, Object target) {
    this.method = method;
    this.target = target;
  }

  /** Whether a class is a handler of AWS's, or its method `name` asks for AWS's context. */
  static boolean isOne(Class<?> type, String name) {
    if (implementsOne(type, new HashSet<>()) && (name == null || name.equals(METHOD))) return true;
    return name != null && candidates(type, name).stream().anyMatch(each -> takesContext(each));
  }

  /** The method that is called, or null: of several, the one that is told most. */
  static Method find(Class<?> type, String name) {
    Method found = null;
    for (Method each : candidates(type, name))
      if (found == null || each.getParameterCount() > found.getParameterCount()) found = each;
    return found;
  }

  Object handle(Request request, Context context) throws Throwable {
    boolean plain = LambdaEvent.isBody(request, context);
    Class<?>[] types = method.getParameterTypes();
    Object[] arguments = new Object[types.length];
    boolean hasContext = takesContext(method);
    if (hasContext) arguments[types.length - 1] = LambdaContext.of(types[types.length - 1], context);
    if (isStream(method)) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      arguments[0] = new ByteArrayInputStream(LambdaEvent.bytes(request, context, plain));
      arguments[1] = out;
      invoke(arguments);
      return plain ? jsonOf(out.toByteArray()) : LambdaAnswer.of(out.toByteArray());
    }
    if (types.length - (hasContext ? 1 : 0) == 1)
      arguments[0] = Beans.read(LambdaEvent.of(request, context, plain, types[0]), method.getGenericParameterTypes()[0]);
    Object result = Beans.plain(invoke(arguments));
    return plain ? Response.json(result) : LambdaAnswer.of(result);
  }

  private Object invoke(Object[] arguments) throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException error) {
      throw error.getCause();
    }
  }

  private static Response jsonOf(byte[] bytes) {
    return Response.bytes(bytes).header("content-type", "application/json");
  }

  private static List<Method> candidates(Class<?> type, String name) {
    List<Method> found = new ArrayList<>();
    for (Method each : type.getMethods()) {
      if (!each.getName().equals(name) || each.isBridge() || each.getDeclaringClass() == Object.class) continue;
      int own = each.getParameterCount() - (takesContext(each) ? 1 : 0);
      if (own <= 1 || isStream(each)) found.add(each);
    }
    return found;
  }

  private static boolean takesContext(Method method) {
    Class<?>[] types = method.getParameterTypes();
    return types.length > 0 && types[types.length - 1].getName().equals(CONTEXT);
  }

  private static boolean isStream(Method method) {
    Class<?>[] types = method.getParameterTypes();
    return types.length >= 2 && types[0] == InputStream.class && types[1] == OutputStream.class
        && (types.length == 2 || types.length == 3 && takesContext(method));
  }

  private static boolean implementsOne(Class<?> type, Set<Class<?>> seen) {
    if (type == null || !seen.add(type)) return false;
    if (INTERFACES.contains(type.getName()) || implementsOne(type.getSuperclass(), seen)) return true;
    for (Class<?> each : type.getInterfaces()) if (implementsOne(each, seen)) return true;
    return false;
  }
}
