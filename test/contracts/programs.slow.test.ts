/** Programs of each language that speak a contract themselves, built and run by a real server. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { environments } from '../../src/environments/index.ts'
import { rawTar } from '../builder/archives.ts'
import { ServerProcess } from '../support/server-process.ts'

const noSandbox = !existsSync('/usr/bin/bwrap') && 'bubblewrap is not installed'
const states = new Map(
  await Promise.all(environments.map(async each => [each.name, await each.probe()] as const)),
)

let server: ServerProcess
before(async () => {
  if (!noSandbox) server = await ServerProcess.start()
})
after(() => server?.dispose())

function missing(environment: string): string | false {
  const status = states.get(environment)!
  return noSandbox || (!status.ready && status.reason)
}

interface Program {
  readonly files: Readonly<Record<string, string>>
  readonly entry?: string
}

/** Servers that answer with the method, the path and what they were sent. */
const SERVERS: Readonly<Record<string, Program>> = {
  go: {
    files: {
      'go.mod': 'module example.org/shop\n\ngo 1.21\n',
      'stock/stock.go':
        'package stock\n\nimport "io"\n\nfunc Said(body io.Reader) string { text, _ := io.ReadAll(body); return string(text) }\n',
      'cmd/server/main.go': `package main

import (
	"fmt"
	"net/http"
	"os"

	"example.org/shop/stock"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, stock.Said(r.Body))
	})
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`,
    },
  },
  php: {
    files: {
      'server.php': `<?php
$server = stream_socket_server('tcp://127.0.0.1:' . getenv('PORT'));
while ($client = stream_socket_accept($server, -1)) {
    $length = 0;
    [$method, $path] = explode(' ', fgets($client));
    while (($line = trim(fgets($client))) !== '')
        if (stripos($line, 'content-length:') === 0) $length = (int) substr($line, 15);
    $body = $length > 0 ? stream_get_contents($client, $length) : '';
    $answer = "$method $path $body";
    fwrite($client, "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: " . strlen($answer) . "\\r\\n\\r\\n$answer");
    fclose($client);
}
`,
    },
  },
  ruby: {
    files: {
      'server.rb': `require "socket"
require_relative "words"
server = TCPServer.new("127.0.0.1", ENV.fetch("PORT"))
loop do
  client = server.accept
  method, path = client.gets.split
  length = 0
  while (line = client.gets.strip) != ""
    length = line.split(":")[1].to_i if line.downcase.start_with?("content-length:")
  end
  answer = words(method, path, client.read(length))
  client.write("HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: #{answer.bytesize}\\r\\n\\r\\n#{answer}")
  client.close
end
`,
      'words.rb': 'def words(*all) = all.join(" ")\n',
    },
    entry: 'server.rb',
  },
  java: {
    files: {
      'Main.java': `import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public class Main {
  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv("PORT"))), 0);
    server.createContext("/", exchange -> {
      String body = new String(exchange.getRequestBody().readAllBytes());
      byte[] answer = (exchange.getRequestMethod() + " " + exchange.getRequestURI() + " " + body).getBytes();
      exchange.sendResponseHeaders(200, answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    server.start();
  }
}
`,
    },
  },
}

for (const [environment, { files, entry }] of Object.entries(SERVERS))
  test(`a server in ${environment} runs by the contract http as it is`, {
    skip: missing(environment),
  }, async () => {
    const name = `server-${environment}`
    await server.deploy(name, files, { environment, contract: 'http', ...(entry && { entry }) })
    const answer = await server.call(`${name}/some/where`, { method: 'PUT', body: 'said' })
    assert.deepEqual([answer.status, answer.text], [200, 'PUT /some/where said'], answer.text)
    assert.equal((await server.call(`${name}/again`)).text.trim(), 'GET /again')
  })

/** Commands that answer with what they read. */
const COMMANDS: Readonly<Record<string, Program>> = {
  go: {
    files: {
      'main.go':
        'package main\n\nimport (\n\t"io"\n\t"os"\n\t"strings"\n)\n\nfunc main() {\n\ttext, _ := io.ReadAll(os.Stdin)\n\tos.Stdout.WriteString(strings.ToUpper(string(text)))\n}\n',
    },
  },
  php: { files: { 'main.php': '<?php echo strtoupper(stream_get_contents(STDIN)); echo $missing;' } },
  ruby: { files: { 'main.rb': 'print $stdin.read.upcase' } },
  java: {
    files: {
      'Main.java':
        'public class Main { public static void main(String[] all) throws Exception { System.out.print(new String(System.in.readAllBytes()).toUpperCase()); } }',
    },
  },
}

for (const [environment, { files }] of Object.entries(COMMANDS))
  test(`a command in ${environment} runs by the contract stdio as it is`, {
    skip: missing(environment),
  }, async () => {
    await server.deploy(`command-${environment}`, files, { environment, contract: 'stdio' })
    const answer = await server.call(`command-${environment}`, { method: 'POST', body: 'shout' })
    assert.deepEqual([answer.status, answer.text], [200, 'SHOUT'], answer.text)
  })

test('a folder of PHP pages is served by PHP’s own server, with the headers that they set', {
  skip: missing('php'),
}, async () => {
  const files = {
    'public/index.php':
      '<?php header("X-Page: index"); setcookie("seen", "1"); echo "Hello, ", $_GET["name"] ?? "you", " at ", $_SERVER["REQUEST_URI"];',
    'public/other.php': '<?php http_response_code(402); require __DIR__ . "/../words.php";',
    'public/note.txt': 'a file',
    'words.php': '<?php echo $_POST["word"];',
  }
  await server.deploy('pages', files, {
    environment: 'php',
    contract: 'http',
    entry: 'public/',
    limits: { concurrency: 1 },
  })
  const index = await server.call('pages/?name=Ada')
  assert.deepEqual([index.status, index.text], [200, 'Hello, Ada at /?name=Ada'])
  assert.equal(index.headers.get('x-page'), 'index')
  assert.match(index.headers.get('set-cookie') ?? '', /^seen=1/)
  const other = await server.call('pages/other.php', {
    method: 'POST',
    body: new URLSearchParams({ word: 'paid' }),
  })
  assert.deepEqual([other.status, other.text], [402, 'paid'])
  assert.equal((await server.call('pages/note.txt')).text, 'a file')
})

test('a runtime for Lambda that is compiled from Go speaks the Runtime API', {
  skip: missing('go'),
}, async () => {
  const files = {
    'main.go': `package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			return
		}
		event, _ := io.ReadAll(next.Body)
		answer := append(append([]byte("{\\"heard\\":"), event...), '}')
		http.Post(api+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", bytes.NewReader(answer))
	}
}
`,
  }
  await server.deploy('go-runtime', files, {
    environment: 'go',
    contract: 'lambda',
    config: { ATELIER_LAMBDA_EVENT: 'body' },
  })
  const answer = await server.call('go-runtime', { method: 'POST', body: '{"word":"hello"}' })
  assert.equal(answer.text, '{"heard":{"word":"hello"}}')
})

test('an executable called bootstrap is a custom runtime of Lambda, a shell script with curl as well', {
  skip: missing('binary') || (!existsSync('/usr/bin/curl') && 'curl is not installed'),
}, async () => {
  const body = `#!/bin/sh
calls="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while event=$(curl -sf -D /tmp/head "$calls/next"); do
  id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([^[:space:]]*\\).*/\\1/Ip' /tmp/head)
  echo "answering $id" >&2
  curl -s -d "{\\"handler\\":\\"$_HANDLER\\",\\"heard\\":$event}" "$calls/$id/response" > /dev/null
done
`
  const archive = new Uint8Array(rawTar([{ name: 'bootstrap', body, mode: 0o755 }]))
  const settings = { contract: 'lambda', config: { ATELIER_LAMBDA_EVENT: 'body' } }
  const deployed = await server.upload('shell-runtime', archive, settings)
  assert.equal(deployed.status, 201, deployed.text)
  for (const word of ['one', 'two']) {
    const answer = await server.call('shell-runtime', { method: 'POST', body: JSON.stringify({ word }) })
    assert.equal(answer.text, `{"handler":"bootstrap","heard":{"word":"${word}"}}`)
  }
  assert.equal((await server.instances('shell-runtime')).length, 1)
})

test('what is no program is refused at the deploy with what it needs', { skip: missing('go') }, async () => {
  const handler = {
    'handler.go':
      'package shop\n\nimport "net/http"\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {}\n',
  }
  const refused = await server.tryDeploy('no-program', handler, { environment: 'go', contract: 'http' })
  assert.equal(refused.status, 422, refused.text)
  assert.match(refused.text, /no program.*package main with a func main/)
  if (missing('java') !== false) return
  const silent = { 'Main.java': 'public class Main { public String handle() { return ""; } }' }
  const other = await server.tryDeploy('no-main', silent, { environment: 'java', contract: 'http' })
  assert.match(other.text, /Main is no program.*public static void main/)
})

test('a server made with the package ws has its WebSockets passed through', {
  skip: noSandbox,
}, async () => {
  const folder = join(import.meta.dirname, '../../node_modules/ws')
  const files: Record<string, string> = {
    'server.mjs': `import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
const server = createServer((request, response) => response.end('over HTTP'))
const sockets = new WebSocketServer({ server, path: '/chat', handleProtocols: offered => [...offered].at(-1) })
sockets.on('connection', (socket, request) => {
  socket.send(\`welcome \${request.headers['atelier-invocation-id'].length}\`)
  socket.on('message', (data, isBinary) => {
    for (const each of sockets.clients) each.send(data, { binary: isBinary })
    if (data.toString() === 'bye') socket.close(4000, 'so long')
  })
})
server.listen(process.env.PORT)
`,
  }
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (/\.(m?js|json)$/.test(path))
      files[`node_modules/ws/${path}`] = readFileSync(join(folder, path), 'utf8')
  await server.deploy('chat', files, { environment: 'nodejs', contract: 'http', entry: 'server.mjs' })
  const url = `${server.routerUrl.replace('http', 'ws')}/default/default/chat`
  const open = async (protocols: string[] = []) => {
    const socket = new WebSocket(`${url}/chat`, protocols)
    const heard: string[] = []
    socket.on('message', (data: Buffer) => heard.push(data.toString()))
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const hears = async (text: string) => {
      for (let tries = 0; !heard.includes(text); tries++) {
        assert.ok(tries < 2_000, `${text} is not among ${heard.join()}`)
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    }
    return { socket, heard, hears }
  }
  const one = await open(['v1', 'v2'])
  const two = await open()
  assert.equal(one.socket.protocol, 'v2')
  await one.hears('welcome 26')
  one.socket.send('to all')
  await Promise.all([one.hears('to all'), two.hears('to all')])
  assert.equal((await server.call('chat')).text, 'over HTTP')
  const closed = new Promise(resolve => two.socket.once('close', (code, why) => resolve([code, String(why)])))
  two.socket.send('bye')
  assert.deepEqual(await closed, [4000, 'so long'])
  assert.equal((await server.instances('chat')).length, 1)
  const refused = new WebSocket(`${url}/elsewhere`)
  const status = await new Promise(resolve => {
    refused.on('unexpected-response', (_, response) => resolve(response.statusCode))
    refused.on('error', () => {})
  })
  assert.equal(status, 400)
  one.socket.terminate()
})
