import atelier.Context;
import atelier.Request;
import atelier.Response;
import java.util.Map;

/** The function that a generic instance loads before anybody waits: where functions are, in a folder of its own and in no package. */
public final class Rehearsed {
  public Response handle(Request request, Context context) throws Exception {
    String name = request.query("name", "world") + request.path() + request.header("host") + request.url();
    Map<String, Object> body = Map.of("name", name, "left", context.remainingMs(), "body", request.text());
    return Response.json(body).header("x-a", context.invocationId()).status(201);
  }
}
