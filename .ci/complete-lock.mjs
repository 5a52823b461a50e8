// Completes package-lock.json after an `npm install` on a registry that lacks some platform packages: npm leaves those out
// without a word, and `npm ci` then refuses the lock file on every machine. Run it with
//   npx node .ci/complete-lock.mjs package-lock.json
import { readFileSync, writeFileSync } from 'node:fs'
const file = process.argv[2]
const text = readFileSync(file, 'utf8')
const lock = JSON.parse(text)
let added = 0
for (const [path, known] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(known.optionalDependencies ?? {})) {
    const nested = `${path === '' ? '' : `${path}/`}node_modules/${name}`
    if (lock.packages[`node_modules/${name}`] !== undefined || lock.packages[nested] !== undefined) continue
    const [, os, cpu, abi] =
      /(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|x64|ppc64|riscv64|s390x|ia32)(?:-(.+))?$/.exec(
        name,
      ) ?? []
    if (os === undefined || !/^\d/.test(version)) {
      console.error('left out', name, version)
      continue
    }
    const libc =
      os !== 'linux' ? undefined : abi?.startsWith('musl') ? ['musl'] : abi?.startsWith('gnu') ? ['glibc'] : undefined
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(known.dev ? { dev: true } : {}),
      ...(libc ? { libc } : {}),
      license: known.license ?? 'MIT',
      optional: true,
      os: [os],
      ...(known.engines ? { engines: known.engines } : {}),
    }
    added += 1
  }
}
const root = lock.packages['']
const rest = Object.fromEntries(
  Object.entries(lock.packages)
    .filter(([path]) => path !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1)),
)
lock.packages = { '': root, ...rest }
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`added ${added}`)
