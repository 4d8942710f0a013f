import { spawn } from 'node:child_process'
import { DockerEngine, dockerUnavailable } from '../../test/support/docker.ts'
import { imageWith } from '../../test/support/engine.ts'
import { timedGet } from '../first-call.ts'
import { startPlatform } from '../platform.ts'
import type { Measure, Row } from '../row.ts'
import { median, percentile } from '../statistics.ts'

const IMAGE = 'localhost/atelier-bench/hello:1'
/** Answers on stdin and stdout, or as a server that says when it listens. */
const PROGRAM = `
if [ -z "$PORT" ]; then cat >/dev/null; echo hello; exit; fi
httpd -p "$PORT" -h /www && echo listening
exec sleep 1000
`
/** As the platform starts it. */
const HARDENED = [
  '--network=none',
  '--read-only',
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
  '--user=65534:65534',
  '--memory=128m',
  '--memory-swap=128m',
  '--cpus=1',
  '--pids-limit=64',
  '--log-driver=none',
  '--tmpfs=/tmp:rw,nosuid,nodev,size=64m',
  '--sysctl=net.ipv4.ip_unprivileged_port_start=0',
]

/** A call that needs a container, from the call to its answer, beside `docker run` of the same image with the same rights. */
export const containers: Row = {
  name: 'containers',
  title: 'A call that starts a container (Docker): what it costs over plain docker run',
  missing: () => dockerUnavailable() || undefined,
  async run(bench) {
    const engine = await DockerEngine.start()
    bench.after(() => engine.dispose())
    await imageWith(engine, IMAGE, { program: PROGRAM, 'www/index.html': 'hello\n' }, [
      'CMD ["/bin/sh", "/program"]',
    ])
    const platform = await startPlatform(bench, '--container-engine', engine.socket)
    const once = await platform.deployImage('once', IMAGE, { contract: 'stdio' })
    const servers: string[] = []
    for (let i = 0; i <= bench.firstCalls; i++)
      servers.push(`${await platform.deployImage(`server-${i}`, IMAGE)}/index.html`)
    const urlOf = { stdio: () => once, http: (round: number) => servers[round]! }
    const measures: Measure[] = []
    for (const contract of ['stdio', 'http'] as const) {
      const ours: number[] = []
      const plain: number[] = []
      for (let round = 0; round <= bench.firstCalls; round++) {
        plain.push(await plainRun(engine, contract))
        ours.push(await timedGet(urlOf[contract](round)))
      }
      // The first of each pays for what is read from the disk once.
      for (const times of [ours, plain]) times.shift()
      measures.push({
        what: `${contract}, p50 beyond docker run`,
        value: median(ours) - median(plain),
        unit: 'ms',
        floor: { most: 50 },
        detail: `atelier ${figures(ours)}, docker run ${figures(plain)}`,
      })
    }
    return measures
  },
}

/** From the command to its answer, or until its server says that it listens. */
async function plainRun(engine: DockerEngine, contract: 'stdio' | 'http'): Promise<number> {
  const server = contract === 'http' ? ['--env=PORT=8080'] : []
  const args = ['-H', `unix://${engine.socket}`, 'run', '-i', '--name=plain', ...HARDENED, ...server, IMAGE]
  const startMs = performance.now()
  const child = spawn('docker', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end()
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const said = new Promise<void>(resolve => child.stdout.once('data', () => resolve()))
  await (contract === 'http' ? Promise.race([said, ended]) : ended)
  const tookMs = performance.now() - startMs
  await engine.command('rm', '-f', 'plain')
  await ended
  return tookMs
}

function figures(times: readonly number[]): string {
  return `${median(times).toFixed(0)} ms (p95 ${percentile(times, 0.95).toFixed(0)})`
}
