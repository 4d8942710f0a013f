import type { FastifyRequest } from 'fastify'
import { AtelierError, type Principal } from '../core/index.ts'
import { type Action, may } from '../identity/index.ts'

/** What a request that manages things asks of its caller's role. */
export function actionOf({ method }: Pick<FastifyRequest, 'method'>): Action {
  return method === 'GET' || method === 'HEAD' ? 'read' : 'write'
}

/** Throws FORBIDDEN. Dialects keep things of their own, which no operation of the control plane guards. */
export function needRight(by: Principal, action: Action): void {
  if (may(by, action)) return
  throw new AtelierError(
    'FORBIDDEN',
    `The roles of ${by.userName} in project "${by.projectName}" do not allow to ${action}.`,
  )
}
