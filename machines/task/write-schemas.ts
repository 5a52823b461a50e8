// Writes the published schemas anew: `node machines/task/write-schemas.ts`, then format them.
import { writeFile } from 'node:fs/promises'
import { jsonSchemaOf, TASK_SCHEMAS, titleOf } from './json-schemas.ts'

for (const [file, schema] of Object.entries(TASK_SCHEMAS)) {
  const text = JSON.stringify(jsonSchemaOf(schema, titleOf(file)), null, 2)
  await writeFile(new URL(`schemas/${file}`, import.meta.url), `${text}\n`)
}
