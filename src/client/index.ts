// callboard/client: runs on a server, in the words of runs that are here.
export { Client, createClient } from './client.ts'
export type { ClientOptions, RemoteStartOptions } from './client.ts'
export { RemoteRun } from './remote-run.ts'
export type { RemoteRunInfo, RemoteWaitOptions } from './remote-run.ts'
export { RemoteView } from './remote-view.ts'
