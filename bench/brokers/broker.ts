/** A broker that the bench can start: a trigger reads `EVENTS` from it, the function's answers go to `ANSWERS`. */
export interface BenchBroker {
  /** What it is called on the command line. */
  readonly name: string
  readonly title: string
  /** Why it cannot run here. */
  missing(): Promise<string | undefined>
  open(): Promise<OpenBroker>
}

export interface OpenBroker {
  /** What a queue trigger is told. */
  readonly config: Readonly<Record<string, unknown>>
  /** Resolves when the broker has confirmed all of them. */
  publish(messages: readonly string[]): Promise<void>
  /** Begins to read the answers. */
  read(onAnswer: (text: string) => void): Promise<void>
  close(): Promise<void>
}
