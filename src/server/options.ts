import { CONTROL_PORT_DEFAULT, ROUTER_PORT_DEFAULT, VERSIONS_KEPT_DEFAULT } from '../core/index.ts'
import { dialectOptions } from './dialect-options.ts'
import { identityOptions } from './identity-options.ts'
import type { ServerOption } from './option.ts'

/** Every setting of the server: the one list that validates, documents and prints them. */
export const serverOptions = [
  {
    name: 'home',
    type: 'text',
    default: undefined,
    description: 'Data directory. Without it: $XDG_DATA_HOME/atelier, else ~/.local/share/atelier.',
  },
  {
    name: 'db-uri',
    type: 'text',
    default: undefined,
    description:
      'Database that keeps everything but records, logs and packages: mysql:// or postgresql://user:password@host/database ' +
      '(docs/store.md), or sqlite:/path/of/file. Without it: files in the data directory. A password belongs in the variable ' +
      'or the file, not on the command line, which others on the machine can read.',
  },
  { name: 'host', type: 'text', default: '127.0.0.1', description: 'Address that API and router listen on.' },
  {
    name: 'port',
    type: 'integer',
    min: 0,
    max: 65_535,
    default: CONTROL_PORT_DEFAULT,
    description: 'Port of the API; 0 takes a free one.',
  },
  {
    name: 'router-port',
    type: 'integer',
    min: 0,
    max: 65_535,
    default: ROUTER_PORT_DEFAULT,
    description: 'Port of the router, where functions answer; 0 takes a free one.',
  },
  {
    name: 'router-url',
    type: 'text',
    default: undefined,
    description:
      'How the outside reaches the router; shown in the URLs of functions. Without it: host and port.',
  },
  {
    name: 'api-url',
    type: 'text',
    default: undefined,
    description:
      'How the outside reaches the API, behind a proxy or by the name in its certificate; shown in links. Without it: host and port.',
  },
  {
    name: 'tls-cert',
    type: 'text',
    default: '',
    description:
      'File with the certificate, PEM, that API, router and dialects show, its own first and then those between it and its authority. ' +
      'SIGHUP reads it and its key again. Without it they speak plain HTTP (docs/operations.md).',
  },
  {
    name: 'tls-key',
    type: 'text',
    default: '',
    description: "File with that certificate's private key, PEM, without a passphrase.",
  },
  ...identityOptions,
  {
    name: 'node-url',
    type: 'text',
    default: undefined,
    description:
      'How other servers on the same database reach the API of this one (docs/nodes.md). Without it: host and port; where it listens on ' +
      'all addresses, the first of the machine.',
  },
  ...dialectOptions,
  {
    name: 'languages',
    type: 'text',
    default: '',
    description:
      'Folder with languages of your own: each folder in it adds one (docs/adding-a-language.md). Their code runs in the server, so ' +
      'nobody else may write there.',
  },
  {
    name: 'isolation',
    type: 'choice',
    choices: ['auto', 'bubblewrap', 'unshare', 'none'],
    default: 'auto',
    description:
      'How functions are kept apart. auto takes the best that this machine has, and refuses to start with none; ' +
      '"none" runs functions as plain processes: only for code that you trust.',
  },
  {
    name: 'container-engine',
    type: 'text',
    default: undefined,
    description:
      'Socket of the Docker or Podman that runs container images. Without it: DOCKER_HOST, else the usual places.',
  },
  {
    name: 'container-runtime',
    type: 'text',
    default: undefined,
    description:
      "Which of the engine's runtimes runs container images (runc, crun, runsc for gVisor, kata). Without it: its own choice.",
  },
  {
    name: 'image-stand-ins',
    type: 'boolean',
    default: true,
    description:
      'Functions of the platform stand in for well-known sample images, such as iron/hello, which then need no registry and no ' +
      'engine. false: these images are pulled like any other.',
  },
  {
    name: 'warm-instances',
    type: 'integer',
    min: 0,
    max: 100,
    default: 2,
    description: 'Generic instances kept ready for each environment.',
  },
  {
    name: 'instances-max',
    type: 'integer',
    min: 1,
    max: 100_000,
    default: 500,
    description: 'Instances on this machine at once.',
  },
  {
    name: 'memory-mib-max',
    type: 'integer',
    min: 128,
    max: 16_777_216,
    default: undefined,
    description: 'Memory that instances may reserve together. Without it: three quarters of the machine.',
  },
  {
    name: 'versions-kept',
    type: 'integer',
    min: 1,
    max: 1000,
    default: VERSIONS_KEPT_DEFAULT,
    description: 'Newest versions kept of each function, besides those that an alias names.',
  },
  {
    name: 'record-days',
    type: 'integer',
    min: 1,
    max: 3650,
    default: 7,
    description: 'Days that invocation records and logs are kept.',
  },
  {
    name: 'record-mib-max',
    type: 'integer',
    min: 16,
    max: 1_048_576,
    default: 2048,
    description:
      'Disk for invocation records and logs in MiB. Beyond it, whoever holds the most loses its oldest; nobody does while holding less than an equal share.',
  },
  {
    name: 'queue-mib-max',
    type: 'integer',
    min: 1,
    max: 1_048_576,
    default: 4096,
    description: 'Bodies of asynchronous calls that have not ended, all together.',
  },
  {
    name: 'local-webhooks',
    type: 'boolean',
    default: false,
    description:
      'Let tenants have outcomes sent to addresses of this machine and its link (loopback, metadata services).',
  },
  {
    name: 'package-mib-max',
    type: 'integer',
    min: 1,
    max: 10_240,
    default: 250,
    description: 'Largest package that a deploy may send, compressed.',
  },
  {
    name: 'websocket-message-kib-max',
    type: 'integer',
    min: 1,
    max: 1024,
    default: 256,
    description: 'Largest message that a WebSocket takes, in KiB; a larger one closes it with 1009.',
  },
  {
    name: 'trust-forwarded',
    type: 'boolean',
    default: false,
    description: 'Believe X-Forwarded-* of clients. Only behind a proxy that sets them.',
  },
  {
    name: 'source-allow',
    type: 'text',
    default: undefined,
    description:
      'Networks (10.0.0.0/8) or addresses, with commas between them, that triggers and outcomes may go to although they are ' +
      'denied: those of this machine, link-local ones and those of `source-deny`.',
  },
  {
    name: 'source-deny',
    type: 'text',
    default: undefined,
    description:
      'Networks or addresses that neither triggers nor outcomes may go to, nor pulls of images: those of management, and this machine’s own on a network, say. Loopback ' +
      'and link-local addresses, where clouds keep their metadata, are denied anyway.',
  },
  {
    name: 'registry-allow',
    type: 'text',
    default: undefined,
    description:
      'Networks or addresses, with commas between them, that container images may be pulled from although they are denied: that of ' +
      'a registry on this machine (127.0.0.1), say.',
  },
  {
    name: 'drain-ms',
    type: 'integer',
    min: 0,
    max: 3_600_000,
    default: 30_000,
    description: 'Longest time that a stopping server lets running calls finish.',
  },
  {
    name: 'log-level',
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    description: "The server's own log, JSON lines on stderr.",
  },
  {
    name: 'log-file',
    type: 'text',
    default: '',
    description: 'File that the log goes to instead, at its end.',
  },
] as const satisfies readonly ServerOption[]
