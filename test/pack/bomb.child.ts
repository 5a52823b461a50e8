// Reads packs, and says why not and by how much its memory has grown at most.
import { readPack } from '../../src/pack/index.ts'

const KIB_PER_MIB = 1_024
const before = process.resourceUsage().maxRSS
for (const path of process.argv.slice(2)) {
  const code = await readPack(path).then(
    () => 'read',
    (error: unknown) => (error as { readonly code?: unknown }).code,
  )
  const grownMib = (process.resourceUsage().maxRSS - before) / KIB_PER_MIB
  process.stdout.write(`${JSON.stringify({ code, grownMib })}\n`)
}
