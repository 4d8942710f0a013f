import type { FastifyRequest } from 'fastify'
import { AtelierError } from '../core/index.ts'
import { callerOf } from './caller.ts'

/** Throws FORBIDDEN for who is no operator. */
export function needOperator(request: FastifyRequest): void {
  if (!callerOf(request).roles.includes('admin'))
    throw new AtelierError('FORBIDDEN', 'Only an operator (role admin) may do this.')
}
