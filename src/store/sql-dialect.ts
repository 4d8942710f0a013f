/** What the database speaks. */
export type SqlDialect = 'sqlite' | 'mysql' | 'postgres'
