import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Certificates } from './certificates.ts'
import { Daemon, missingProgram } from './daemon.ts'

const JAVA = '/usr/bin/java'
const MAVEN = '/usr/bin/mvn'
const KAFKA = { group: 'org.apache.kafka', artifact: 'kafka_2.13', version: '3.9.1' }
const DOWNLOAD_TIMEOUT_MS = 240_000
const run = promisify(execFile)

/** Why tests with Kafka are skipped. A real broker: its jars come by Maven, once, into Maven's own repository. */
export async function kafkaMissing(): Promise<string | undefined> {
  const missing = missingProgram(JAVA, 'default-jre-headless') ?? missingProgram(MAVEN, 'maven')
  if (missing) return missing
  try {
    await classPath()
    return undefined
  } catch (error) {
    return `Maven could not bring Apache Kafka: ${String((error as { stdout?: unknown }).stdout ?? error).slice(0, 300)}`
  }
}

/** Apache Kafka in KRaft mode: broker and controller in one. Topics are made with three partitions when they are first used. */
export async function startKafka({ tls }: { tls?: Certificates } = {}): Promise<Daemon> {
  const clients = tls ? 'SSL' : 'PLAINTEXT'
  const jars = await classPath()
  const java = ['-Xmx384m', '-Xss512k', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', jars]
  return Daemon.start({
    name: 'kafka',
    async command({ folder, port, otherPorts }) {
      const properties = join(folder, 'server.properties')
      const logs = join(folder, 'logs')
      await writeFile(
        properties,
        [
          'process.roles=broker,controller',
          'node.id=1',
          `controller.quorum.voters=1@127.0.0.1:${otherPorts[0]}`,
          `listeners=${clients}://127.0.0.1:${port},CONTROLLER://127.0.0.1:${otherPorts[0]}`,
          `advertised.listeners=${clients}://127.0.0.1:${port}`,
          'controller.listener.names=CONTROLLER',
          `inter.broker.listener.name=${clients}`,
          `listener.security.protocol.map=${clients}:${clients},CONTROLLER:PLAINTEXT`,
          ...(tls ? await encryption(tls, folder) : []),
          `log.dirs=${logs}`,
          'num.partitions=3',
          'offsets.topic.num.partitions=1',
          'offsets.topic.replication.factor=1',
          'transaction.state.log.replication.factor=1',
          'transaction.state.log.min.isr=1',
          'group.initial.rebalance.delay.ms=0',
          'message.max.bytes=20971520',
        ].join('\n'),
      )
      if (!existsSync(join(logs, 'meta.properties')))
        await run(JAVA, [
          ...java,
          'kafka.tools.StorageTool',
          'format',
          '-t',
          'AAAAAAAAAAAAAAAAAAAAAQ',
          '-c',
          properties,
        ])
      return { program: JAVA, args: [...java, 'kafka.Kafka', properties] }
    },
  })
}

/** Its certificate, and the authority by which it trusts itself: Kafka wants key and certificate in one file. */
async function encryption(tls: Certificates, folder: string): Promise<readonly string[]> {
  const both = join(folder, 'broker.pem')
  const [key, certificate] = await Promise.all([readFile(tls.keyPath), readFile(tls.certPath)])
  await writeFile(both, Buffer.concat([key, certificate]), { mode: 0o600 })
  return [
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${both}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${tls.caPath}`,
  ]
}

let found: Promise<string> | undefined

function classPath(): Promise<string> {
  return (found ??= askMaven())
}

async function askMaven(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-kafka-jars-'))
  try {
    const { group, artifact, version } = KAFKA
    await writeFile(
      join(folder, 'pom.xml'),
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies><dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency></dependencies>
</project>`,
    )
    const ask = (offline: readonly string[]) =>
      run(MAVEN, ['-q', '-B', ...offline, 'dependency:build-classpath', '-Dmdep.outputFile=jars'], {
        cwd: folder,
        timeout: DOWNLOAD_TIMEOUT_MS,
      })
    await ask(['-o']).catch(() => ask([]))
    return (await readFile(join(folder, 'jars'), 'utf8')).trim()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
