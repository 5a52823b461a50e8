// Puts the page that shows the HTTP API's documentation into the build: the server serves it itself, offline.
import { cpSync } from 'node:fs'

const FILES = { 'swagger-ui.css': '', 'swagger-ui-bundle.js': '', LICENSE: '.txt', NOTICE: '.txt' }
for (const [file, ending] of Object.entries(FILES)) {
  cpSync(`node_modules/swagger-ui-dist/${file}`, `dist/server/swagger-ui/${file}${ending}`)
}
