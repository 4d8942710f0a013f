/** scrypt's N for users that exist in a test alone: the real one costs 0.1 s of CPU for each login. */
export const PASSWORD_COST_LOW = 2 ** 4
