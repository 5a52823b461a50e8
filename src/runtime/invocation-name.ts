/** The name of a run's so-manieth invocation: what an agent did is remembered under it, a child run has it as its id. */
export function invocationName(runId: string, id: string, count: number): string {
  return `${runId}.${id}.${count}`
}
