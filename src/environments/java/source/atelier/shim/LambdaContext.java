package atelier.shim;

import atelier.Context;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** What AWS's handlers are told beside the event, as an object of their own interface. */
final class LambdaContext {
  private LambdaContext() {}

  static Object of(Class<?> type, Context context) {
    return proxy(type, (method, arguments) -> switch (method.getName()) {
      case "getAwsRequestId" -> context.invocationId();
      case "getFunctionName" -> String.valueOf(context.function().get("name"));
      case "getFunctionVersion" -> String.valueOf(context.function().get("version"));
      case "getInvokedFunctionArn" -> arn(context.function());
      case "getLogStreamName" -> context.instance();
      case "getLogGroupName" -> "";
      case "getMemoryLimitInMB" -> context.memoryMiB();
      case "getRemainingTimeInMillis" -> (int) Math.min(Integer.MAX_VALUE, context.remainingMs());
      case "getLogger" -> logger(method.getReturnType());
      default -> null; // identity and client context, which nobody here has
    });
  }

  private static Object logger(Class<?> type) {
    return proxy(type, (method, arguments) -> {
      Object text = arguments[0];
      System.out.print(text instanceof byte[] ? new String((byte[]) text, StandardCharsets.UTF_8) : text);
      return null;
    });
  }

  private static String arn(Map<String, Object> function) {
    return "arn:atelier:lambda:local:" + function.get("project") + ":function:" + function.get("app") + "." + function.get("name") + ":"
        + function.get("version");
  }

  private interface Answers {
    Object to(Method method, Object[] arguments);
  }

  private static Object proxy(Class<?> type, Answers answers) {
    return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> {
      if (method.isDefault()) return InvocationHandler.invokeDefault(self, method, arguments);
      if (method.getDeclaringClass() != Object.class) return answers.to(method, arguments);
      return switch (method.getName()) {
        case "equals" -> self == arguments[0];
        case "hashCode" -> System.identityHashCode(self);
        default -> type.getSimpleName();
      };
    });
  }
}
