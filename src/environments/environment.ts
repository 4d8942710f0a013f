import type { Launch } from '../backends/index.ts'

/** How one language is run and built. Adding a language is adding a folder that exports one of these. */
export interface Environment {
  readonly name: string
  readonly description: string
  /** Name of the contract its shim speaks. */
  readonly contract: string
  /** Handler conventions, in a line, for help texts. */
  readonly entryHelp: string
  /**
   * What runs is made from the code and lies in its bundle (a compiled binary). Generic instances are sandboxes without it, which are
   * kept once a function is of this language. @default false
   */
  readonly startsWithCode?: boolean
  /** What runs is an image and nothing of ours: every version names its contract. @default false */
  readonly isImage?: boolean
  /** A package that another environment detects too is that one's. @default false */
  readonly yields?: boolean
  /** Generic instances are kept only once a function is of this language: they cost what few machines have to spare. @default false */
  readonly warmsWhenUsed?: boolean
  /**
   * How a process of this language is started that speaks another contract: program, arguments and environment as inside a sandbox that
   * shows the bundle as /function, where it starts. `undefined`: this environment knows no way. Called only after `probe` was ready.
   */
  commandFor?(contract: string, entry: string): ProcessCommand | undefined
  /**
   * Looks at this machine. Resolves with what is needed to run, or with why it cannot run here and what to install.
   */
  probe(): Promise<EnvironmentStatus>
  /** What this machine lacks to build some packages: a sentence each, with the way out. Called only after `probe` was ready. */
  lacks?(): readonly string[]
  /** Whether the files of a package are of this language (file names relative to its root). */
  detects(files: readonly string[]): boolean
  /** The entry to use when none is given, from the file names; `undefined` when there is no obvious one. */
  defaultEntry(files: readonly string[], options?: EntryOptions): string | undefined
  /** Steps that make a package runnable; an empty list when it is so already. */
  buildPlan(files: readonly string[], options: EntryOptions & { readonly entry: string }): BuildPlan
}

/** What an entry is meant to be. */
export interface EntryOptions {
  /** The entry is a program of the package's own that speaks another contract (`commandFor`), and no handler. @default false */
  readonly isProgram?: boolean
}

/** How a process of another contract than the shim's is started. */
export interface ProcessCommand {
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The image that it runs in; an empty `command` is the image's own. */
  readonly image?: string
}

/** Whether this machine can run the language; `reason` is a sentence that says what is missing. */
export type EnvironmentStatus =
  | {
      readonly ready: true
      readonly launch: Launch
      readonly runtimeVersion: string
      readonly revision: string
    }
  | { readonly ready: false; readonly reason: string }

/** What a build does beside copying files. */
export interface BuildPlan {
  /** Files whose contents decide the result of the dependency step: its cache key. Empty: no dependencies. */
  readonly lockFiles: readonly string[]
  /** Commands to run in /work, in order, with the network. */
  readonly dependencySteps: readonly BuildStep[]
  /** Folder that the dependency steps fill, kept in the cache (`node_modules`). */
  readonly dependencyFolder: string | undefined
  /** Commands to run after that without the network, for checks such as the syntax. */
  readonly checkSteps: readonly BuildStep[]
  /**
   * Every step sees a writable folder /cache, kept for the project's next builds (compiled objects, downloaded archives). What
   * a compiler makes goes into the work folder. @default false
   */
  readonly keepsToolCache?: boolean
  /**
   * Makes what /cache holds at a project's first build: a folder that is the same for everybody, of which each gets a copy. It must
   * hold nothing of a tenant's. Resolves with `undefined` where it cannot be made. @default empty
   */
  readonly toolCacheSeed?: () => Promise<string | undefined>
}

/** One command of a build; `title` is what its log calls it. */
export interface BuildStep {
  readonly title: string
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Extra read-only mounts (an npm outside /usr). */
  readonly mounts?: readonly {
    readonly source: string
    readonly target: string
    readonly writable: boolean
  }[]
}
