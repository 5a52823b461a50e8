// Docs pages: the interactive documentation, served from files of the package: no network but this server is needed.
import { readFile } from 'node:fs/promises'
import { CallboardError } from '../base/index.ts'

type Page = () => Promise<Response>

/** Copied from swagger-ui-dist when the package is built. */
const FOLDER = new URL('./swagger-ui/', import.meta.url)

const CSP =
  "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const START = `window.ui = SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, persistAuthorization: true })\n`

const INDEX = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Callboard</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
`

const WELCOME = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Callboard</title>
<h1>Callboard</h1>
<p><a href="/docs">Documentation of the HTTP API</a>, as <a href="/openapi.json">OpenAPI 3.1</a></p>
</html>
`

/** By path. */
export function docsPages(): ReadonlyMap<string, Page> {
  const text =
    (content: string, type: string): Page =>
    () =>
      Promise.resolve(
        new Response(content, {
          headers: { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': CSP },
        }),
      )
  const docs = text(INDEX, 'text/html')
  return new Map<string, Page>([
    ['/docs', docs],
    ['/redoc', docs],
    ['/docs/start.js', text(START, 'text/javascript')],
    ['/docs/swagger-ui.css', file('swagger-ui.css', 'text/css')],
    ['/docs/swagger-ui-bundle.js', file('swagger-ui-bundle.js', 'text/javascript')],
    ['/', () => Promise.resolve(new Response(null, { status: 307, headers: { location: '/static/index.html' } }))],
    ['/static/index.html', text(WELCOME, 'text/html')],
  ])
}

function file(name: string, type: string): Page {
  return async () => {
    const content = await readFile(new URL(name, FOLDER)).catch(() => {
      throw new CallboardError('server.not-found', `${name} is made when the package is built`, { name })
    })
    const headers = { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'public, max-age=86400' }
    return new Response(content, { headers })
  }
}
