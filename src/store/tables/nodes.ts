/** What servers that share a database tell each other. */
export interface NodeTables {
  nodes: NodesTable
  leases: LeasesTable
  publications: PublicationsTable
  facts: FactsTable
  blobs: BlobsTable
  blob_parts: BlobPartsTable
}

interface NodesTable {
  id: string
  /** Where the others reach its API. */
  url: string
  version: string
  /** Grows while the node is alive. */
  beat: number
  started_at: number
}

interface LeasesTable {
  name: string
  /** Id of a node. */
  owner: string
}

/** What was changed, one row for each commit, in the order of the commits. */
interface PublicationsTable {
  number: number
  /** Who changed it. */
  node: string
  note_json: string
  created_at: number
}

/** What all nodes must agree on. */
interface FactsTable {
  name: string
  value: string
}

/** Packages and bundles, packed, for nodes that do not have them. */
interface BlobsTable {
  /** Kind and digest. */
  name: string
  /** Which parts are its. */
  upload: string
  parts: number
  size_bytes: number
  sha256: string
  used_at: number
}

interface BlobPartsTable {
  upload: string
  number: number
  content: Uint8Array
}
