import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bench } from './row.ts'

export interface Rival {
  readonly url: string
  readonly pid: number
}

/** Starts `bench/servers/<name>.ts` in a process of its own. */
export async function startServer(bench: Bench, name: 'bare' | 'proxy', ...args: string[]): Promise<Rival> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'servers', `${name}.ts`), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  bench.after(() => end(child))
  return new Promise((resolve, reject) => {
    child.once('exit', code => reject(new Error(`${name} ended with ${code}`)))
    child.stdout.once('data', (text: Buffer) => resolve({ url: text.toString().trim(), pid: child.pid! }))
  })
}

/** nginx as a keep-alive proxy with one worker; `undefined` where it is not installed. */
export async function startNginx(bench: Bench, target: string): Promise<string | undefined> {
  if (spawnSync('nginx', ['-v']).error) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'atelier-bench-nginx-'))
  bench.after(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const config = join(folder, 'nginx.conf')
  await writeFile(config, nginxConfig(folder, port, new URL(target).host))
  const child = spawn('nginx', ['-c', config, '-p', folder, '-e', join(folder, 'error.log')], {
    stdio: 'ignore',
  })
  bench.after(() => end(child))
  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; tries < 100; tries++) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return url
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error('nginx did not start')
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise(resolve => {
    child.removeAllListeners('exit')
    child.once('exit', resolve)
    child.kill(signal)
  })
}

function nginxConfig(folder: string, port: number, target: string): string {
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000000;
  upstream bare { server ${target}; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      proxy_pass http://bare;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`
}

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
