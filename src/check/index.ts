// callboard/check: what can be found out about workflows without running them.
export { checkAgainst } from './check-against.ts'
export type { CheckOptions, CheckReport, RunCheck } from './check-against.ts'
