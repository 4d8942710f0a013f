import { jwtVerify } from 'jose'
import { EngineError } from './engine.ts'

/**
 * Checks `Authorization: Bearer <JSON Web Token>`, signed with HS256 and in its time. Throws EngineError 401 without saying which part
 * was wrong beyond what the caller knows.
 */
export async function checkJsonWebToken(authorization: string | undefined, key: string): Promise<void> {
  const token = authorization === undefined ? undefined : /^Bearer +(\S+)$/i.exec(authorization)?.[1]
  if (token === undefined) throw refused('Authorization header not found')
  try {
    await jwtVerify(token, new TextEncoder().encode(key), { algorithms: ['HS256'] })
  } catch (cause) {
    throw refused('Token is not valid', cause)
  }
}

function refused(message: string, cause?: unknown): EngineError {
  return new EngineError(401, message, { headers: { 'www-authenticate': 'Bearer realm=""' }, cause })
}
