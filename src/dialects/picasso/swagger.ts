/** What Picasso's document says of an operation. */
interface Operation {
  readonly description: string
  readonly tags: string[]
  readonly produces: string[]
  readonly parameters?: { in: string; name: string; required: boolean; schema: object }[]
  readonly responses: Readonly<Record<string, { readonly description: string }>>
}

const MEANINGS: Readonly<Record<number, string>> = {
  200: 'Done.',
  401: 'The token is missing or not valid for this project.',
  403: 'The route is private.',
  404: 'There is no such app or route.',
  409: 'It exists already.',
}

const APP = {
  in: 'body',
  name: 'app',
  required: true,
  schema: { type: 'object', properties: { name: { type: 'string' } } },
}

const ROUTE = {
  in: 'body',
  name: 'route',
  required: true,
  schema: {
    type: 'object',
    properties: {
      type: { type: 'string' },
      path: { type: 'string' },
      image: { type: 'string' },
      is_public: { type: 'boolean' },
    },
  },
}

/** Swagger 2.0: the paths, operations and codes that Picasso generated from its sources. */
export function swaggerDocument() {
  const apps = (description: string, codes: readonly number[], body?: typeof APP | typeof ROUTE): Operation =>
    operation('Apps', description, codes, body)
  const routes = (
    description: string,
    codes: readonly number[],
    body?: typeof APP | typeof ROUTE,
  ): Operation => operation('Routes', description, codes, body)
  const run = (description: string, codes: readonly number[]): Operation =>
    operation('Runnable', description, codes)
  return {
    swagger: '2.0' as const,
    info: { description: 'Picasso API service docs\n', version: 'v1.0.0', title: 'Picasso API' },
    basePath: '/',
    schemes: ['http', 'https'],
    paths: {
      '/v1/{project_id}/apps': {
        get: apps('Lists the apps of a project.', [200, 401]),
        post: apps('Creates an app.', [200, 401, 409], APP),
      },
      '/v1/{project_id}/apps/{app}': {
        get: apps('Shows an app.', [200, 401, 404]),
        put: apps('Changes the configuration of an app.', [200, 401, 404]),
        delete: apps('Deletes an app without routes.', [200, 401, 404]),
      },
      '/v1/{project_id}/apps/{app}/routes': {
        get: routes('Lists the routes of an app.', [200, 401, 404]),
        post: routes('Creates a route.', [200, 401, 404, 409], ROUTE),
      },
      '/v1/{project_id}/apps/{app}/routes/{route}': {
        get: routes('Shows a route.', [200, 401, 404]),
        put: routes('Changes a route.', [200, 401, 404]),
        delete: routes('Deletes a route.', [200, 401, 404]),
      },
      '/v1/r/{project_id}/{app}/{route}': { post: run('Runs a route with a token.', [200, 401, 404]) },
      '/r/{app}/{route}': { post: run('Runs a public route.', [200, 403, 404]) },
    },
  }
}

function operation(
  tag: string,
  description: string,
  codes: readonly number[],
  body?: typeof APP | typeof ROUTE,
): Operation {
  return {
    description,
    tags: [tag],
    produces: ['application/json'],
    ...(body && { parameters: [body] }),
    responses: Object.fromEntries(codes.map(code => [code, { description: MEANINGS[code]! }])),
  }
}
