/** Handlers written for AWS Lambda in Java: unmodified, with AWS's own interfaces from Maven, and with jars that a package brings. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { javaEnvironment } from '../../src/environments/index.ts'
import { ServerProcess } from '../support/server-process.ts'

const status = await javaEnvironment.probe()
const skip =
  (!existsSync('/usr/bin/bwrap') && 'bubblewrap is not installed') || (!status.ready && status.reason)
const noMaven = skip || (!existsSync('/usr/bin/mvn') && 'maven is not installed')
const NO_REGISTRY = /cannot reach the package registry|Could not transfer artifact|Unknown host/

let server: ServerProcess
before(async () => {
  if (!skip) server = await ServerProcess.start()
})
after(() => server?.dispose())

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>shop</groupId><artifactId>orders</artifactId><version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency><groupId>com.amazonaws</groupId><artifactId>aws-lambda-java-core</artifactId><version>1.2.3</version></dependency>
    <dependency><groupId>com.amazonaws</groupId><artifactId>aws-lambda-java-events</artifactId><version>3.14.0</version></dependency>
  </dependencies>
</project>
`

const HTTP = `package shop;

import com.amazonaws.services.lambda.runtime.*;
import com.amazonaws.services.lambda.runtime.events.*;
import java.util.List;
import java.util.Map;

public class Orders implements RequestHandler<APIGatewayV2HTTPEvent, APIGatewayV2HTTPResponse> {
  @Override
  public APIGatewayV2HTTPResponse handleRequest(APIGatewayV2HTTPEvent event, Context context) {
    context.getLogger().log("called by " + event.getRequestContext().getHttp().getMethod() + "\\n");
    if (event.getRawPath().endsWith("/fail")) throw new IllegalStateException("no such luck");
    String body = event.getBody() + "|" + event.getIsBase64Encoded() + "|" + event.getQueryStringParameters() + "|"
        + event.getHeaders().get("x-custom") + "|" + event.getCookies() + "|" + event.getRawPath() + "|" + context.getAwsRequestId() + "|"
        + context.getFunctionName() + "|" + context.getMemoryLimitInMB() + "|" + (context.getRemainingTimeInMillis() > 0) + "|"
        + context.getInvokedFunctionArn();
    return APIGatewayV2HTTPResponse.builder().withStatusCode(201).withHeaders(Map.of("x-answer", "from java"))
        .withCookies(List.of("a=1", "b=2")).withBody(body).build();
  }
}
`

const PROXY = `package shop;

import com.amazonaws.services.lambda.runtime.*;
import com.amazonaws.services.lambda.runtime.events.*;

public class Proxy implements RequestHandler<APIGatewayProxyRequestEvent, APIGatewayProxyResponseEvent> {
  @Override
  public APIGatewayProxyResponseEvent handleRequest(APIGatewayProxyRequestEvent event, Context context) {
    return new APIGatewayProxyResponseEvent().withStatusCode(200).withIsBase64Encoded(true)
        .withBody(java.util.Base64.getEncoder().encodeToString((event.getHttpMethod() + " " + event.getPath() + " " + event.getBody()).getBytes()));
  }
}
`

test('handlers with AWS’s own interfaces and events run unmodified, built by Maven', {
  skip: noMaven,
}, async t => {
  const files = {
    'pom.xml': POM,
    'src/main/java/shop/Orders.java': HTTP,
    'src/main/java/shop/Proxy.java': PROXY,
  }
  const settings = { environment: 'java', limits: { memoryMiB: 192 } }
  const deployed = await server.tryDeploy('orders', files, {
    ...settings,
    entry: 'shop.Orders::handleRequest',
  })
  if (deployed.status >= 400 && NO_REGISTRY.test(deployed.text)) return t.skip('Maven reaches no registry')
  assert.ok(deployed.status < 300, deployed.text)
  const answer = await server.call('orders/some/where?a=1&a=2', {
    method: 'POST',
    headers: { 'x-custom': 'yes', 'content-type': 'text/plain', cookie: 'c=3; d=4' },
    body: 'what was said',
  })
  const id = answer.headers.get('atelier-invocation-id')
  assert.deepEqual(
    [answer.status, answer.text],
    [
      201,
      `what was said|false|{a=1,2}|yes|[c=3, d=4]|/some/where|${id}|orders|192|true|arn:atelier:lambda:local:default:function:default.orders:1`,
    ],
  )
  assert.equal(answer.headers.get('x-answer'), 'from java')
  assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  await server.record(id)
  assert.match((await server.api('GET', `/v1/invocations/${id}/logs`)).text, /called by POST/)
  const failed = await server.call('orders/fail')
  assert.equal(failed.status, 500)
  const record = await server.record(failed.headers.get('atelier-invocation-id'))
  assert.match(
    (await server.api('GET', `/v1/invocations/${record.id}/logs`)).text,
    /IllegalStateException: no such luck/,
  )

  await server.deploy('proxy', files, { ...settings, entry: 'shop.Proxy' })
  const proxied = await server.call('proxy/there', { method: 'PUT', body: new Uint8Array([255, 0]) })
  assert.deepEqual([proxied.status, proxied.text], [200, 'PUT /there /wA='])
})

/** The interfaces as AWS publishes them, for packages that are built without the network. */
const CORE = {
  'com/amazonaws/services/lambda/runtime/RequestHandler.java':
    'package com.amazonaws.services.lambda.runtime; public interface RequestHandler<I, O> { O handleRequest(I input, Context context); }',
  'com/amazonaws/services/lambda/runtime/RequestStreamHandler.java':
    'package com.amazonaws.services.lambda.runtime; import java.io.*; public interface RequestStreamHandler { void handleRequest(InputStream in, OutputStream out, Context context) throws IOException; }',
  'com/amazonaws/services/lambda/runtime/LambdaLogger.java':
    'package com.amazonaws.services.lambda.runtime; public interface LambdaLogger { void log(String text); default void log(String text, int level) { log(level + text); } }',
  'com/amazonaws/services/lambda/runtime/Context.java':
    'package com.amazonaws.services.lambda.runtime; public interface Context { String getAwsRequestId(); LambdaLogger getLogger(); Object getClientContext(); }',
}

test('objects of the handler’s own are made of the event and written as JSON', { skip }, async () => {
  const files = {
    ...CORE,
    'Main.java': `import com.amazonaws.services.lambda.runtime.*;
import java.util.*;

public class Main implements RequestHandler<Main.Order, Object> {
  public enum Size { SMALL, LARGE }
  public record Item(String name, int count) {}
  public static class Order {
    private List<Item> items; private Size size; private boolean urgent; private Map<String, Double> prices;
    public void setItems(List<Item> items) { this.items = items; }
    public void setSize(Size size) { this.size = size; }
    public void setUrgent(boolean urgent) { this.urgent = urgent; }
    public void setPrices(Map<String, Double> prices) { this.prices = prices; }
  }
  public static class Bill {
    private final double sum; private final Size size; private final Item first;
    Bill(double sum, Size size, Item first) { this.sum = sum; this.size = size; this.first = first; }
    public double getSum() { return sum; }
    public Size getSize() { return size; }
    public Item getFirst() { return first; }
    public boolean isPaid() { return false; }
  }
  @Override
  public Object handleRequest(Order order, Context context) {
    if (order.items == null) return null;
    double sum = 0;
    for (Item each : order.items) sum += each.count() * order.prices.get(each.name());
    return new Bill(order.urgent ? sum * 2 : sum, order.size, order.items.get(0));
  }
}
`,
  }
  await server.deploy('bill', files, {
    environment: 'java',
    entry: 'Main',
    config: { ATELIER_LAMBDA_EVENT: 'body' },
  })
  const order = {
    items: [{ name: 'tea', count: 2, unknown: 1 }],
    size: 'LARGE',
    urgent: true,
    prices: { tea: 1.5 },
    other: [],
  }
  const answer = await server.call('bill', { method: 'POST', body: JSON.stringify(order) })
  assert.deepEqual(JSON.parse(answer.text), {
    sum: 6,
    size: 'LARGE',
    first: { name: 'tea', count: 2 },
    paid: false,
  })
  assert.equal((await server.call('bill')).text, 'null')
  const wrong = await server.call('bill', { method: 'POST', body: '{"size":"HUGE"}' })
  assert.equal(wrong.status, 500)
  const { id } = await server.record(wrong.headers.get('atelier-invocation-id'))
  assert.match((await server.api('GET', `/v1/invocations/${id}/logs`)).text, /HUGE.* is no Size/)
})

test('a stream handler reads the event and writes the answer, and one method may be named', {
  skip,
}, async () => {
  const files = {
    ...CORE,
    'Main.java': `import com.amazonaws.services.lambda.runtime.*;
import java.io.*;

public class Main implements RequestStreamHandler {
  @Override
  public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
    context.getLogger().log("warned", 7);
    String event = new String(in.readAllBytes());
    boolean http = event.contains("\\"rawPath\\":\\"/there\\"");
    out.write(("{\\"statusCode\\":202,\\"headers\\":{\\"x-http\\":\\"" + http + "\\"},\\"body\\":\\"streamed\\"}").getBytes());
  }
  public String named(String event, Context context) {
    return context.getAwsRequestId() + " " + event.startsWith("{\\"version\\":\\"2.0\\"");
  }
}
`,
  }
  await server.deploy('stream', files, { environment: 'java' })
  const answer = await server.call('stream/there')
  assert.deepEqual([answer.status, answer.text, answer.headers.get('x-http')], [202, 'streamed', 'true'])
  const { id } = await server.record(answer.headers.get('atelier-invocation-id'))
  assert.match((await server.api('GET', `/v1/invocations/${id}/logs`)).text, /7warned/)
  await server.deploy('named', files, { environment: 'java', entry: 'Main::named' })
  const named = await server.call('named')
  assert.equal(named.text, `${named.headers.get('atelier-invocation-id')} true`)
})

test('a convention that the class does not keep is refused at the deploy', { skip }, async () => {
  const files = { 'Main.java': 'public class Main { public String hello(int a, int b) { return ""; } }' }
  const refused = await server.tryDeploy('wrong', files, { environment: 'java', entry: 'Main:hello:lambda' })
  assert.match(refused.text, /the convention lambda needs a public method hello\(event, Context context\)/)
})
