export { aosOperations } from './operations.ts'
