export { ownOperations } from './own.ts'
